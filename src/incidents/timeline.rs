//! The steps of one call or message, as they passed the guard.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One exchange or stream of a call, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it began, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// The request's method.
    pub method: String,
    /// The request's path (no query), masked.
    pub path: String,
    /// What Twilio does with the answer.
    pub slot: String,
    /// How the slot is known: `configured`, `this-call`, `learnt`, `inferred`, `assumed`.
    pub belief: String,
    /// As what a document handed the URL out: `action of <Connect> from POST /voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// CallStatus (or SmsStatus) as the request told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Status of the backend's last answer; none where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u16>,
    /// `untouched`, `repaired`, `replaced`, `failed`; of a stream: `ran`, `refused`, `died`.
    pub outcome: String,
    /// The slug of the first cause, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What left, or how a stream went, in a few words.
    pub told: String,
    /// The incident that was recorded of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Uuid>,
}
