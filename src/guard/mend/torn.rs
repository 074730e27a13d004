//! End tags that are torn themselves: `</Say/>`, `</Say voice="x">`, `</Say` without its `>`, `</>`, `<\/Say>`, and a
//! start tag where only an end tag can be meant.

use super::Mender;
use crate::guard::causes::document as causes;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::{is_blank, name_len};
use crate::guard::twiml::grammar;

impl Mender<'_> {
    /// At `</`, or `<\/`: an end tag of the innermost element that is torn behind its name, or has none.
    pub(super) fn torn_end_tag(&mut self, rest: &str) -> Option<()> {
        let innermost = *self.open.last()?;
        let escaped = rest.starts_with("<\\");
        let inner = rest.strip_prefix("<\\/").or_else(|| rest.strip_prefix("<\\"));
        let inner = inner.or_else(|| rest.strip_prefix("</"))?;
        let name = inner.get(..name_len(inner))?;
        if name != innermost && (escaped || !name.is_empty()) {
            return None;
        }
        let after = inner.get(name.len()..)?;
        let len = end_of_torn(after, name)?;
        if !escaped && !name.is_empty() && after.trim_start().starts_with('>') {
            return None;
        }
        let end = self.at + (rest.len() - after.len()) + len;
        self.close_with(innermost, end);
        Some(())
    }

    /// At a start tag without attributes, or `<Say/>`: whether it stands where the innermost element of the same name must end.
    pub(super) fn start_for_end(&mut self, rest: &str) -> Option<()> {
        let innermost = *self.open.last()?;
        let after = rest.strip_prefix('<')?.strip_prefix(innermost)?;
        let behind = after.strip_prefix('>').or_else(|| after.strip_prefix("/>"))?;
        let begun = self.text.get(..self.at)?.trim_end();
        if innermost == "Response" && self.open.len() == 1 && behind.trim().is_empty() {
            self.close_with(innermost, self.at + (rest.len() - behind.len()));
            return Some(());
        }
        // Behind a child only where no end tag of its own follows.
        let last = self.ends.get(innermost).is_none_or(|&end| end < self.at);
        let says = grammar::rule(innermost).is_some_and(|rule| rule.text) && !begun.ends_with('>')
            || last && begun.ends_with('>') && !begun.ends_with(&format!("<{innermost}>"));
        let next = behind.trim_start();
        let own_end = next.strip_prefix("</").is_some_and(|end| end.starts_with(innermost));
        if !says || grammar::allows(innermost, innermost) || !next.starts_with('<') || own_end {
            return None;
        }
        let end = self.at + (rest.len() - behind.len());
        self.close_with(innermost, end);
        Some(())
    }

    fn close_with(&mut self, name: &str, end: usize) {
        let cause = &causes::end_tag_misspelt::CAUSE;
        self.edit(cause, Grade::Inferred, self.at..end, format!("</{name}>"));
        self.closed = self.open.pop().map(|closed| (closed, end));
        self.at = end;
    }
}

/// The length of what stands between an end tag's name and its end, if it may be dropped.
fn end_of_torn(after: &str, name: &str) -> Option<usize> {
    let trimmed = after.trim_start_matches(is_blank);
    let blanks = after.len() - trimmed.len();
    if trimmed.starts_with('>') {
        return Some(blanks + 1);
    }
    if trimmed.starts_with("/>") {
        return Some(blanks + 2);
    }
    if name.is_empty() {
        return None;
    }
    if trimmed.starts_with('<') {
        return Some(0);
    }
    let close = trimmed.find(['<', '>'])?;
    let attributes = trimmed.get(..close)?.contains('=') && blanks > 0;
    (attributes && trimmed.get(close..)?.starts_with('>')).then_some(blanks + close + 1)
}
