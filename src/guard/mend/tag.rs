//! Start tags with attributes as people write them by hand.

use std::ops::Range;

use super::Mender;
use super::signs::Braced;
use crate::guard::causes::document as causes;
use crate::guard::finding::Grade;
use crate::guard::twiml::chars::{is_blank, name_len};

impl Mender<'_> {
    /// At a `<` that opens a tag; ends behind its `>`.
    pub(super) fn start_tag(&mut self) -> Option<()> {
        let rest = self.rest();
        let inner = rest.get(1..)?;
        let name = inner.get(..name_len(inner))?;
        if !self.nesting_is_sensible(name) {
            return None;
        }
        self.at += 1 + name.len();
        let mut seen: Vec<(&str, &str)> = Vec::new();
        loop {
            let from = self.at;
            let blanks = self.skip_blanks() + usize::from(self.stray_separators(!seen.is_empty()));
            let rest = self.rest();
            if rest.starts_with("/>") {
                self.at += 2;
                self.self_closed = Some((name, self.at));
                return Some(());
            }
            if rest.starts_with("\\>") {
                let at = self.at;
                self.edit(&causes::end_tag_misspelt::CAUSE, Grade::Inferred, at..at + 1, "/");
                self.at += 2;
                self.self_closed = Some((name, self.at));
                return Some(());
            }
            if self.blank_in_self_closing(rest).is_some() {
                self.self_closed = Some((name, self.at));
                return Some(());
            }
            if rest.starts_with('>') {
                if self.holds_nothing(name) {
                    let at = self.at;
                    self.edit(&causes::end_tag_missing::CAUSE, Grade::Inferred, at..at, "/");
                    self.at += 1;
                    self.self_closed = Some((name, self.at));
                    return Some(());
                }
                self.at += 1;
                self.open.push(name);
                return Some(());
            }
            let edits = self.edits.len();
            let quoted = self.quoted_name();
            let attribute = match quoted {
                Some(name) => name,
                None => rest.get(..name_len(rest))?.trim_end_matches(':'),
            };
            if attribute.is_empty() {
                return None;
            }
            if seen.len() >= 200 {
                return None;
            }
            if blanks == 0 {
                let at = self.at - usize::from(quoted.is_some());
                self.edit(&causes::attribute_blank_missing::CAUSE, Grade::Lossless, at..at, " ");
            }
            self.at += attribute.len() + usize::from(quoted.is_some());
            self.equals_sign(name, attribute)?;
            let start = self.at;
            self.value(name)?;
            let value = self
                .text
                .get(start..self.at)?
                .trim_matches(|c| matches!(c, '"' | '\'') || is_curly(c));
            match seen.iter().find(|(other, _)| *other == attribute) {
                // What it names is for validators, and a prefix that nobody declared has no meaning.
                None if attribute.starts_with("xsi:") && !self.text.contains("xmlns:xsi") => {
                    self.edits.truncate(edits);
                    self.edit(&causes::name_prefixed::CAUSE, Grade::Inferred, from..self.at, "");
                }
                None => seen.push((attribute, value)),
                // Twice the same says it once.
                Some((_, other)) if *other == value => {
                    self.edits.truncate(edits);
                    let span = from..self.at;
                    self.edit(&causes::attribute_doubled::CAUSE, Grade::Lossless, span, "");
                }
                Some(_) => return None,
            }
        }
    }

    pub(super) fn skip_blanks(&mut self) -> usize {
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches(is_blank).len();
        self.at += len;
        len
    }

    fn value(&mut self, element: &str) -> Option<()> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        if (rest.starts_with("\"\"") || rest.starts_with("''"))
            && self.escaped_quotes(rest).is_some()
        {
            return Some(());
        }
        if matches!(first, '"' | '\'')
            && let Some(broken) = self.broken_quote(element)
        {
            self.inside(broken.value)?;
            self.at = broken.close.end;
            let cause = &causes::attribute_quote_missing::CAUSE;
            self.edit(cause, Grade::Inferred, broken.close, first);
            return Some(());
        }
        if matches!(first, '\\' | '&') || rest.starts_with("%22") {
            return self.escaped_quotes(rest);
        }
        if first == '{'
            && let Some(braced) = self.braces()
        {
            if let Braced::Quoted { end } = braced {
                self.value(element)?;
                self.at = end;
            }
            return Some(());
        }
        match first {
            '"' | '\'' => {
                let len = rest.get(1..)?.find(first)?;
                self.inside(self.at + 1..self.at + 1 + len)?;
                self.at += len + 2;
            }
            _ if is_curly(first) => {
                let inner = rest.get(first.len_utf8()..)?;
                let close = inner.find(|c| is_curly(c) || c == '"')?;
                let close_len = inner.get(close..)?.chars().next()?.len_utf8();
                let start = self.at + first.len_utf8();
                let (open, end) = (self.at..start, start + close);
                self.edit(&causes::attribute_curly_quoted::CAUSE, Grade::Lossless, open, "\"");
                self.inside(start..end)?;
                self.edit(
                    &causes::attribute_curly_quoted::CAUSE,
                    Grade::Lossless,
                    end..end + close_len,
                    "\"",
                );
                self.at = end + close_len;
            }
            _ => match self.unquoted(rest) {
                Some(()) => {}
                None => self.opening_quote_missing(rest)?,
            },
        }
        Some(())
    }

    /// A value without quotes ends at a blank or at the tag's end.
    fn unquoted(&mut self, rest: &str) -> Option<()> {
        let mut len = rest.find(|c| is_blank(c) || c == '>')?;
        let value = rest.get(..len)?;
        if value.ends_with('/') && rest.get(len..)?.starts_with('>') {
            // `loop=2/>` closes itself; in `action=/a/>` the slash could be the URL's.
            if value.trim_end_matches('/').contains(['/', ':']) {
                return None;
            }
            len -= 1;
        }
        let value = rest.get(..len)?;
        let foreign = |c: char| matches!(c, '"' | '\'' | '<' | '`') || is_curly(c);
        // `=` belongs into a query, nowhere else.
        if value.is_empty()
            || value.contains(foreign)
            || (value.contains('=') && !value.contains('?'))
        {
            return None;
        }
        let span = self.at..self.at + len;
        self.edit(
            &causes::attribute_unquoted::CAUSE,
            Grade::Lossless,
            span.start..span.start,
            "\"",
        );
        self.inside(span.clone())?;
        self.edit(&causes::attribute_unquoted::CAUSE, Grade::Lossless, span.end..span.end, "\"");
        self.at = span.end;
        Some(())
    }

    /// Escapes what stands unescaped inside a value. A value that swallowed a tag lost its quote:
    /// there is no saying where.
    pub(super) fn inside(&mut self, span: Range<usize>) -> Option<()> {
        let content = self.text.get(span.clone())?;
        if content.contains("=\"") && content.contains(['<', '>'])
            || content.contains("</")
            || content.contains("/>")
        {
            return None;
        }
        let before = self.at;
        self.control_characters(span.clone())?;
        for (at, c) in content.char_indices().filter(|&(_, c)| matches!(c, '&' | '<')) {
            let at = span.start + at;
            if c == '&' {
                self.at = at;
                self.ampersand()?;
            } else if super::is_template(content.get(at - span.start..)?) {
                return None;
            } else {
                self.edit(&causes::bare_less_than::CAUSE, Grade::Inferred, at..at + 1, "&lt;");
            }
        }
        self.at = before;
        Some(())
    }
}

pub(super) fn is_curly(c: char) -> bool {
    matches!(
        c,
        '\u{201c}'
            | '\u{201d}'
            | '\u{201e}'
            | '\u{201f}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{ab}'
            | '\u{bb}'
            | '\u{2033}'
            | '`'
    )
}
