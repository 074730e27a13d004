//! Blanks inside a tag, before its name: `< Say>`, `</ Say>`, `< /Say>`.

use super::Mender;
use crate::guard::causes::document as causes;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::{is_blank, name_len};
use crate::guard::twiml::grammar;

impl<'t> Mender<'t> {
    /// At a `<` with blanks before a name: goes behind an end tag that may stand here; goes to before
    /// the name of a start tag, and gives `true`. `None` where neither may.
    pub(super) fn tag_with_blanks(&mut self, rest: &'t str) -> Option<bool> {
        let inner = rest.get(1..)?;
        let after = inner.trim_start_matches(is_blank);
        let ends = after.strip_prefix('/').map(|after| after.trim_start_matches(is_blank));
        let named = ends.unwrap_or(after);
        let start = rest.len() - named.len();
        let name = named.get(..name_len(named)).filter(|name| !name.is_empty())?;
        if start == 1 + usize::from(ends.is_some()) {
            return None;
        }
        let behind = named.get(name.len()..)?;
        let cause = &causes::tag_blank_inside::CAUSE;
        let (at, to) = (self.at, self.at + start);
        if ends.is_some() {
            let closing = behind.trim_start_matches(is_blank);
            if self.open.last() != Some(&name) || !closing.starts_with('>') {
                return None;
            }
            self.edit(cause, Grade::Inferred, at..to, "</");
            self.open.pop();
            self.at = to + name.len() + (behind.len() - closing.len()) + 1;
            return Some(false);
        }
        // A comparison in what is spoken is no tag: a verb that may stand here is.
        let may_stand = self.open.last().is_some_and(|parent| grammar::allows(parent, name))
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && behind.starts_with(|c| is_blank(c) || matches!(c, '>' | '/'));
        if !may_stand {
            return None;
        }
        self.edit(cause, Grade::Inferred, at + 1..to, "");
        self.at = to - 1;
        Some(true)
    }

    /// The blank in `/ >`, which closes an element as `/>` does.
    pub(super) fn blank_in_self_closing(&mut self, rest: &str) -> Option<()> {
        let after = rest.strip_prefix('/')?;
        let closing = after.trim_start_matches(is_blank);
        let len = after.len() - closing.len();
        if len == 0 || !closing.starts_with('>') {
            return None;
        }
        let span = self.at + 1..self.at + 1 + len;
        self.edit(&causes::tag_blank_inside::CAUSE, Grade::Inferred, span, "");
        self.at += len + 2;
        Some(())
    }
}
