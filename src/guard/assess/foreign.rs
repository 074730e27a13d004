//! A body without a document to deliver: what it is instead.

use bytes::Bytes;

use super::{Assessor, Verdictless};
use crate::guard::causes::{CAUSES, Check, Level, document as causes};
use crate::guard::exchange::BodyEnd;
use crate::guard::finding::Finding;
use crate::guard::foreign::Foreign;
use crate::guard::judge::status_finding;
use crate::guard::policy::PlainText;
use crate::guard::recover::Nothing;
use crate::guard::words;
use crate::twilio::Slot;

impl Assessor<'_> {
    /// A body without a document to deliver: the first cause that fits names it.
    pub(super) fn foreign(&mut self, text: &str, nothing: Nothing) -> Verdictless {
        let truncated = nothing.truncated.is_some();
        let foreign = Foreign {
            text,
            content_type: &self.content_type,
            headers: &self.answer.headers,
            status: self.answer.status,
            slot: self.exchange.slot,
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
            && !self.answer.odd.is_refused()
            && self.chunks.is_none()
            && named.is_none_or(|finding| finding.is(&causes::not_twiml::CAUSE))
            && !text.contains('\0')
            && !words::is_for_programs(text)
            && self.can_be_said(text)
    }

    /// Whether a text is something to say or to send: words, signs beyond ASCII, or on messaging a
    /// number that is no status.
    fn can_be_said(&self, text: &str) -> bool {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        text.chars().any(|c| c.is_alphabetic() || !c.is_ascii() && !c.is_whitespace())
            || self.exchange.slot == Slot::Messaging && digits > 3
    }

    fn prose(&mut self, text: &str) -> Verdictless {
        let evidence = words::first_line(text);
        self.findings.push(Finding::new(&causes::prose::CAUSE, evidence));
        match self.policy.plain_text {
            PlainText::Pass => {
                self.unless_as_it_is(Verdictless::Prose(Bytes::from(text.to_owned())))
            }
            PlainText::Replace => Verdictless::Unfit,
        }
    }
}
