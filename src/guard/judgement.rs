//! What comes out of a judgement.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::causes::{Level, Stage, headers};
use super::finding::Finding;
use super::handed::Spans;

/// Verdict, findings and what leaves for Twilio.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// What became (in observe mode: would have become) of the answer.
    pub verdict: Verdict,
    /// Faults first, in the order of the stages, then warnings.
    pub findings: Vec<Finding>,
    /// What leaves for Twilio.
    pub delivery: Delivery,
    /// In observe mode, what enforcing would have delivered instead.
    pub withheld: Option<Delivery>,
    /// The answer's body, content coding undone, as far as that was possible; for the record.
    pub decoded: Bytes,
    /// Where the URLs stand that the delivery hands out, where a quick look was enough.
    pub spans: Option<Arc<Spans>>,
}

impl Judgement {
    /// The first fault, else the first warning: what this answer is counted under.
    pub fn first_cause(&self) -> Option<&'static super::Cause> {
        self.findings.first().map(|finding| finding.cause)
    }

    /// Twilio's codes that this answer would have become, the most likely first, no doubles.
    pub fn codes(&self) -> Vec<u32> {
        let mut codes = Vec::new();
        let mut faults: Vec<_> = self.faults().collect();
        faults.sort_by_key(|finding| !self.is_decisive(finding));
        for finding in faults {
            for &code in finding.cause.codes {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
        }
        codes
    }

    fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.cause.level == Level::Fault)
    }

    /// Whether its code comes first, whatever else was found: of a callback Twilio only knows that it
    /// failed, and of an answer that its status condemns no body is read.
    fn is_decisive(&self, finding: &Finding) -> bool {
        let of_callback = |finding: &Finding| finding.is(&headers::callback_failed::CAUSE);
        if self.faults().any(of_callback) {
            return of_callback(finding);
        }
        finding.cause.stage == Stage::Status && finding.repair.is_none()
    }
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Left as the backend wrote it; may carry warnings.
    Untouched,
    /// What the backend meant is delivered.
    Repaired,
    /// A fallback (or, with `on_fault = "fail"`, a 502) is delivered.
    Replaced,
}

impl Verdict {
    /// The verdict's name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::Replaced => "replaced",
            Self::Untouched => "untouched",
        }
    }
}

/// What leaves for Twilio. Framing (Content-Length, Connection) is the shell's.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Status code.
    pub status: StatusCode,
    /// End-to-end headers, without Content-Length.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Where it comes from.
    pub kind: DeliveryKind,
}

/// Where a delivery comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryKind {
    /// The backend's answer as it is.
    Original,
    /// The backend's answer, mended.
    Repaired,
    /// Nothing more to say: an empty document or a bare 204 that fits the slot.
    Empty,
    /// A configured or built-in fallback, by name.
    Fallback(String),
    /// A TwiML `<Redirect>` that lets Twilio sign the redirect's target itself.
    Redirect,
    /// A 502, because `on_fault = "fail"` or there is no original to show in observe mode.
    Refusal,
}
