//! Assessing one answer for a slot that takes TwiML: coding, charset, document, grammar, headers.

mod action;
mod document;
mod foreign;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::guard::causes::{
    charset as charset_causes, coding as coding_causes, document as causes, transport,
};
use crate::guard::charset::{self};
use crate::guard::chunks::unchunked;
use crate::guard::coding::{self, CodingError};
use crate::guard::exchange::{Answer, BodyEnd, Exchange};
use crate::guard::finding::{Finding, Grade};
use crate::guard::fit::fit_within;
use crate::guard::handed::Spans;
use crate::guard::judge::{body_findings, status_finding};
use crate::guard::media::ContentType;
use crate::guard::mend::Ending;
use crate::guard::policy::Policy;
use crate::guard::recover::{Circumstances, Recovered, recover};
use crate::twilio::Slot;

pub(super) use self::action::note_stream;

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
    /// Nothing: Twilio was answered in the backend's place already, and that was right.
    Acknowledged,
    /// The answer as it is, but it was not the first one.
    AcceptedLater,
    /// The answer as it is, but for lines of its head that Twilio refuses.
    Cleaned,
    /// This document, typed as TwiML.
    Document(Bytes),
    /// The same, in which nothing was found at a quick look; where its URLs stand.
    Bared(Bytes, Arc<Spans>),
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

/// How a document is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// By the full reader.
    Full,
    /// The same, unless nothing can be found in it for certain.
    Quick,
}

/// Assesses an answer.
pub fn assess_document(
    exchange: &Exchange,
    answer: &Answer,
    policy: &Policy,
    look: Look,
) -> Assessment {
    let content_type = ContentType::of(&answer.headers);
    let mut assessor = Assessor {
        exchange,
        answer,
        policy,
        content_type,
        findings: Vec::new(),
        decoded: answer.body.clone(),
        chunks: None,
        look,
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
    /// Whether the body holds chunks, and whether the last one is there.
    chunks: Option<bool>,
    look: Look,
}

impl Assessor<'_> {
    fn assess(&mut self) -> Verdictless {
        let success = self.answer.status.is_success();
        if let Some((data, is_whole)) = unchunked(&self.decoded) {
            self.decoded = Bytes::from(data);
            self.chunks = Some(is_whole);
        }
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
        if let Some(bared) = self.bared(&text.text) {
            return bared;
        }
        let whole_only = !success || self.answer.odd.framing_is_lost || self.chunks == Some(false);
        let circumstances = Circumstances { ending: self.ending(), whole_only, wrappings: 3 };
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
            coding::decode(&self.answer.headers, &self.decoded, self.policy.max_decoded_body);
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
        if coding::names_identity(&self.answer.headers) {
            let finding =
                Finding::new(&coding_causes::coding_identity::CAUSE, "Content-Encoding: identity");
            self.findings.push(finding.repaired(Grade::Lossless));
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

    /// What leaves of a text before which nothing but byte order marks stood, if it is fit.
    ///
    /// With this text as its body the answer would be judged untouched. What is still to be done
    /// depends on the text, on what is around the body and on what was found: of these only the
    /// finding of the marks is another, which is repaired, and so nothing else is found here either.
    fn bared(&self, text: &str) -> Option<Verdictless> {
        let is_marked = matches!(self.findings.as_slice(), [only] if only.is(&charset_causes::byte_order_mark::CAUSE));
        if self.look == Look::Full || !is_marked || self.chunks.is_some() {
            return None;
        }
        let spans = fit_within(self.exchange, self.policy, text)?;
        Some(if self.policy.repairs.accepts(Grade::Lossless) {
            Verdictless::Bared(Bytes::from(text.to_owned()), spans)
        } else {
            Verdictless::Unfit
        })
    }

    /// Whether all of the body arrived, for certain: announced by length or chunks, and kept.
    fn ending(&self) -> Ending {
        let framed = self.answer.headers.contains_key(CONTENT_LENGTH)
            || self.answer.headers.contains_key(TRANSFER_ENCODING);
        let is_whole = self.answer.end == BodyEnd::Complete && self.chunks != Some(false);
        if framed && is_whole { Ending::Whole } else { Ending::Unsure }
    }

    /// What is wrong with how the answer was sent.
    fn ends(&self) -> Vec<Finding> {
        let mut findings = body_findings(self.answer);
        let cause = &transport::transfer_coding_invalid::CAUSE;
        if let Some(is_whole) = self.chunks
            && !findings.iter().any(|finding| finding.is(cause))
        {
            let evidence = if is_whole { "chunks in the body" } else { "chunks without end" };
            findings.push(Finding::new(cause, evidence));
        }
        findings
    }

    fn unrepaired_ends(&mut self) {
        self.findings.extend(self.ends());
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
        let mut evidence =
            format!("status {}, {} bytes", self.answer.status.as_u16(), self.answer.body.len());
        if self.exchange.slot == Slot::Action
            && let (_, Some(why)) = action::silence(self.exchange, self.policy)
        {
            evidence = format!("{evidence}; {why}");
        }
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
}

/// Whether an empty answer in this slot means that nothing more is to be said, rather than that a
/// caller is left in silence (design: slots).
pub fn empty_is_enough(exchange: &Exchange, policy: &Policy) -> bool {
    match exchange.slot {
        Slot::Whisper | Slot::Messaging => true,
        Slot::Action => action::silence(exchange, policy).0,
        _ => false,
    }
}
