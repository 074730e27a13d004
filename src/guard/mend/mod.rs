//! Mending hand-made XML: a tolerant pass over one document that names the edits which make it
//! well-formed, as far as there is one sensible reading.
//!
//! The result is only a proposal: whoever applies the edits reads the text strictly again.

mod blanks;
mod close;
mod quotes;
mod signs;
mod tag;
mod torn;

use std::collections::HashMap;
use std::ops::Range;

use super::causes::document as causes;
use super::edit::Edit;
use super::finding::Grade;
use super::twiml::chars::{Reference, is_blank, is_char, name_len, reference};
use super::twiml::{entities, grammar};
use crate::twilio::limits;

pub use close::{cut_in_root_end, is_nearly};

/// More edits than this are no repair any more.
const MAX_EDITS: usize = 10_000;

/// More text than this is not mended: what leaves may have half of it, and a repair only drops
/// characters, comments and a DOCTYPE.
const MAX_TEXT: usize = 2 * limits::MAX_TWIML_BYTES;

/// Where the last end tag of each name stands.
fn last_ends(text: &str) -> HashMap<&str, usize> {
    memchr::memmem::find_iter(text.as_bytes(), b"</")
        .map(|at| {
            let inner = text.get(at + 2..).unwrap_or_default();
            (inner.get(..name_len(inner)).unwrap_or_default(), at)
        })
        .collect()
}

/// What is known of how the text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The whole body is there for certain.
    Whole,
    /// Something may be missing.
    Unsure,
}

/// Proposes edits for a document that starts at its declaration or root; `None` when there is no
/// sensible reading.
pub fn mend(text: &str, ending: Ending) -> Option<Vec<Edit>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut mender = Mender {
        text,
        at: 0,
        edits: Vec::new(),
        open: Vec::new(),
        ends: last_ends(text),
        self_closed: None,
        closed: None,
        unended: 0,
    };
    mender.walk()?;
    mender.close(ending)?;
    mender.edits.sort_by_key(|edit| edit.span.start);
    Some(mender.edits)
}

struct Mender<'t> {
    text: &'t str,
    at: usize,
    edits: Vec<Edit>,
    /// Names of the open elements, outermost first.
    open: Vec<&'t str>,
    /// Where the last end tag of each name stands.
    ends: HashMap<&'t str, usize>,
    /// The element that closed itself last, and where.
    self_closed: Option<(&'t str, usize)>,
    /// The element that an end tag closed last, and where.
    closed: Option<(&'t str, usize)>,
    /// How many texts ended before a verb.
    unended: usize,
}

impl<'t> Mender<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn edit(
        &mut self,
        cause: &'static super::Cause,
        grade: Grade,
        span: Range<usize>,
        with: impl Into<String>,
    ) {
        let start = span.start.saturating_sub(20);
        let start =
            (start..=span.start).find(|&at| self.text.is_char_boundary(at)).unwrap_or(span.start);
        let evidence =
            self.text.get(start..).unwrap_or_default().chars().take(60).collect::<String>();
        self.edits.push(Edit { cause, grade, span, with: with.into(), evidence });
    }

    fn walk(&mut self) -> Option<()> {
        while self.at < self.text.len() {
            if self.edits.len() > MAX_EDITS {
                return None;
            }
            let rest = self.rest();
            if rest.starts_with('<') {
                self.markup(rest)?;
            } else if rest.starts_with('&') {
                self.ampersand()?;
            } else if rest.starts_with("]]>") {
                self.edit(
                    &causes::cdata_end_in_text::CAUSE,
                    Grade::Lossless,
                    self.at + 2..self.at + 3,
                    "&gt;",
                );
                self.at += 3;
            } else {
                self.plain(rest)?;
            }
        }
        Some(())
    }

    /// Text up to the next character that means something.
    fn plain(&mut self, rest: &str) -> Option<()> {
        let len = rest
            .char_indices()
            .skip(1)
            .find(|&(_, c)| matches!(c, '<' | '&' | ']'))
            .map_or(rest.len(), |(at, _)| at);
        self.control_characters(self.at..self.at + len)?;
        self.at += len;
        Some(())
    }

    /// Characters that XML does not allow: a separator becomes a blank, as it sounds; the others
    /// are dropped, since nobody can hear them. One that begins a sequence (a colour, another
    /// alphabet) is not alone: what it does to the characters behind it is lost.
    fn control_characters(&mut self, span: Range<usize>) -> Option<()> {
        let content = self.text.get(span.clone())?;
        if content.split('\u{1b}').skip(1).any(|after| after.starts_with(['[', '(', '$'])) {
            return None;
        }
        for (at, c) in content.char_indices().filter(|&(_, c)| !is_char(c)) {
            let at = span.start + at;
            let span = at..at + c.len_utf8();
            let (before, after) = (self.text.get(..at), self.text.get(span.end..));
            // Beside a blank or markup it separates nothing that is not separate.
            let within = before.is_some_and(|text| text.ends_with(char::is_alphanumeric))
                && after.is_some_and(|text| text.starts_with(char::is_alphanumeric));
            let separates = matches!(c, '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1f}');
            let with = if separates && within { " " } else { "" };
            self.edit(&causes::control_character::CAUSE, Grade::Inferred, span, with);
        }
        Some(())
    }

    /// At an `&`, in text or in a value.
    fn ampersand(&mut self) -> Option<()> {
        let rest = self.rest();
        let len = match reference(rest) {
            Reference::Legal(len) => len,
            Reference::Unknown(len) => {
                let name = rest.get(1..len - 1).unwrap_or_default();
                match entities::html_entity(name) {
                    Some(c) => {
                        self.edit(
                            &causes::html_entity::CAUSE,
                            Grade::Lossless,
                            self.at..self.at + len,
                            c.to_string(),
                        );
                        len
                    }
                    // What a DOCTYPE may have declared is no bare `&`.
                    None if self.has_doctype() => return None,
                    None => self.bare_ampersand(),
                }
            }
            Reference::Illegal(len) => {
                self.edit(
                    &causes::control_character::CAUSE,
                    Grade::Inferred,
                    self.at..self.at + len,
                    "",
                );
                len
            }
            Reference::Bare => self.bare_ampersand(),
        };
        self.at += len;
        Some(())
    }

    fn has_doctype(&self) -> bool {
        self.edits.iter().any(|edit| edit.cause.is(&causes::doctype::CAUSE))
    }

    fn bare_ampersand(&mut self) -> usize {
        // `&amp ` lacks but its semicolon.
        let inner = self.text.get(self.at + 1..).unwrap_or_default();
        let name = ["amp", "lt", "gt"].into_iter().find(|name| {
            inner.strip_prefix(name).is_some_and(|after| after.starts_with(char::is_whitespace))
        });
        if let Some(name) = name {
            let end = self.at + 1 + name.len();
            self.edit(&causes::bare_ampersand::CAUSE, Grade::Inferred, end..end, ";");
            return 1 + name.len();
        }
        self.edit(&causes::bare_ampersand::CAUSE, Grade::Lossless, self.at..self.at + 1, "&amp;");
        1
    }

    fn markup(&mut self, rest: &'t str) -> Option<()> {
        if let Some(inner) = rest.strip_prefix("<!--") {
            let len = inner.find("-->")? + 7;
            let comment = rest.get(4..len - 3).unwrap_or_default();
            // A comment within a comment: there is no saying what was meant to be left out.
            if comment.contains("<!--") || comment.starts_with('>') {
                return None;
            }
            if comment.contains("--") || comment.ends_with('-') || !comment.chars().all(is_char) {
                self.edit(
                    &causes::comment_malformed::CAUSE,
                    Grade::Lossless,
                    self.at..self.at + len,
                    "",
                );
            }
            self.at += len;
        } else if rest.starts_with("<![CDATA[") {
            let len = rest.find("]]>")? + 3;
            self.control_characters(self.at..self.at + len)?;
            self.at += len;
        } else if rest.starts_with("<?") {
            let len = rest.find("?>")? + 2;
            let declares = rest.get(2..5).is_some_and(|it| it.eq_ignore_ascii_case("xml"));
            if declares && (self.at > 0 || !self.declaration(rest.get(..len)?)) {
                self.edit(
                    &causes::declaration_misplaced::CAUSE,
                    Grade::Lossless,
                    self.at..self.at + len,
                    "",
                );
            }
            self.at += len;
        } else if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
            let len = rest.find('>')? + 1;
            if !self.open.is_empty() || rest.get(..len).is_some_and(|d| d.contains('[')) {
                return None;
            }
            self.edit(&causes::doctype::CAUSE, Grade::Lossless, self.at..self.at + len, "");
            self.at += len;
        } else if let Some(opens) = self.tag_with_blanks(rest) {
            if opens {
                self.start_tag()?;
            }
        } else if self.torn_end_tag(rest).is_some() || self.start_for_end(rest).is_some() {
            return Some(());
        } else if let Some(inner) = rest.strip_prefix("</") {
            self.end_tag(inner)?;
        } else if self.is_tag(rest) {
            self.end_before_sibling(rest);
            self.start_tag()?;
        } else {
            self.less_than(rest)?;
        }
        Some(())
    }

    /// A `<` that opens no tag: in what is heard or read it is a character. A torn tag is not, nor
    /// is what a template left.
    fn less_than(&mut self, rest: &str) -> Option<()> {
        if self.doubled_bracket(rest).is_some() {
            return Some(());
        }
        if self.is_torn(rest) || is_template(rest) {
            return None;
        }
        self.edit(&causes::bare_less_than::CAUSE, Grade::Inferred, self.at..self.at + 1, "&lt;");
        self.at += 1;
        Some(())
    }

    /// Whether a `<` begins a tag, or the rest of one, where no text is spoken: directly below what
    /// holds elements only, or with its `>` in a number or a URL.
    fn is_torn(&self, rest: &str) -> bool {
        const ADDRESSES: [&str; 7] =
            ["Client", "Dial", "Media", "Number", "Play", "Redirect", "Sip"];
        let parent = self.open.last().copied().unwrap_or_default();
        let inner = rest.get(1..).unwrap_or_default();
        if grammar::rule(parent).is_some_and(|rule| !rule.text) {
            return !inner.starts_with(|c: char| is_blank(c) || c.is_ascii_digit());
        }
        ADDRESSES.contains(&parent)
    }

    /// At the first of two `<` before a verb that may stand here, where no text is spoken.
    fn doubled_bracket(&mut self, rest: &str) -> Option<()> {
        let parent = self.open.last().copied().and_then(grammar::rule)?;
        let tag = rest.strip_prefix('<')?;
        let inner = tag.strip_prefix('<')?;
        let name = inner.strip_prefix('/').unwrap_or(inner);
        let name = name.get(..name_len(name))?;
        let ends = inner.starts_with('/') && name == parent.name;
        if parent.text || !(ends || parent.children.contains(&name) && self.is_tag(tag)) {
            return None;
        }
        let span = self.at..self.at + 1;
        self.edit(&causes::bracket_doubled::CAUSE, Grade::Inferred, span, "");
        self.at += 1;
        Some(())
    }

    /// Whether `<` opens a tag here: a name that TwiML knows, or any tag that is whole in itself.
    fn is_tag(&self, rest: &str) -> bool {
        let inner = rest.get(1..).unwrap_or_default();
        let len = name_len(inner);
        let name = inner.get(..len).unwrap_or_default();
        if len == 0 {
            return false;
        }
        let bounded = inner.get(len..).is_some_and(|after| {
            after.starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
                || after.starts_with("\\>")
        });
        if grammar::rule(name).is_some() {
            return bounded;
        }
        // An unknown name is a tag only where something closes it.
        let other_case = || {
            grammar::ignoring_case(name).is_some()
                && self
                    .ends
                    .iter()
                    .any(|(other, &end)| end > self.at && other.eq_ignore_ascii_case(name))
        };
        let closed_later = || self.ends.get(name).is_some_and(|&end| end > self.at) || other_case();
        bounded
            && inner.find(['<', '>']).is_some_and(|end| {
                inner.get(end..).is_some_and(|rest| rest.starts_with('>'))
                    && (inner.get(..end).is_some_and(|tag| tag.ends_with('/')) || closed_later())
            })
    }

    fn end_tag(&mut self, inner: &'t str) -> Option<()> {
        let len = name_len(inner);
        let name = inner.get(..len)?;
        let after = inner.get(len..)?;
        let blanks = after.len() - after.trim_start().len();
        if len == 0 || !after.get(blanks..)?.starts_with('>') {
            return None;
        }
        let end = self.at + 2 + len + blanks + 1;
        if self.is_needless(name) {
            let span = self.at..end;
            self.edit(&causes::end_tag_needless::CAUSE, Grade::Lossless, span, "");
        } else if self.is_doubled(name) {
            let span = self.at..end;
            self.edit(&causes::end_tag_needless::CAUSE, Grade::Inferred, span, "");
        } else if self.crossed(name, end).is_some() {
            return Some(());
        } else if let Some(meant) = self.meant_by(name).or_else(|| self.stands_for_end(name, end)) {
            let span = self.at + 2..self.at + 2 + len;
            self.edit(&causes::end_tag_misspelt::CAUSE, Grade::Inferred, span, meant);
            self.closed = self.open.pop().map(|closed| (closed, end));
        } else if self.is_foreign(name) {
            let span = self.at..end;
            self.edit(&causes::end_tag_foreign::CAUSE, Grade::Inferred, span, "");
        } else {
            self.close_until(name)?;
            self.closed = Some((name, end));
        }
        self.at = end;
        Some(())
    }
}

/// Whether a `<` begins what a template would have filled.
fn is_template(rest: &str) -> bool {
    rest.starts_with("<%") || rest.starts_with("<?")
}

#[cfg(test)]
mod tests {
    use super::super::{edit, twiml};
    use super::*;

    fn mended(text: &str) -> Option<String> {
        let mended = edit::apply(text, &mend(text, Ending::Whole)?);
        twiml::read(&mended).ok().map(|_| mended)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(mended(text).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn ampersands_and_entities() {
        check(
            "<Response><Play>http://h/?a=1&b=2</Play></Response>",
            "<Response><Play>http://h/?a=1&amp;b=2</Play></Response>",
        );
        check(
            "<Response><Say>A &nbsp;B &eacute; &amp; &x;</Say></Response>",
            "<Response><Say>A \u{a0}B é &amp; &amp;x;</Say></Response>",
        );
        check(
            "<Response><Dial action=\"/x?a=1&lg=vi\"/></Response>",
            "<Response><Dial action=\"/x?a=1&amp;lg=vi\"/></Response>",
        );
    }

    #[test]
    fn less_than_in_text_and_values() {
        check(
            "<Response><Say>1 < 2 <3 a<b</Say></Response>",
            "<Response><Say>1 &lt; 2 &lt;3 a&lt;b</Say></Response>",
        );
        check(
            "<Response><Say voice=\"a<b\">x</Say></Response>",
            "<Response><Say voice=\"a&lt;b\">x</Say></Response>",
        );
    }

    #[test]
    fn attributes_without_or_with_wrong_quotes() {
        check(
            "<Response><Say voice=alice loop=2>x</Say></Response>",
            "<Response><Say voice=\"alice\" loop=\"2\">x</Say></Response>",
        );
        check(
            "<Response><Pause length=2/></Response>",
            "<Response><Pause length=\"2\"/></Response>",
        );
        check(
            "<Response><Say voice=“alice”>x</Say></Response>",
            "<Response><Say voice=\"alice\">x</Say></Response>",
        );
        check(
            "<Response><Say voice=\"a\"language=\"b\">x</Say></Response>",
            "<Response><Say voice=\"a\" language=\"b\">x</Say></Response>",
        );
        assert_eq!(mended("<Response><Gather action=/g/>x</Response>"), None);
    }

    #[test]
    fn signs_of_other_languages() {
        for tag in [
            "<Say voice=\"a\" | loop=\"2\">",
            "<Say voice=\"a\" & loop=\"2\">",
            "<Say voice=>\"a\" loop=>\"2\">",
            "<Say \"voice\"=\"a\" 'loop'=\"2\">",
            "<Say voice={\"a\"} loop={2}>",
            "<Say voice \"a\" loop \"2\">",
            "<Say voice=&#8220;a&#8221; loop=&ldquo;2&rdquo;>",
            "<Say voice=\\\\\"a\\\\\" loop=%222%22>",
            "<Say\u{a0}voice=\"a\"\u{a0}loop=\"2\">",
            "<<Say voice=\"a\" loop=\"2\">",
        ] {
            let text = mended(&format!("<Response>{tag}x</Say></Response>")).unwrap_or_default();
            let plain = text.replace("  ", " ").replace(" =", "=");
            assert_eq!(plain, "<Response><Say voice=\"a\" loop=\"2\">x</Say></Response>", "{tag}");
        }
        for tag in ["<Say voices \"a\">", "<Say voice=>a>"] {
            assert_eq!(mended(&format!("<Response>{tag}x</Say></Response>")), None, "{tag}");
        }
    }

    #[test]
    fn end_tags_missing_at_the_very_end() {
        check("<Response><Say>x</Say>", "<Response><Say>x</Say></Response>");
        check(
            "<Response><Gather><Say>x</Say>\n",
            "<Response><Gather><Say>x</Say></Gather></Response>\n",
        );
        check("<Response><Say>x</Response>", "<Response><Say>x</Say></Response>");
        check(
            "<Response><Say>x<Dial>1</Dial></Response>",
            "<Response><Say>x</Say><Dial>1</Dial></Response>",
        );
        check(
            "<Response><Say>x</p><Dial>1</p></Response>",
            "<Response><Say>x</Say><Dial>1</Dial></Response>",
        );
        for text in [
            "<Response><Say>x",
            "<Response><Dial>",
            "<Response><Dial>1<br />",
            "<Response><Dial>1<b>Notice</b>",
            "<Response><Dial>1<Say>x</Say></Response>",
            "<Response><Say>a<Dial>1</Say></Dial></Response>",
            "<Response><Dial><Number>1</Dial><Say>x</Say></Response></X>",
            "<Response><Redirect>/x/Redirect></Response>",
            "<Response><Gather><Say>x</Say>Gather>",
        ] {
            assert_eq!(mended(text), None, "{text}");
        }
    }

    #[test]
    fn an_unsure_end_is_never_completed() {
        assert!(mend("<Response><Say>x</Say>", Ending::Unsure).is_none());
    }
}
