//! Twilio's numbers, each with its source.

use std::time::Duration;

/// Largest TwiML answer, in bytes (error 11750: 64 kB).
pub const MAX_TWIML_BYTES: usize = 65_536;

/// Twilio gives up on a webhook after this, connect included
/// (Twilio docs, webhooks connection overrides: `tt`, default 15,000 ms).
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(15);
