//! Assessing one answer for a slot that takes TwiML: coding, charset, document, grammar, headers.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::causes::{
    CAUSES, Check, Level, charset as charset_causes, coding as coding_causes, document as causes,
    grammar, headers,
};
use super::charset::{self, is_ascii_compatible};
use super::coding::{self, CodingError};
use super::edit::{self, Edit};
use super::exchange::{Answer, BodyEnd, Exchange};
use super::finding::{Finding, Grade};
use super::foreign::Foreign;
use super::judge::{body_findings, status_finding};
use super::media::ContentType;
use super::mend::Ending;
use super::policy::{PlainText, Policy};
use super::reading::Reading;
use super::recover::{Circumstances, Nothing, Recovered, recover};
use super::twiml::{self, Document};
use crate::twilio::{Slot, limits};

/// What an answer came to, before it is known what leaves.
#[derive(Debug)]
pub struct Assessment {
    /// What was found, in the order of the stages.
    pub findings: Vec<Finding>,
    /// What may leave.
    pub outcome: Verdictless,
    /// The body with content coding undone, as far as possible.
    pub decoded: Bytes,
}

/// What may leave of an answer.
#[derive(Debug)]
pub enum Verdictless {
    /// The answer as it is.
    Accepted,
    /// The answer as it is, but it was not the first one.
    AcceptedLater,
    /// This document, typed as TwiML.
    Document(Bytes),
    /// This text, as text/plain in UTF-8.
    Prose(Bytes),
    /// This body under the answer's own type.
    Sound(Bytes),
    /// This TwiML, which lets Twilio sign the target of a redirect itself.
    SignAgain(Bytes),
    /// Nothing: an empty document or the fallback, by slot and call.
    Empty,
    /// Nothing: the fallback.
    Unfit,
}

/// Assesses an answer.
pub fn assess_document(exchange: &Exchange, answer: &Answer, policy: &Policy) -> Assessment {
    let content_type = ContentType::of(&answer.headers);
    let mut assessor = Assessor {
        exchange,
        answer,
        policy,
        content_type,
        findings: Vec::new(),
        decoded: answer.body.clone(),
    };
    let outcome = assessor.assess();
    Assessment { findings: assessor.findings, outcome, decoded: assessor.decoded }
}

struct Assessor<'a> {
    exchange: &'a Exchange,
    answer: &'a Answer,
    policy: &'a Policy,
    content_type: ContentType,
    findings: Vec<Finding>,
    decoded: Bytes,
}

impl Assessor<'_> {
    fn assess(&mut self) -> Verdictless {
        let success = self.answer.status.is_success();
        if let Err(error) = self.undo_codings() {
            self.unrepaired_ends();
            self.findings.push(error);
            return Verdictless::Unfit;
        }
        let decoded = self.decoded.clone();
        if decoded.iter().all(u8::is_ascii_whitespace) {
            return self.empty(success);
        }
        if success && self.content_type.is_audio() && !decoded.trim_ascii_start().starts_with(b"<")
        {
            return self.audio();
        }
        let charset = self.content_type.media().and_then(|media| media.charset.clone());
        let text = match charset::decode(&decoded, charset.as_deref()) {
            Ok(text) => text,
            Err(error) => {
                self.unrepaired_ends();
                self.findings.push(
                    Finding::new(&charset_causes::undecodable::CAUSE, error.to_string())
                        .at(&decoded, error.offset),
                );
                self.findings.extend(status_finding(self.answer));
                return Verdictless::Unfit;
            }
        };
        if text.text.trim().is_empty() {
            return self.empty(success);
        }
        if text.marks > 0 {
            let evidence = "\u{feff}".repeat(text.marks.min(4));
            self.findings.push(
                Finding::new(&charset_causes::byte_order_mark::CAUSE, evidence)
                    .at(&decoded, 0)
                    .repaired(Grade::Lossless),
            );
        }
        if let Some((name, grade)) = text.transcoded {
            self.findings
                .push(Finding::new(&charset_causes::charset_not_utf8::CAUSE, name).repaired(grade));
        }
        let circumstances = Circumstances { ending: self.ending(), whole_only: !success };
        match recover(&text.text, circumstances) {
            Recovered::Document { text, document, findings } => {
                self.findings.extend(findings);
                self.document(text, document)
            }
            Recovered::Nothing(nothing) => self.foreign(&text.text, nothing),
        }
    }

    fn undo_codings(&mut self) -> Result<(), Finding> {
        if self.content_type.is_audio()
            && !self.answer.headers.contains_key(http::header::CONTENT_ENCODING)
        {
            return Ok(());
        }
        let undone =
            coding::decode(&self.answer.headers, &self.answer.body, self.policy.max_decoded_body);
        let decoded = undone.map_err(|error| {
            let cause = match error {
                CodingError::TooLarge { .. } => &coding_causes::coding_bomb::CAUSE,
                CodingError::Corrupt { .. } | CodingError::Unknown { .. } => {
                    &coding_causes::coding_corrupt::CAUSE
                }
            };
            Finding::new(cause, error.to_string())
        })?;
        for layer in &decoded.layers {
            let cause = if layer.declared {
                &coding_causes::coding_unasked::CAUSE
            } else {
                &coding_causes::coding_undeclared::CAUSE
            };
            self.findings.push(Finding::new(cause, layer.coding.name()).repaired(Grade::Lossless));
            if layer.damaged_tail {
                self.findings.push(
                    Finding::new(&coding_causes::coding_tail_damaged::CAUSE, layer.coding.name())
                        .repaired(Grade::Lossless),
                );
            }
        }
        if let Some(label) = decoded.untrue {
            self.findings.push(
                Finding::new(
                    &coding_causes::coding_untrue::CAUSE,
                    format!("Content-Encoding: {label}"),
                )
                .repaired(Grade::Lossless),
            );
        }
        self.decoded = decoded.body;
        Ok(())
    }

    /// Whether all of the body arrived, for certain: announced by length or chunks, and kept.
    fn ending(&self) -> Ending {
        let framed = self.answer.headers.contains_key(CONTENT_LENGTH)
            || self.answer.headers.contains_key(TRANSFER_ENCODING);
        if framed && self.answer.end == BodyEnd::Complete { Ending::Whole } else { Ending::Unsure }
    }

    fn unrepaired_ends(&mut self) {
        self.findings.extend(body_findings(self.answer));
    }

    fn empty(&mut self, success: bool) -> Verdictless {
        self.unrepaired_ends();
        if !success {
            self.findings.extend(status_finding(self.answer));
            return Verdictless::Unfit;
        }
        let cause = if self.answer.status.as_u16() == 204 {
            &causes::no_content::CAUSE
        } else {
            &causes::empty_body::CAUSE
        };
        let evidence =
            format!("status {}, {} bytes", self.answer.status.as_u16(), self.answer.body.len());
        self.findings.push(Finding::new(cause, evidence));
        Verdictless::Empty
    }

    /// Sound: Twilio plays it in a call.
    fn audio(&mut self) -> Verdictless {
        self.unrepaired_ends();
        if !self.findings.iter().all(|finding| finding.repair.is_some()) {
            return Verdictless::Unfit;
        }
        if !self.exchange.slot.is_voice() {
            self.findings
                .push(Finding::new(&causes::audio_unsuited::CAUSE, self.content_type.shown()));
            return Verdictless::Unfit;
        }
        let sound = self.decoded.clone();
        self.unless_as_it_is(Verdictless::Sound(sound))
    }

    /// The answer as it is where nothing had to be undone.
    fn unless_as_it_is(&mut self, otherwise: Verdictless) -> Verdictless {
        if self.findings.iter().all(|finding| finding.repair.is_none()) && !self.refuses_cookies() {
            Verdictless::Accepted
        } else {
            otherwise
        }
    }

    /// A body without a document to deliver: the first cause that fits names it.
    fn foreign(&mut self, text: &str, nothing: Nothing) -> Verdictless {
        let truncated = nothing.truncated.is_some();
        let foreign = Foreign {
            text,
            content_type: &self.content_type,
            headers: &self.answer.headers,
            status: self.answer.status,
            roots: nothing.roots,
            quoted: nothing.quoted,
            truncated: nothing.truncated,
            fault: nothing.fault,
            root: nothing.root,
        };
        let offset =
            if foreign.roots == 1 || foreign.root.is_some() { foreign.fault.offset } else { 0 };
        let named = CAUSES.iter().copied().find_map(|cause| match cause.check {
            Check::Foreign(find) => {
                Some(Finding::new(cause, find(&foreign)?).at(text.as_bytes(), offset))
            }
            _ => None,
        });
        let status =
            status_finding(self.answer).filter(|finding| finding.cause.level == Level::Fault);
        self.unrepaired_ends();
        if status.is_none() && self.is_prose(text, named.as_ref()) {
            return self.prose(text);
        }
        let server_error = self.answer.status.is_server_error();
        let pair = if server_error { [named, status] } else { [status, named] };
        self.findings.extend(pair.into_iter().flatten());
        if truncated && self.answer.status.is_success() {
            Verdictless::Empty
        } else {
            Verdictless::Unfit
        }
    }

    /// Prose is what remains when nothing else fits and the answer says text/plain.
    fn is_prose(&self, text: &str, named: Option<&Finding>) -> bool {
        self.content_type.essence() == "text/plain"
            && self.answer.status.is_success()
            && self.answer.end == BodyEnd::Complete
            && named.is_none_or(|finding| std::ptr::eq(finding.cause, &causes::not_twiml::CAUSE))
            && !text.contains('\0')
            && text.chars().any(char::is_alphabetic)
    }

    fn prose(&mut self, text: &str) -> Verdictless {
        let evidence = super::words::first_line(text);
        self.findings.push(Finding::new(&causes::prose::CAUSE, evidence));
        match self.policy.plain_text {
            PlainText::Pass => {
                self.unless_as_it_is(Verdictless::Prose(Bytes::from(text.to_owned())))
            }
            PlainText::Replace => Verdictless::Unfit,
        }
    }

    /// One well-formed document: grammar, links, size, headers.
    fn document(&mut self, mut text: String, mut document: Document) -> Verdictless {
        // The whole root arrived: the framing was wrong, not the document.
        let ends =
            body_findings(self.answer).into_iter().map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(ends);
        let status = status_finding(self.answer).map(|finding| finding.repaired(Grade::Lossless));
        self.findings.extend(status);
        let mut edits: Vec<Edit> = self.declaration(&text, &document).into_iter().collect();
        let mut fatal = false;
        let reading = Reading {
            text: &text,
            document: &document,
            slot: self.exchange.slot,
            own_hosts: &self.policy.own_hosts,
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
                        if !self.findings.iter().any(|finding| std::ptr::eq(finding.cause, cause)) {
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

    /// A declaration must name the encoding that leaves: UTF-8, or for pure ASCII one like it.
    fn declaration(&self, text: &str, document: &Document) -> Option<Edit> {
        let span = document.declaration.as_ref()?.encoding.clone()?;
        let label = text.get(span.clone())?;
        let truthful = label.eq_ignore_ascii_case("utf-8")
            || (text.is_ascii()
                && is_ascii_compatible(label)
                && !label.eq_ignore_ascii_case("ascii"));
        (!truthful).then(|| Edit {
            cause: &causes::declaration_untrue::CAUSE,
            grade: Grade::Lossless,
            span,
            with: "UTF-8".to_owned(),
            evidence: format!("encoding=\"{label}\""),
        })
    }

    fn content_type_finding(&self, text: &str) -> Option<Finding> {
        let ascii = text.is_ascii();
        // A label that named the encoding in use was true before the body was encoded anew.
        let transcoded = self
            .findings
            .iter()
            .any(|finding| std::ptr::eq(finding.cause, &charset_causes::charset_not_utf8::CAUSE));
        let fires = |cause: &&'static super::Cause| {
            matches!(cause.check, Check::Type(find) if find(&self.content_type, ascii))
                && !(transcoded && std::ptr::eq(*cause, &headers::charset_label_untrue::CAUSE))
        };
        let cause = CAUSES.iter().copied().find(fires)?;
        Some(Finding::new(cause, self.content_type.shown()).repaired(Grade::Lossless))
    }

    /// Notes cookies that Twilio refuses; they are dropped on delivery.
    fn refuses_cookies(&mut self) -> bool {
        let bad = self
            .answer
            .headers
            .get_all(http::header::SET_COOKIE)
            .iter()
            .find(|value| !super::deliver::is_acceptable_cookie(value));
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

/// Whether an empty answer in this slot means that nothing more is to be said, rather than that a
/// caller is left in silence (design: slots).
pub fn empty_is_enough(exchange: &Exchange) -> bool {
    let params = &exchange.request.params;
    match exchange.slot {
        Slot::Whisper | Slot::Messaging => true,
        Slot::Action => {
            crate::twilio::call::is_over(params) || crate::twilio::call::step_is_done(params)
        }
        _ => false,
    }
}
