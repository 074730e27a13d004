//! End tags: missing at the very end, or cut within.

use super::{Ending, Mender};
use crate::guard::causes::document as causes;
use crate::guard::edit::Edit;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::name_len;
use crate::guard::twiml::grammar;

/// More end tags of elements that nobody opened are no slip.
const MAX_FOREIGN: usize = 20;

/// More texts without their end tags are none either.
const MAX_UNENDED: usize = 200;

impl<'t> Mender<'t> {
    /// Whether an end tag closes again what closed itself just before.
    pub(super) fn is_needless(&self, name: &str) -> bool {
        let Some((closed, end)) = self.self_closed else { return false };
        closed == name
            && !self.open.contains(&name)
            && self.text.get(end..self.at).is_some_and(|between| between.trim().is_empty())
    }

    /// Whether an end tag stands twice: the element of its name was closed just before, and no other
    /// one is open.
    pub(super) fn is_doubled(&self, name: &str) -> bool {
        let Some((closed, end)) = self.closed else { return false };
        closed == name
            && !self.open.contains(&name)
            && self.text.get(end..self.at).is_some_and(|between| between.trim().is_empty())
    }

    /// Whether an end tag directly below the root closes what TwiML does not know and nobody opened.
    pub(super) fn is_foreign(&self, name: &str) -> bool {
        let dropped =
            self.edits.iter().filter(|edit| edit.cause.is(&causes::end_tag_foreign::CAUSE));
        self.open.len() == 1
            && dropped.count() < MAX_FOREIGN
            && !self.open.contains(&name)
            && grammar::ignoring_case(name).is_none()
            && !self.foreign_starts(name)
    }

    /// Whether an element that TwiML leaves empty is opened and never closed.
    pub(super) fn holds_nothing(&self, name: &str) -> bool {
        let next = self.rest().get(1..).unwrap_or_default().trim_start();
        let empty = grammar::rule(name).is_some_and(|rule| {
            let parameters = rule.children == ["Parameter"] && !next.starts_with("<Parameter");
            !rule.text && (rule.children.is_empty() || parameters)
        });
        empty && next.starts_with('<') && self.ends.get(name).is_none_or(|&end| end < self.at)
    }

    fn foreign_starts(&self, name: &str) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default();
        memchr::memmem::find(before.as_bytes(), format!("<{name}").as_bytes()).is_some()
    }

    /// At an end tag `</name>` that stands before its only child's, with nothing in between: swaps
    /// the two. Ends behind the second.
    pub(super) fn crossed(&mut self, name: &str, end: usize) -> Option<()> {
        let [.., parent, child] = self.open.as_slice() else { return None };
        let (parent, child) = (*parent, *child);
        if parent != name || !grammar::allows(parent, child) || grammar::allows(child, parent) {
            return None;
        }
        let rest = self.text.get(end..)?;
        let second = end + (rest.len() - rest.trim_start().len());
        let after = self.text.get(second..)?.strip_prefix("</")?.strip_prefix(child)?;
        let closing = after.trim_start();
        if !closing.starts_with('>') {
            return None;
        }
        let behind = self.text.len() - closing.len() + 1;
        let span = self.at..behind;
        let blanks = self.text.get(end..second)?;
        let with = format!("</{child}>{blanks}</{parent}>");
        self.edit(&causes::end_tags_crossed::CAUSE, Grade::Inferred, span, with);
        self.open.truncate(self.open.len() - 2);
        self.closed = Some((parent, behind));
        self.at = behind;
        Some(())
    }

    /// The open element that a misspelt end tag closes: the innermost one, if the name is nobody
    /// else's and nearly its own.
    pub(super) fn meant_by(&self, name: &str) -> Option<&'t str> {
        let innermost = *self.open.last()?;
        let foreign = !self.open.contains(&name)
            && (grammar::rule(name).is_none() || name.eq_ignore_ascii_case(innermost));
        (foreign && is_nearly(name, innermost)).then_some(innermost)
    }

    /// At a verb that cannot stand in the spoken text before it: ends that text here, if it has no end tag.
    pub(super) fn end_before_sibling(&mut self, rest: &str) {
        let [.., parent, innermost] = self.open.as_slice() else { return };
        let inner = rest.get(1..).unwrap_or_default();
        let name = inner.get(..name_len(inner)).unwrap_or_default();
        let spoken = *innermost == "Say"
            && !grammar::allows(innermost, name)
            && grammar::allows(parent, name);
        let said = self
            .text
            .get(..self.at)
            .is_some_and(|before| !before.trim_end().ends_with('>') && !self.ends_torn(before));
        // Its own end tag comes before any other of its kind begins.
        let next = memchr::memmem::find(inner.as_bytes(), b"<Say");
        let end = memchr::memmem::find(inner.as_bytes(), b"</Say");
        let ended = end.is_some_and(|end| next.is_none_or(|next| end < next)) && name != "Say";
        if !spoken || !said || ended || self.unended >= MAX_UNENDED {
            return;
        }
        self.unended += 1;
        let at = self.at;
        self.edit(&causes::end_tag_missing::CAUSE, Grade::Inferred, at..at, "</Say>");
        self.open.pop();
    }

    /// The innermost element, if it holds text and an end tag of something that nobody opened stands where it must
    /// end: before its sibling, or before its parent's end.
    pub(super) fn stands_for_end(&self, name: &str, end: usize) -> Option<&'t str> {
        let [.., parent, innermost] = self.open.as_slice() else { return None };
        let rest = self.text.get(end..)?.trim_start();
        let inner = rest.strip_prefix('<')?;
        let closing = inner.strip_prefix('/');
        let next = closing.unwrap_or(inner);
        let next = next.get(..name_len(next))?;
        let after = if closing.is_some() { next == *parent } else { grammar::allows(parent, next) };
        let says = grammar::rule(innermost).is_some_and(|rule| rule.text);
        let begun = self.text.get(..self.at)?.trim_end();
        let stands = says
            && after
            && !grammar::allows(innermost, next)
            && !begun.ends_with('>')
            && !self.open.contains(&name)
            && !grammar::allows(parent, name)
            && !self.foreign_starts(name);
        stands.then_some(*innermost)
    }

    /// At an end tag: what it closes. An element that its parent's end tag cuts off is closed just
    /// before, where that is the only place: at the document's very end.
    pub(super) fn close_until(&mut self, name: &str) -> Option<()> {
        let depth = self.open.iter().rposition(|open| *open == name)?;
        let unclosed = self.open.split_off(depth + 1);
        self.open.pop();
        if unclosed.is_empty() {
            return Some(());
        }
        // Only the root's own end tag leaves no doubt about where the others had to end, unless what
        // is left of an end tag stands in the text.
        if depth != 0 || self.text.get(..self.at).is_some_and(|before| self.ends_torn(before)) {
            return None;
        }
        let with = end_tags(&unclosed);
        let at = self.at;
        self.edit(&causes::end_tag_missing::CAUSE, Grade::Inferred, at..at, with);
        Some(())
    }

    /// At the end of the text: closes what is open, if that is the only reading.
    pub(super) fn close(&mut self, ending: Ending) -> Option<()> {
        if self.open.is_empty() {
            return Some(());
        }
        let trimmed = self.text.trim_end();
        let last_tag = trimmed.rfind('<').and_then(|at| trimmed.get(at..))?;
        let ends_whole =
            trimmed.ends_with('>') && (last_tag.starts_with("</") || last_tag.ends_with("/>"));
        if ending == Ending::Unsure
            || !ends_whole
            || ends_foreign(last_tag)
            || self.ends_torn(trimmed)
        {
            return None;
        }
        let with = end_tags(&self.open);
        let at =
            if self.open.len() == 1 { self.end_of_lines(trimmed.len()) } else { trimmed.len() };
        self.edit(&causes::end_tag_missing::CAUSE, Grade::Inferred, at..at, with);
        Some(())
    }

    /// Whether a `>` stands in the text behind the last tag: it ended a tag that is torn.
    fn ends_torn(&self, before: &str) -> bool {
        let Some(at) = before.rfind('<') else { return false };
        let is_text = self
            .edits
            .iter()
            .any(|edit| edit.span.start == at && edit.cause.is(&causes::bare_less_than::CAUSE));
        let tag = before.get(at..).unwrap_or_default();
        // `123<` before the root's end is the beginning of an end tag.
        let begun = is_text
            && !tag.trim_end().get(1..).is_some_and(|inner| {
                inner.contains(char::is_whitespace)
                    || inner.starts_with(|c: char| c.is_ascii_digit())
            });
        begun || tag.matches('>').count() > usize::from(!is_text)
    }

    /// Where the root's end tag stood behind `at`: in a line of its own where its start tag has one.
    fn end_of_lines(&self, at: usize) -> usize {
        let begun = memchr::memmem::find(self.text.as_bytes(), b"<Response>");
        let lines = begun
            .and_then(|begun| self.text.get(begun + 10..))
            .is_some_and(|inner| inner.starts_with(['\n', '\r']));
        let after = self.text.get(at..).unwrap_or_default();
        after.find('\n').filter(|_| lines).map_or(at, |len| at + len + 1)
    }

    /// Whether the element just opened may stand where it does, as far as an unclosed parent is
    /// concerned: TwiML's grammar must not forbid it.
    pub(super) fn nesting_is_sensible(&self, child: &str) -> bool {
        match self.open.last() {
            Some(parent) if grammar::rule(parent).is_some() && grammar::rule(child).is_some() => {
                grammar::allows(parent, child)
            }
            _ => true,
        }
    }
}

/// Whether the last tag is none of TwiML's: the program that wrote it stopped within the document.
fn ends_foreign(last_tag: &str) -> bool {
    let inner = last_tag.trim_start_matches(['<', '/']);
    grammar::ignoring_case(inner.get(..name_len(inner)).unwrap_or_default()).is_none()
}

/// Whether one name is the other but for letter case or at most two slips in a longer word.
pub fn is_nearly(found: &str, meant: &str) -> bool {
    if found.eq_ignore_ascii_case(meant) {
        return true;
    }
    let slips = if meant.len() >= 6 { 2 } else { 1 };
    found.len() <= 40 && meant.len() >= 3 && distance(found.as_bytes(), meant.as_bytes()) <= slips
}

/// Slips of the keyboard between two words: letters added, left out, changed, or swapped.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let above = |back: usize, left: usize| {
                rows.get(i + 1 - back)
                    .and_then(|row| row.get(j + 1 - left))
                    .copied()
                    .unwrap_or(usize::MAX - 1)
            };
            let mut best = (above(1, 1) + usize::from(x != y))
                .min(above(1, 0) + 1)
                .min(row.get(j).copied().unwrap_or(usize::MAX - 1) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(above(2, 2) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(usize::MAX)
}

/// End tags of open elements, the innermost first.
fn end_tags(open: &[&str]) -> String {
    let mut tags = String::new();
    for name in open.iter().rev() {
        tags.extend(["</", name, ">"]);
    }
    tags
}

/// A document cut inside its root's own end tag: everything before is closed, so the missing
/// letters are certain. Gives the edit that completes it.
pub fn cut_in_root_end(text: &str) -> Option<Edit> {
    const END: &str = "</Response>";
    let trimmed = text.trim_end();
    let at = trimmed.rfind("</")?;
    let tail = trimmed.get(at..)?;
    let cut = tail.len() < END.len() && END.starts_with(tail);
    cut.then(|| Edit {
        cause: &causes::end_tag_missing::CAUSE,
        grade: Grade::Lossless,
        span: at..trimmed.len(),
        with: END.to_owned(),
        evidence: format!("the body ends with `{tail}`"),
    })
}
