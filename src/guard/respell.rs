//! The root's own tags where they are misspelt, lost their first character or hold blanks.

use super::causes::document as causes;
use super::edit::{self, Edit};
use super::finding::{Finding, Grade};
use super::mend::is_nearly;
use super::recover::{Circumstances, Recovered, recover};
use super::twiml::chars::{is_blank, name_len};
use super::twiml::{Document, grammar};

/// A document whose root's own tags are misspelt or torn, and which holds nothing but verbs.
pub fn respelt(text: &str, circumstances: Circumstances) -> Option<Recovered> {
    let edits = respell(text)?;
    let named = edit::apply(text, &edits);
    let inside = Circumstances { wrappings: 0, ..circumstances };
    let Recovered::Document { text: inner, document, findings } = recover(&named, inside) else {
        return None;
    };
    if !holds_verbs_only(&document, &inner) {
        return None;
    }
    let inner_findings = findings.into_iter().map(|finding| Finding { place: None, ..finding });
    let findings = edit::findings(text, &edits).into_iter().chain(inner_findings).collect();
    Some(Recovered::Document { text: inner, document, findings })
}

/// The edits that give a text its root `Response`, if the text begins and ends with what can only
/// be meant as that root's tags. Whether it holds TwiML is to be seen afterwards.
fn respell(text: &str) -> Option<Vec<Edit>> {
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
        .starts_with(|c| is_blank(c) || c == '>' && (inner.is_some() || name == "Response"));
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

/// `Response`, or a slip of it that is no name of TwiML. Words made from it are others.
fn is_root(name: &str) -> bool {
    name == "Response"
        || !name.eq_ignore_ascii_case("Response")
            && !name.starts_with("Response")
            && grammar::ignoring_case(name).is_none()
            && is_nearly(name, "Response")
}

/// Whether a document has verbs, and all of them may stand below `Response`.
fn holds_verbs_only(document: &Document, text: &str) -> bool {
    let mut verbs = document.verbs().peekable();
    verbs.peek().is_some()
        && verbs.all(|verb| grammar::allows("Response", verb.name_in(text)))
        && document.root().is_some_and(|root| {
            root.texts
                .iter()
                .all(|span| text.get(span.clone()).is_some_and(|t| t.trim().is_empty()))
        })
}
