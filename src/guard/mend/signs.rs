//! The signs between attributes, names and values, where people of other languages write their own: commas, pipes,
//! colons, arrows, braces, quotes around a name.

use super::Mender;
use super::quotes::ends_value;
use crate::guard::causes::document as causes;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::{is_blank, name_len};
use crate::guard::twiml::grammar;

/// What stood in braces.
#[derive(Debug, Clone, Copy)]
pub(super) enum Braced {
    /// A number, which is quoted now.
    Number,
    /// A quoted value, still to be read; behind it the other brace.
    Quoted {
        /// Where what follows the brace begins.
        end: usize,
    },
}

impl<'t> Mender<'t> {
    /// Commas, semicolons, colons, pipes and ampersands between two attributes, where XML wants a blank. Whether
    /// there were any.
    pub(super) fn stray_separators(&mut self, between: bool) -> bool {
        let rest = self.rest();
        // Blanks that XML does not know as such, as text editors leave them.
        let odd = |c: char| {
            !is_blank(c) && c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')
        };
        if rest.starts_with(odd) {
            let len = rest.len() - rest.trim_start_matches(|c| odd(c) || is_blank(c)).len();
            let span = self.at..self.at + len;
            self.edit(&causes::attribute_separator_stray::CAUSE, Grade::Inferred, span, " ");
            self.at += len;
            return true;
        }
        let stray = |c: char| matches!(c, ',' | ';' | ':' | '|' | '&');
        let quote = rest.strip_prefix(['"', '\'']).is_some_and(|after| {
            after.starts_with(|c| is_blank(c) || c == '>') || after.starts_with("/>")
        });
        if between && quote {
            let span = self.at..self.at + 1;
            self.edit(&causes::attribute_separator_stray::CAUSE, Grade::Inferred, span, " ");
            self.at += 1;
            self.skip_blanks();
            return true;
        }
        if !between || !rest.starts_with(stray) {
            return false;
        }
        let len = rest.len() - rest.trim_start_matches(|c| stray(c) || is_blank(c)).len();
        let span = self.at..self.at + len;
        self.edit(&causes::attribute_separator_stray::CAUSE, Grade::Inferred, span, " ");
        self.at += len;
        true
    }

    /// The name of an attribute that stands between quotes; goes behind the first of them.
    pub(super) fn quoted_name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let inner = rest.get(1..)?;
        let name = inner.get(..name_len(inner)).filter(|name| !name.is_empty())?;
        let after = inner.get(name.len()..)?.strip_prefix(quote)?;
        if !after.trim_start_matches(is_blank).starts_with(['=', ':']) {
            return None;
        }
        let cause = &causes::attribute_separator_stray::CAUSE;
        let (open, close) = (self.at..self.at + 1, self.at + 1 + name.len());
        self.edit(cause, Grade::Inferred, open, "");
        self.edit(cause, Grade::Inferred, close..close + 1, "");
        self.at += 1;
        Some(name)
    }

    /// Between name and value: `=`, or what was written for it before a quote (`:`, `==`, `:=`, `=>`); nothing at
    /// all where the element has an attribute of that name.
    pub(super) fn equals_sign(&mut self, element: &str, attribute: &str) -> Option<()> {
        let blanks = self.skip_blanks();
        let rest = self.rest();
        let value = rest.strip_prefix("=>").map_or(rest, str::trim_start);
        let value = value.trim_start_matches(|c| matches!(c, '=' | ':') || is_blank(c));
        let quoted = value.starts_with(['"', '\'']);
        let value = if quoted {
            value
        } else {
            rest.trim_start_matches(|c| matches!(c, '=' | ':') || is_blank(c))
        };
        let len = rest.len() - value.len();
        let sign = rest.get(..len)?.trim_end_matches(is_blank);
        if sign.starts_with('=') && (sign == "=" || !quoted) {
            self.at += 1;
            self.skip_blanks();
            return Some(());
        }
        let signs: String = sign.chars().filter(|&c| !is_blank(c)).collect();
        let known = || {
            let ends = |quote: char| {
                value
                    .get(1..)?
                    .split_once(quote)
                    .map(|(_, after)| ends_value(after) || after.starts_with(is_blank))
            };
            blanks > 0
                && grammar::attributes(element).contains(&attribute)
                && value.chars().next().and_then(ends) == Some(true)
        };
        let meant = match signs.as_str() {
            ":" | "==" | ":=" | "=:" | "=>" => true,
            "" => known(),
            _ => false,
        };
        if !quoted || !meant {
            return None;
        }
        let span = self.at..self.at + sign.len();
        self.edit(&causes::attribute_separator_stray::CAUSE, Grade::Inferred, span, "=");
        self.at += len;
        Some(())
    }

    /// At a brace around a quoted value or a number, as JSX writes them: goes to the quote, and gives where the other
    /// brace stands; behind a number.
    pub(super) fn braces(&mut self) -> Option<Braced> {
        let rest = self.rest();
        let inner = rest.strip_prefix('{')?;
        let len = inner.find('}')?;
        let number = inner.get(..len)?;
        let end = self.at + 1 + len;
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            let cause = &causes::attribute_unquoted::CAUSE;
            self.edit(cause, Grade::Inferred, self.at..self.at + 1, "\"");
            self.edit(cause, Grade::Inferred, end..end + 1, "\"");
            self.at = end + 1;
            return Some(Braced::Number);
        }
        let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let value = inner.get(1..)?.find(quote)?;
        let close = self.at + 1 + 1 + value + 1;
        let after = self.text.get(close..)?.strip_prefix('}')?;
        if !ends_value(after) {
            return None;
        }
        let cause = &causes::attribute_separator_stray::CAUSE;
        self.edit(cause, Grade::Inferred, self.at..self.at + 1, "");
        self.edit(cause, Grade::Inferred, close..close + 1, "");
        self.at += 1;
        Some(Braced::Quoted { end: close + 1 })
    }
}
