//! Attribute values whose quotes were lost, mixed up or escaped.

use std::ops::Range;

use super::Mender;
use crate::guard::causes::document as causes;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::{is_blank, name_len};
use crate::guard::twiml::{self, grammar};

/// What a wrapping makes of a quote.
const ESCAPED: [&str; 11] =
    ["\\\\\"", "\\\"", "\\'", "&quot;", "&#34;", "&apos;", "&#39;", "&#039;", "\"\"", "''", "%22"];

/// What an editor of texts makes of a quote, escaped; it begins and ends with different ones.
const ORNAMENTS: [&str; 14] = [
    "&#8220;", "&#8221;", "&#8222;", "&#8243;", "&#8216;", "&#8217;", "&ldquo;", "&rdquo;",
    "&bdquo;", "&lsquo;", "&rsquo;", "&laquo;", "&raquo;", "&Prime;",
];

/// A value that lost a quote is not longer than this.
const MAX_VALUE: usize = 100;

/// A URL that lost a quote is not longer than this.
const MAX_URL: usize = 500;

/// How the quote that ends a value is to be set.
pub(super) struct Broken {
    /// The value.
    pub(super) value: Range<usize>,
    /// What stands where the quote belongs: the other quote, or nothing.
    pub(super) close: Range<usize>,
}

impl Mender<'_> {
    /// A value between quotes that a wrapping escaped; the same escape begins and ends it.
    pub(super) fn escaped_quotes(&mut self, rest: &str) -> Option<()> {
        let begins = |quote: &&str| rest.starts_with(*quote);
        let ornament = ORNAMENTS.iter().copied().find(begins);
        let quote = ornament.or_else(|| ESCAPED.iter().copied().find(begins))?;
        let inner = rest.get(quote.len()..)?;
        let tag = inner.get(..inner.find(['>', '<']).unwrap_or(inner.len()))?;
        let ends: &[&str] = if ornament.is_some() { &ORNAMENTS } else { &[quote] };
        let (len, end_quote) =
            ends.iter().filter_map(|end| Some((tag.find(end)?, *end))).min_by_key(|(at, _)| *at)?;
        let value = inner.get(..len)?;
        let after = inner.get(len + end_quote.len()..)?;
        // `a="" b=""` are two empty values.
        let empty = value.is_empty() || value.starts_with(is_blank) || value.ends_with('=');
        if value.contains(['"', '\\'])
            || matches!(quote, "\"\"" | "''") && empty
            || !ends_value(after)
        {
            return None;
        }
        let start = self.at + quote.len();
        let end = start + len;
        let cause = &causes::attribute_quote_escaped::CAUSE;
        self.edit(cause, Grade::Inferred, self.at..start, "\"");
        self.inside(start..end)?;
        self.edit(cause, Grade::Inferred, end..end + end_quote.len(), "\"");
        self.at = end + end_quote.len();
        Some(())
    }

    /// The same escapes in the declaration. Whether it is one then.
    pub(super) fn declaration(&mut self, declaration: &str) -> bool {
        let is_one = |text: &str| twiml::read(&format!("{text}<Response/>")).is_ok();
        if is_one(declaration) {
            return true;
        }
        let Some(quote) = ESCAPED.into_iter().find(|quote| declaration.contains(quote)) else {
            return false;
        };
        if !is_one(&declaration.replace(quote, "\"")) {
            return false;
        }
        for (at, _) in declaration.match_indices(quote) {
            let span = self.at + at..self.at + at + quote.len();
            let cause = &causes::attribute_quote_escaped::CAUSE;
            self.edit(cause, Grade::Inferred, span, "\"");
        }
        true
    }

    /// At the opening quote of a value of `element`: the one place where its end belongs, if the
    /// next quote of the kind is not its end.
    pub(super) fn broken_quote(&self, element: &str) -> Option<Broken> {
        let rest = self.rest();
        let quote = rest.chars().next()?;
        let other = if quote == '"' { '\'' } else { '"' };
        let inner = rest.get(1..)?;
        let close = inner.find(quote);
        let content = inner.get(..close.unwrap_or(inner.len()))?;
        let before_tag = content.find(['<', '>']).and_then(|at| content.get(..at));
        let swallowed = before_tag.is_some()
            && (close.is_none()
                || content.contains("</")
                || content.contains("/>") && content.contains('<'));
        let after = close.and_then(|at| inner.get(at + 1..)).unwrap_or_default();
        let next = next_attribute(content, element).filter(|_| !ends_value(after));
        let start = self.at + 1;
        // `"alice'` followed by what follows a value.
        let mixed = content.char_indices().find(|&(_, c)| c == other || super::tag::is_curly(c));
        let mixed = mixed.and_then(|(at, c)| {
            let (value, behind) = (content.get(..at)?, content.get(at + c.len_utf8()..)?);
            let close = start + at..start + at + c.len_utf8();
            let ends = ends_value(behind) || begins_attribute(behind, element);
            (ends && is_value(value, element))
                .then_some((Broken { value: start..start + at, close }, behind))
        });
        let glued = mixed
            .as_ref()
            .is_some_and(|(_, behind)| begins_attribute(behind, element) && !ends_value(after));
        let ends_tag = mixed.as_ref().is_some_and(|(_, behind)| {
            behind.trim_start_matches(['/', ' ']).starts_with('>') && !ends_value(after)
        });
        let mixed = mixed.map(|(broken, _)| broken);
        if !swallowed && next.is_none() && close.is_some() && !ends_tag && !glued {
            return None;
        }
        if let Some(mixed) = mixed {
            return Some(mixed);
        }
        let end = match (before_tag.filter(|_| swallowed), next) {
            (None, Some(next)) => next,
            (Some(before), _) => {
                // `length="2/>` closes itself; in `action="/a/>` the slash could be the URL's.
                let bare = before.strip_suffix('/').unwrap_or(before);
                let closes = content.get(before.len()..)?.starts_with('>');
                if !closes || (bare != before && bare.contains(['/', ':'])) {
                    return None;
                }
                bare.trim_end_matches(is_blank).len()
            }
            (None, None) => return None,
        };
        let value = content.get(..end)?;
        is_value(value, element)
            .then_some(Broken { value: start..start + end, close: start + end..start + end })
    }

    /// A value that has only its closing quote.
    pub(super) fn opening_quote_missing(&mut self, rest: &str) -> Option<()> {
        let len = rest.find(['"', '\''])?;
        let value = rest.get(..len)?;
        if !is_value(value, "") || value.contains(is_blank) || !ends_value(rest.get(len + 1..)?) {
            return None;
        }
        let cause = &causes::attribute_quote_missing::CAUSE;
        let start = self.at;
        self.edit(cause, Grade::Inferred, start..start, rest.get(len..=len)?);
        self.inside(start..start + len)?;
        self.at = start + len + 1;
        Some(())
    }
}

/// Where a value ends before the next attribute, if `content` is a value, a blank, and then
/// `name=` with a name that the element has.
fn next_attribute(content: &str, element: &str) -> Option<usize> {
    let before = content.trim_end_matches(is_blank).strip_suffix('=')?.trim_end_matches(is_blank);
    let at = before.rfind(is_blank)? + 1;
    let known = grammar::attributes(element).contains(&before.get(at..)?);
    known.then(|| before.get(..at).unwrap_or_default().trim_end_matches(is_blank).len())
}

/// Whether what follows a value's closing quote is what may follow one.
pub(super) fn ends_value(after: &str) -> bool {
    let at_end = |rest: &str| rest.starts_with('>') || rest.starts_with("/>");
    let trimmed = after.trim_start_matches(is_blank);
    at_end(trimmed)
        || after.starts_with(is_blank)
            && trimmed.get(name_len(trimmed)..).is_some_and(|rest| {
                name_len(trimmed) > 0 && rest.trim_start_matches(is_blank).starts_with('=')
            })
}

/// Whether a text begins with an attribute that the element has, and its `=`.
fn begins_attribute(text: &str, element: &str) -> bool {
    let name = text.get(..name_len(text)).unwrap_or_default();
    grammar::attributes(element).contains(&name)
        && text.get(name.len()..).is_some_and(|rest| rest.starts_with('='))
}

/// Whether a text can be nothing but one value: a short one, or a URL with a query.
fn is_value(value: &str, element: &str) -> bool {
    let foreign = |c: char| {
        c.is_whitespace()
            || matches!(c, '<' | '>' | '"' | '\'' | '`' | '\\')
            || super::tag::is_curly(c)
    };
    let url = value.len() <= MAX_URL
        && (value.starts_with('/') || value.contains("://"))
        && !value.contains(foreign);
    url || is_short_value(value, element)
}

/// Whether a text can be nothing but one value: short, without marks of a tag or a query, and
/// none of its words is an attribute of the element.
fn is_short_value(value: &str, element: &str) -> bool {
    let known = grammar::attributes(element);
    !value.trim().is_empty()
        && value.len() <= MAX_VALUE
        && !value.contains(['=', '<', '>', '"', '\'', '&', '`', '\\', '\n', '\r'])
        && !value.contains(super::tag::is_curly)
        && !value.split_whitespace().any(|word| known.contains(&word))
}
