//! A well-formed document: grammar, links, size, headers.

use bytes::Bytes;

use super::{Assessor, Verdictless};
use crate::guard::causes::{
    CAUSES, Cause, Check, Level, charset as charset_causes, document as causes, grammar, headers,
};
use crate::guard::charset::is_ascii_compatible;
use crate::guard::deliver;
use crate::guard::edit::{self, Edit};
use crate::guard::finding::{Finding, Grade};
use crate::guard::judge::{body_findings, status_finding};
use crate::guard::reading::Reading;
use crate::guard::twiml::{self, Document};
use crate::twilio::limits;

impl Assessor<'_> {
    /// Hosts that are the guard itself: the configured one, and the one that Twilio asked.
    fn own_hosts(&self) -> Vec<String> {
        let asked = self.exchange.request.host.iter().map(|host| {
            let lower = host.to_ascii_lowercase();
            let bare = lower.strip_suffix(":443").or_else(|| lower.strip_suffix(":80"));
            bare.unwrap_or(&lower).to_owned()
        });
        self.policy.own_hosts.iter().cloned().chain(asked).collect()
    }

    /// One well-formed document: grammar, links, size, headers.
    pub(super) fn document(&mut self, mut text: String, mut document: Document) -> Verdictless {
        // The whole root arrived: the framing was wrong, not the document.
        let ends =
            body_findings(self.answer).into_iter().map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(ends);
        let status = status_finding(self.answer).map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(status);
        let mut edits: Vec<Edit> = untrue_declaration(&text, &document).into_iter().collect();
        let mut fatal = false;
        let own_hosts = self.own_hosts();
        let reading = Reading {
            text: &text,
            document: &document,
            slot: self.exchange.slot,
            own_hosts: &own_hosts,
        };
        for &cause in CAUSES {
            let Check::Grammar(find) = cause.check else { continue };
            for found in find(&reading) {
                match found.mend {
                    Some((grade, span, with)) if self.policy.repairs.accepts(grade) => {
                        edits.push(Edit { cause, grade, span, with, evidence: found.evidence });
                    }
                    mend => {
                        fatal |= cause.level == Level::Fault && mend.is_none();
                        if !self.findings.iter().any(|finding| finding.is(cause)) {
                            self.findings.push(
                                Finding::new(cause, found.evidence)
                                    .at(text.as_bytes(), found.offset),
                            );
                        }
                    }
                }
            }
        }
        if !edits.is_empty() {
            edits.sort_by_key(|edit| edit.span.start);
            self.findings.extend(edit::findings(&text, &edits));
            text = edit::apply(&text, &edits);
            match twiml::read(&text) {
                Ok(again) => document = again,
                // An edit of a URL can't break a document; if one did, nothing of it leaves.
                Err(_) => return Verdictless::Unfit,
            }
        }
        debug_assert!(document.root().is_some());
        if text.len() > limits::MAX_TWIML_BYTES {
            self.findings.push(Finding::new(
                &grammar::twiml_too_large::CAUSE,
                format!("{} bytes", text.len()),
            ));
            return Verdictless::Unfit;
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

    /// Notes cookies that Twilio refuses; they are dropped on delivery.
    pub(super) fn refuses_cookies(&mut self) -> bool {
        let bad = self
            .answer
            .headers
            .get_all(http::header::SET_COOKIE)
            .iter()
            .find(|value| !deliver::is_acceptable_cookie(value));
        let Some(bad) = bad else { return false };
        let name: String = String::from_utf8_lossy(bad.as_bytes())
            .split('=')
            .next()
            .unwrap_or_default()
            .chars()
            .take(40)
            .collect();
        self.findings.push(
            Finding::new(&headers::cookie_refused::CAUSE, format!("cookie `{name}`"))
                .repaired(Grade::Inferred),
        );
        true
    }
}

/// A declaration must name the encoding that leaves: UTF-8, or for pure ASCII one like it.
fn untrue_declaration(text: &str, document: &Document) -> Option<Edit> {
    let span = document.declaration.as_ref()?.encoding.clone()?;
    let label = text.get(span.clone())?;
    let truthful = label.eq_ignore_ascii_case("utf-8")
        || (text.is_ascii() && is_ascii_compatible(label) && !label.eq_ignore_ascii_case("ascii"));
    (!truthful).then(|| Edit {
        cause: &causes::declaration_untrue::CAUSE,
        grade: Grade::Lossless,
        span,
        with: "UTF-8".to_owned(),
        evidence: format!("encoding=\"{label}\""),
    })
}
