//! A well-formed document: grammar, links, size, headers.

use bytes::Bytes;

use super::{Assessor, Verdictless};
use crate::guard::causes::{
    CAUSES, Cause, Check, Level, charset as charset_causes, document as causes, grammar, headers,
};
use crate::guard::charset::is_ascii_compatible;
use crate::guard::doubled::undoubled;
use crate::guard::edit::{self, Edit};
use crate::guard::finding::{Finding, Grade};
use crate::guard::judge::{cookie_findings, status_finding};
use crate::guard::reading::Reading;
use crate::guard::shrink::shrink;
use crate::guard::twiml::{self, Document};
use crate::twilio::limits;

/// Rounds of grammar and links at most: an edit may lay bare what one more check finds.
const MAX_ROUNDS: usize = 4;

/// What the checks of grammar and links came to.
struct Checked {
    /// Repairs, in the order of the text.
    edits: Vec<Edit>,
    /// What is only said, one finding per cause.
    notes: Vec<Finding>,
    /// Whether Twilio refuses the document for something that no repair removes.
    fatal: bool,
}

impl Assessor<'_> {
    /// One well-formed document: grammar, links, size, headers.
    pub(super) fn document(&mut self, mut text: String, mut document: Document) -> Verdictless {
        // The whole root arrived: the framing was wrong, not the document.
        let ends = self.ends().into_iter().map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(ends);
        let status = status_finding(self.answer).map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(status);
        // What an edit lays bare (a verb in its right letter case) is looked at once more.
        let mut fatal = false;
        for round in 0..MAX_ROUNDS {
            let checked = self.check(&text, &document);
            if checked.edits.is_empty() || round + 1 == MAX_ROUNDS {
                self.findings.extend(checked.notes);
                fatal = checked.fatal || !checked.edits.is_empty();
                break;
            }
            self.findings.extend(edit::findings(&text, &checked.edits));
            text = edit::apply(&text, &checked.edits);
            match twiml::read(&text) {
                Ok(again) => document = again,
                // An edit of a name or a URL can't break a document; if one did, nothing leaves.
                Err(_) => return Verdictless::Unfit,
            }
        }
        text = self.undoubled(text);
        if document.root().is_none_or(|root| root.name_in(&text) != "Response") {
            let found = document.root().map_or("", |root| root.name_in(&text)).to_owned();
            self.findings.push(Finding::new(&causes::root_not_response::CAUSE, found));
            return Verdictless::Unfit;
        }
        if text.len() > limits::MAX_TWIML_BYTES {
            let too_large =
                Finding::new(&grammar::twiml_too_large::CAUSE, format!("{} bytes", text.len()));
            let Some(smaller) = smaller(&text) else {
                self.findings.push(too_large);
                return Verdictless::Unfit;
            };
            self.findings.push(too_large.repaired(Grade::Lossless));
            text = self.undoubled(smaller);
        }
        let refused = self
            .findings
            .iter()
            .filter_map(|finding| finding.repair)
            .any(|grade| !self.policy.repairs.accepts(grade));
        if fatal || refused {
            return Verdictless::Unfit;
        }
        let retyped = self.content_type_finding(&text);
        self.findings.extend(retyped);
        let cookies = self.refuses_cookies();
        let untouched = !cookies
            && self.answer.status.as_u16() == 200
            && self.findings.iter().all(|finding| finding.repair.is_none())
            && text.as_bytes() == self.answer.body;
        if untouched { Verdictless::Accepted } else { Verdictless::Document(Bytes::from(text)) }
    }

    /// The text as it was before it was encoded once too often, if that is certain and it is still
    /// well-formed then; otherwise as it is, for Twilio takes it.
    fn undoubled(&mut self, text: String) -> String {
        if !self.policy.repairs.accepts(Grade::Inferred) {
            return text;
        }
        match undoubled(&text).filter(|once| twiml::read(once).is_ok()) {
            Some(once) => {
                let at = text.bytes().position(|b| !b.is_ascii()).unwrap_or_default();
                let seen: String = text.get(at..).unwrap_or_default().chars().take(40).collect();
                let finding = Finding::new(&charset_causes::charset_doubled::CAUSE, seen);
                self.findings.push(finding.at(text.as_bytes(), at).repaired(Grade::Inferred));
                once
            }
            None => text,
        }
    }

    /// Grammar, links and declaration: what can be mended, what is merely noted, what is fatal.
    fn check(&self, text: &str, document: &Document) -> Checked {
        let mut checked = Checked {
            edits: untrue_version(text, document)
                .into_iter()
                .chain(untrue_declaration(text, document))
                .collect(),
            notes: Vec::new(),
            fatal: false,
        };
        let own_hosts = self.policy.hosts_seen_by(&self.exchange.request);
        let base = self.policy.asked_url(&self.exchange.request);
        let reading = Reading {
            text,
            document,
            slot: self.exchange.slot,
            own_hosts: &own_hosts,
            is_public: self.policy.public_origin.is_some(),
            base: base.as_deref(),
        };
        for &cause in CAUSES {
            let Check::Grammar(find) = cause.check else { continue };
            for found in find(&reading) {
                match found.mend {
                    Some((grade, span, with)) if self.policy.repairs.accepts(grade) => {
                        let evidence = found.evidence;
                        checked.edits.push(Edit { cause, grade, span, with, evidence });
                    }
                    mend => {
                        checked.fatal |= cause.level == Level::Fault && mend.is_none();
                        if !checked.notes.iter().any(|finding| finding.is(cause)) {
                            let note = Finding::new(cause, found.evidence);
                            checked.notes.push(note.at(text.as_bytes(), found.offset));
                        }
                    }
                }
            }
        }
        checked.edits.sort_by_key(|edit| edit.span.start);
        checked
    }

    fn content_type_finding(&self, text: &str) -> Option<Finding> {
        let ascii = text.is_ascii();
        // A label that named the encoding in use was true before the body was encoded anew.
        let transcoded = self
            .findings
            .iter()
            .any(|finding| finding.is(&charset_causes::charset_not_utf8::CAUSE));
        let fires = |cause: &&'static Cause| {
            matches!(cause.check, Check::Type(find) if find(&self.content_type, ascii))
                && !(transcoded && cause.is(&headers::charset_label_untrue::CAUSE))
        };
        let cause = CAUSES.iter().copied().find(fires)?;
        Some(Finding::new(cause, self.content_type.shown()).repaired(Grade::Lossless))
    }

    /// Notes cookies that Twilio refuses; they are mended or dropped on delivery.
    pub(super) fn refuses_cookies(&mut self) -> bool {
        let refused = cookie_findings(self.answer);
        let any = !refused.is_empty();
        self.findings.extend(refused);
        any
    }
}

/// The document without comments and indentation, if that makes it small enough.
fn smaller(text: &str) -> Option<String> {
    let document = twiml::read(text).ok()?;
    let edits = shrink(text, &document);
    let dropped: usize = edits.iter().map(|edit| edit.span.len()).sum();
    if text.len().saturating_sub(dropped) > limits::MAX_TWIML_BYTES {
        return None;
    }
    let smaller = edit::apply(text, &edits);
    (smaller.len() <= limits::MAX_TWIML_BYTES && twiml::read(&smaller).is_ok()).then_some(smaller)
}

/// Version 1.1 wants control characters escaped that 1.0 takes as they are; and Xerces, reading by
/// it, loses the end of a CDATA section behind brackets and that of an instruction at the edge of
/// its buffer. Such a document is version 1.0; a plain one is left alone.
fn untrue_version(text: &str, document: &Document) -> Option<Edit> {
    let span = document.declaration.as_ref()?.version.clone();
    if text.get(span.clone())? != "1.1" {
        return None;
    }
    let restricted = |c: char| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}');
    let rest = text.get(span.end..).unwrap_or_default();
    let stumbles = rest.contains("<!") || rest.contains("<?") || text.contains(restricted);
    stumbles.then(|| Edit {
        cause: &causes::declaration_untrue::CAUSE,
        grade: Grade::Lossless,
        span,
        with: "1.0".to_owned(),
        evidence: "version=\"1.1\"".to_owned(),
    })
}

/// A declaration must name the encoding that leaves: UTF-8, or for pure ASCII one like it.
fn untrue_declaration(text: &str, document: &Document) -> Option<Edit> {
    let span = document.declaration.as_ref()?.encoding.clone()?;
    let label = text.get(span.clone())?;
    let truthful =
        label.eq_ignore_ascii_case("utf-8") || (text.is_ascii() && is_ascii_compatible(label));
    (!truthful).then(|| Edit {
        cause: &causes::declaration_untrue::CAUSE,
        grade: Grade::Lossless,
        span,
        with: "UTF-8".to_owned(),
        evidence: format!("encoding=\"{label}\""),
    })
}
