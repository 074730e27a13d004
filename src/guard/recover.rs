//! From a body's text to one well-formed document, if there is one to be had.

use super::causes::{charset, document as causes};
use super::edit::{self, Edit};
use super::finding::{Finding, Grade};
use super::locate::{Located, Place, locate};
use super::mend::{Ending, cut_in_root_end, mend};
use super::pages::visible_text;
use super::root::{nested, respelt};
use super::rootless::{behind_notices, within_root, without_root};
use super::twiml::chars::is_blank;
use super::twiml::grammar;
use super::twiml::{self, Document, XmlFault};
use super::unwrap::{Unwrapped, unwrap, unwrap_behind_lines};

/// What the text of a body came to.
#[derive(Debug)]
pub enum Recovered {
    /// One document with root `Response`, and the repairs that made it so.
    Document {
        /// Its text; the body's own text where nothing had to be repaired.
        text: String,
        /// The document over `text`.
        document: Document,
        /// What was repaired.
        findings: Vec<Finding>,
    },
    /// No document to deliver.
    Nothing(Nothing),
}

/// Why there is no document.
#[derive(Debug)]
pub struct Nothing {
    /// What the strict reader stumbled over.
    pub fault: XmlFault,
    /// How many roots there are.
    pub roots: usize,
    /// Why the one document is a quotation.
    pub quoted: Option<String>,
    /// Why the one document counts as cut off.
    pub truncated: Option<String>,
    /// The root's name, where the text is well-formed.
    pub root: Option<String>,
}

/// What is known of the answer around the text.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Whether all of the body arrived, for certain.
    pub ending: Ending,
    /// Whether only a body that is the document as a whole counts (an error status).
    pub whole_only: bool,
    /// How many wrappings may still be taken off.
    pub wrappings: u8,
}

/// Looks for the one document of a body.
pub fn recover(text: &str, circumstances: Circumstances) -> Recovered {
    let (root, fault) = match twiml::read(text) {
        Ok(document) => {
            let root =
                document.root().map(|root| root.name_in(text).to_owned()).unwrap_or_default();
            if is_meant(&document, text) && document.doctype.is_none() {
                let holds_more = document.elements.len() > 2;
                let doubled = !circumstances.whole_only && holds_more && nested(text).is_some();
                if doubled && let Some(recovered) = respelt(text, circumstances) {
                    return recovered;
                }
                if let Some(recovered) = within_root(text, &document, circumstances) {
                    return recovered;
                }
                return Recovered::Document {
                    text: text.to_owned(),
                    document,
                    findings: Vec::new(),
                };
            }
            if is_meant(&document, text) {
                let offset = document.doctype.map_or(0, |span| span.start);
                (None, XmlFault::new(offset, "a DOCTYPE stands before the document".to_owned()))
            } else {
                let message = format!("expected root `Response`, found `{root}`");
                (Some(root), XmlFault::new(0, message))
            }
        }
        Err(fault) => (None, fault),
    };
    let mut nothing = Nothing { fault, roots: 1, quoted: None, truncated: None, root };
    if !circumstances.whole_only
        && circumstances.wrappings > 0
        && let Some(unwrapped) = unwrap(text).or_else(|| unwrap_behind_lines(text))
    {
        let inside = Circumstances { wrappings: circumstances.wrappings - 1, ..circumstances };
        return taken_out(recover(&unwrapped.inner, inside), &unwrapped, text, nothing);
    }
    if !circumstances.whole_only
        && let Some(recovered) = respelt(text, circumstances)
    {
        return recovered;
    }
    if speaks_in_json(text) {
        nothing.quoted = Some("inside JSON".to_owned());
        return Recovered::Nothing(nothing);
    }
    let place = match locate(text) {
        Located::Nowhere => {
            let rootless = without_root(text, circumstances);
            if let Some(recovered) = rootless.or_else(|| behind_notices(text, circumstances)) {
                return recovered;
            }
            nothing.roots = 0;
            return Recovered::Nothing(nothing);
        }
        Located::Several(roots) => {
            nothing.roots = roots;
            return Recovered::Nothing(nothing);
        }
        Located::Quoted(why) => {
            nothing.quoted = Some(why);
            return Recovered::Nothing(nothing);
        }
        Located::One(place) => place,
    };
    let mut findings = match around(text, &place) {
        Some(visible) if circumstances.whole_only && visible => {
            nothing.quoted =
                Some("beside other text, where only a document alone counts".to_owned());
            return Recovered::Nothing(nothing);
        }
        _ => around_findings(text, &place),
    };
    let slice = text.get(place.document.clone()).unwrap_or_default();
    let (mended, edits) = match mended(slice, &place, circumstances) {
        Ok(mended) => mended,
        Err(truncated) => {
            nothing.truncated = truncated;
            return Recovered::Nothing(nothing);
        }
    };
    if circumstances.whole_only && !edits.is_empty() {
        return Recovered::Nothing(nothing);
    }
    match twiml::read(&mended) {
        Ok(document) if document.doctype.is_none() && is_meant(&document, &mended) => {
            findings.extend(
                edit::findings(slice, &edits)
                    .into_iter()
                    .map(|finding| shifted(finding, text, place.document.start)),
            );
            Recovered::Document { text: mended, document, findings }
        }
        _ => Recovered::Nothing(nothing),
    }
}

/// Whether a document is TwiML: its root is `Response`. In another letter case it is only where
/// every verb is TwiML's too (others have `<response>` documents of their own); names are mended
/// with those of the verbs.
fn is_meant(document: &Document, text: &str) -> bool {
    let Some(root) = document.root().map(|root| root.name_in(text)) else { return false };
    if root == "Response" {
        return true;
    }
    let mut verbs =
        document.verbs().map(|verb| grammar::ignoring_case(verb.name_in(text))).peekable();
    let empty = verbs.peek().is_none()
        && document.root().is_some_and(|root| root.texts.is_empty() && root.attributes.is_empty());
    root.eq_ignore_ascii_case("Response")
        && (empty || verbs.peek().is_some())
        && verbs.all(|rule| rule.is_some_and(|rule| grammar::allows("Response", rule.name)))
}

/// Whether a text is JSON that carries TwiML somewhere: that is somebody's data.
fn speaks_in_json(text: &str) -> bool {
    let text = text.trim();
    text.to_ascii_lowercase().contains("<response")
        && text.starts_with(['{', '[', '"'])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn taken_out(inner: Recovered, unwrapped: &Unwrapped, text: &str, nothing: Nothing) -> Recovered {
    match inner {
        Recovered::Document { findings, .. } if unwrapped.alone && has_words_beside(&findings) => {
            let quoted = Some("beside words in a field of JSON".to_owned());
            Recovered::Nothing(Nothing { quoted, ..nothing })
        }
        Recovered::Document { text: document_text, document, findings } => {
            let wrapped = Finding::new(unwrapped.cause, unwrapped.evidence.clone())
                .at(text.as_bytes(), 0)
                .repaired(Grade::Inferred);
            // Places inside the wrapping are none of the body's.
            let inner = findings.into_iter().map(|finding| Finding { place: None, ..finding });
            let findings = std::iter::once(wrapped).chain(inner).collect();
            Recovered::Document { text: document_text, document, findings }
        }
        Recovered::Nothing(inner) => {
            let quoted = inner.quoted.or(nothing.quoted);
            Recovered::Nothing(Nothing { truncated: inner.truncated, quoted, ..nothing })
        }
    }
}

/// Whether words stood beside a document.
pub fn has_words_beside(findings: &[Finding]) -> bool {
    findings
        .iter()
        .filter(|finding| {
            finding.is(&causes::text_before::CAUSE) || finding.is(&causes::text_after::CAUSE)
        })
        .any(|finding| visible_text(&finding.evidence).contains(char::is_alphabetic))
}

/// Mends the located slice; `Err` says why it counts as cut off, if it does.
fn mended(
    slice: &str,
    place: &Place,
    circumstances: Circumstances,
) -> Result<(String, Vec<Edit>), Option<String>> {
    let truncated = || Some(format!("the body ends with `{}`", tail(slice)));
    if !place.closed {
        if let Some(completion) = cut_in_root_end(slice) {
            let completed = edit::apply(slice, std::slice::from_ref(&completion));
            // Everything before the cut must be closed already: mending may not close it too.
            let inner = mend(&completed, Ending::Unsure).ok_or_else(truncated)?;
            if inner.iter().any(|edit| edit.cause.is(completion.cause)) {
                return Err(truncated());
            }
            let text = edit::apply(&completed, &inner);
            return Ok((text, inner.into_iter().chain([completion]).collect()));
        }
        if circumstances.ending == Ending::Unsure || !slice.trim_end().ends_with('>') {
            return Err(truncated());
        }
    }
    let edits = mend(slice, circumstances.ending).ok_or(None)?;
    Ok((edit::apply(slice, &edits), edits))
}

/// Whether anything visible stands around the document; `None` when nothing does at all.
fn around(text: &str, place: &Place) -> Option<bool> {
    let before = text.get(..place.document.start).unwrap_or_default();
    let after = text.get(place.document.end..).unwrap_or_default();
    let visible = |part: &str| part.chars().any(|c| !is_invisible(c));
    (!before.is_empty() || !after.is_empty()).then(|| visible(before) || visible(after))
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{202a}'..='\u{202e}' | '\u{ad}')
}

fn around_findings(text: &str, place: &Place) -> Vec<Finding> {
    let before = text.get(..place.document.start).unwrap_or_default();
    let after = text.get(place.document.end..).unwrap_or_default();
    let mut findings = Vec::new();
    let grade =
        |part: &str| if part.chars().all(is_invisible) { Grade::Lossless } else { Grade::Inferred };
    let shown = |part: &str| part.chars().take(120).collect::<String>();
    if place.wrapped {
        findings.push(
            Finding::new(&causes::wrapped_in_page::CAUSE, shown(before))
                .at(text.as_bytes(), 0)
                .repaired(Grade::Inferred),
        );
        return findings;
    }
    if !before.is_empty() && before.chars().all(|c| c == '\u{feff}') {
        findings.push(
            Finding::new(&charset::byte_order_mark::CAUSE, shown(before))
                .at(text.as_bytes(), 0)
                .repaired(Grade::Lossless),
        );
    } else if !before.is_empty() {
        findings.push(
            Finding::new(&causes::text_before::CAUSE, shown(before))
                .at(text.as_bytes(), 0)
                .repaired(grade(before)),
        );
    }
    if after.chars().any(|c| !is_blank(c)) {
        findings.push(
            Finding::new(&causes::text_after::CAUSE, shown(after))
                .at(text.as_bytes(), place.document.end)
                .repaired(grade(after)),
        );
    }
    findings
}

pub fn shifted(mut finding: Finding, text: &str, by: usize) -> Finding {
    if let Some(place) = finding.place {
        finding = finding.at(text.as_bytes(), place.offset + by);
    }
    finding
}

fn tail(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(40);
    text.chars().skip(skip).collect()
}
