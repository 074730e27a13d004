//! What is kept of one incident: the record that is stored, shown, exported and replayed.
//!
//! A record is masked when it is made ([`Redaction`](super::redact::Redaction)); nothing that must
//! not be kept ever reaches a disk. Its JSON form is what `incidents show --json` prints.

mod make;
mod mask;

pub(super) use make::MAX_ENTRIES;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Everything kept of one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What every incident keeps.
    #[serde(flatten)]
    pub row: Row,
    /// Faults first, in the order of the stages, then warnings.
    pub findings: Vec<FindingRecord>,
    /// The request as Twilio sent it.
    pub request: RequestRecord,
    /// Every request sent to the backend, in order.
    pub attempts: Vec<AttemptRecord>,
    /// Why there is no answer, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What left for Twilio.
    pub delivery: DeliveryRecord,
    /// In observe mode: what enforcing would have delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<DeliveryRecord>,
    /// The backend's address.
    pub upstream: String,
    /// Version of the guard that made the record.
    pub guard_version: String,
    /// Hash of the configuration in force, hexadecimal.
    pub config_hash: String,
    /// `masked` or `full`: how much was kept when the record was made.
    pub capture: String,
}

/// What every incident keeps, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// UUIDv7: sorts by time.
    pub id: Uuid,
    /// When the request came, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The route's name.
    pub route: String,
    /// What Twilio does with the answer.
    pub slot: String,
    /// The request's method.
    pub method: String,
    /// The request's path, masked.
    pub path: String,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_sid: Option<String>,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_sid: Option<String>,
    /// As what a document handed the URL out, masked: `action of <Connect> from POST /voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Which document that was, masked: `POST /voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// How slot and role are known: `configured`, `this-call`, `learnt`, `inferred`, `assumed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belief: Option<String>,
    /// CallStatus, or a message's status, as the request told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_status: Option<String>,
    /// What became of the stream that the call was handed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What is known of the signature: `valid for URL`, `unsigned`, `forged`, `unchecked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The one line that names the exchange to blame, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// `repaired`, `replaced`, `failed` or `untouched` (with warnings).
    pub outcome: String,
    /// Whether that is only what enforcing would have done.
    pub observe: bool,
    /// The slug that it is counted under.
    pub cause: String,
    /// The slugs of all findings, the first first, no doubles.
    pub causes: Vec<String>,
    /// Twilio's codes, the most likely first.
    pub codes: Vec<u32>,
    /// How long the backend took in all, milliseconds.
    pub upstream_ms: u64,
    /// What was left of the budget when the delivery was decided, milliseconds.
    pub budget_left_ms: u64,
}

/// A cause seen in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// Its slug.
    pub cause: String,
    /// Where in the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceRecord>,
    /// What was seen, masked.
    pub evidence: String,
    /// The grade of the repair that removed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
}

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// Byte offset in the decoded body as the backend sent it, from 0.
    pub offset: usize,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
}

/// The request as Twilio sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Path and query, masked.
    pub target: String,
    /// The parameters of query and form, in order.
    pub params: Vec<ParamRecord>,
    /// Bytes of the body.
    pub body_bytes: usize,
}

/// A parameter of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamRecord {
    /// Its name.
    pub name: String,
    /// Its value, masked.
    pub value: String,
    /// Whether the value is not the one that came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

/// One request that was sent to the backend, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its method.
    pub method: String,
    /// Its path and query, masked.
    pub target: String,
    /// `first`, `redirect`, `other-method`, `collapsed` or `post-again`.
    pub reason: String,
    /// Header names and values as sent; credentials are never among them.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body as sent.
    pub body_bytes: usize,
    /// When it was sent, milliseconds after the request came.
    pub started_ms: u64,
    /// Until the connection stood; 0 for a kept one.
    pub connect_ms: u64,
    /// Until the answer's head was complete, milliseconds after the request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// Until the answer was complete, or failed.
    pub total_ms: u64,
    /// What came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerRecord>,
}

/// What the backend answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Status code.
    pub status: u16,
    /// Header names and values in order, masked.
    pub headers: Vec<(String, String)>,
    /// The body, content coding undone where that was possible.
    pub body: BodyRecord,
    /// `complete`, or how it ended otherwise.
    pub end: String,
}

/// What left for Twilio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Status code.
    pub status: u16,
    /// Header names and values in order, masked.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: BodyRecord,
    /// `original`, `repaired`, `empty`, `fallback`, `redirect` or `refusal`.
    pub kind: String,
    /// The fallback's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// A body as far as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRecord {
    /// The text, masked; bytes that are no text stand as `\xNN`.
    pub text: String,
    /// Bytes in all, before masking.
    pub bytes: usize,
    /// Whether the text ends before the body did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Whether something in the text was masked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// The bytes themselves, base64, where they are no UTF-8 and `capture = "full"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}
