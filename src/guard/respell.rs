//! The edits of the root's own tags where they are misspelt, lost their first characters or hold blanks.

use super::causes::document as causes;
use super::edit::Edit;
use super::finding::Grade;
use super::mend::is_nearly;
use super::twiml::chars::{is_blank, name_len};
use super::twiml::grammar;

/// The edits that give a text its root `Response`, if the text begins and ends with what can only
/// be meant as that root's tags. Whether it holds TwiML is to be seen afterwards.
pub fn respell(text: &str) -> Option<Vec<Edit>> {
    let edit = |cause, span: std::ops::Range<usize>, with: &str| {
        let evidence = text.get(span.start..).unwrap_or_default().chars().take(60).collect();
        Edit { cause, grade: Grade::Inferred, span, with: with.to_owned(), evidence }
    };
    let mut edits = Vec::new();
    let mut at = text.len() - text.trim_start_matches(|c| is_blank(c) || c == '\u{feff}').len();
    let rest = text.get(at..)?;
    if rest.starts_with("?xml ") {
        edits.push(edit(&causes::root_misspelt::CAUSE, at..at, "<"));
        at += rest.find("?>")? + 2;
    } else if rest.starts_with("<?xml ") {
        at += rest.find("?>")? + 2;
    }
    let mut rest = text.get(at..)?.trim_start_matches(is_blank);
    while let Some(comment) = rest.strip_prefix("<!--") {
        rest = comment.get(comment.find("-->")? + 3..)?.trim_start_matches(is_blank);
    }
    at = text.len() - rest.len();
    let inner = rest.strip_prefix('<');
    let named = inner.unwrap_or(rest).trim_start_matches(is_blank);
    let name = named.get(..name_len(named))?;
    let start = text.len() - named.len();
    let bounded = named
        .get(name.len()..)?
        .starts_with(|c| is_blank(c) || c == '>' && (inner.is_some() || is_tail(name)));
    if !bounded || !is_root(name) {
        return None;
    }
    match inner {
        None => edits.push(edit(&causes::root_misspelt::CAUSE, at..start, "<")),
        Some(inner) if inner.len() != named.len() => {
            edits.push(edit(&causes::tag_blank_inside::CAUSE, at + 1..start, ""));
        }
        Some(_) => {}
    }
    if name != "Response" {
        edits.push(edit(&causes::root_misspelt::CAUSE, start..start + name.len(), "Response"));
    }
    edits.extend(end_tag(text, name, edit)?);
    (!edits.is_empty()).then_some(edits)
}

/// What the root's end tag needs, at the text's very end; `None` where there is no such tag.
fn end_tag(
    text: &str,
    root: &str,
    edit: impl Fn(&'static super::Cause, std::ops::Range<usize>, &str) -> Edit,
) -> Option<Vec<Edit>> {
    let trimmed = text.trim_end();
    let at = trimmed.rfind('<')?;
    let inner = trimmed.get(at + 1..)?;
    let named = inner.trim_start_matches(is_blank).strip_prefix('/')?.trim_start_matches(is_blank);
    let name = named.get(..name_len(named))?;
    let start = trimmed.len() - named.len();
    if named.get(name.len()..)?.trim_start_matches(is_blank) != ">"
        || name != root && !is_root(name)
    {
        return None;
    }
    let mut edits = Vec::new();
    if start > at + 2 {
        edits.push(edit(&causes::tag_blank_inside::CAUSE, at..start, "</"));
    }
    if name != "Response" {
        let cause = if name == root {
            &causes::root_misspelt::CAUSE
        } else {
            &causes::end_tag_misspelt::CAUSE
        };
        edits.push(edit(cause, start..start + name.len(), "Response"));
    }
    Some(edits)
}

/// `Response`, a slip of it that is no name of TwiML, or a name that stands for it.
fn is_root(name: &str) -> bool {
    name == "Response"
        || !name.eq_ignore_ascii_case("Response")
            && !name.starts_with("Response")
            && grammar::ignoring_case(name).is_none()
            && is_nearly(name, "Response")
        || stands_for_root(name)
}

/// Whether a name is what is left of the root's behind its first characters.
fn is_tail(name: &str) -> bool {
    name.len() > 4 && "Response".ends_with(name)
}

/// Whether a name is one that people give a document of TwiML in place of its root's.
fn stands_for_root(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let told = ["error", "fault", "exception", "rest"].iter().any(|word| lower.contains(word));
    let made = lower.contains("twiml")
        || lower.len() > 8 && (lower.ends_with("response") || lower == "responses");
    !told && (made || matches!(lower.as_str(), "xml" | "root" | "twilio" | "document" | "doc"))
}
