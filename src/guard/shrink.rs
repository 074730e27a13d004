//! Making a document smaller without a change in what it says.

use super::causes::grammar as causes;
use super::edit::Edit;
use super::finding::Grade;
use super::twiml::chars::is_blank;
use super::twiml::{Document, grammar};

/// Edits that drop comments, and the blanks between elements where no element may hold text.
pub fn shrink(text: &str, document: &Document) -> Vec<Edit> {
    let mut spans = comments(text);
    for element in &document.elements {
        let holds_text = grammar::rule(element.name_in(text)).is_none_or(|rule| rule.text);
        let blank = |span: &std::ops::Range<usize>| {
            text.get(span.clone()).is_some_and(|piece| piece.chars().all(is_blank))
        };
        if !holds_text && element.texts.iter().all(blank) {
            spans.extend(element.texts.iter().filter(|span| !span.is_empty()).cloned());
        }
    }
    spans.push(text.trim_end_matches(is_blank).len()..text.len());
    spans.sort_by_key(|span| span.start);
    let edit = |span: std::ops::Range<usize>| Edit {
        cause: &causes::twiml_too_large::CAUSE,
        grade: Grade::Lossless,
        span,
        with: String::new(),
        evidence: String::new(),
    };
    spans.into_iter().filter(|span| !span.is_empty()).map(edit).collect()
}

/// The comments of a well-formed document: every `<` outside CDATA and instructions is markup.
fn comments(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')).map(|next| at + next) {
        let rest = text.get(start..).unwrap_or_default();
        let behind = |end: &str| rest.find(end).map_or(text.len(), |len| start + len + end.len());
        if rest.starts_with("<!--") {
            at = behind("-->");
            found.push(start..at);
        } else if rest.starts_with("<![CDATA[") {
            at = behind("]]>");
        } else if rest.starts_with("<?") {
            at = behind("?>");
        } else {
            at = start + 1;
        }
    }
    found
}
