//! Twilio's numbers, each with its source.

use std::time::Duration;

/// Largest TwiML answer, in bytes (error 11750: 64 kB).
pub const MAX_TWIML_BYTES: usize = 65_536;

/// Twilio gives up on a webhook after this, connect included
/// (Twilio docs, webhooks connection overrides: `tt`, default 15,000 ms).
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(15);

/// Most characters in one `<Say>` with a basic voice (warning 13521), SSML tags not counted.
pub const MAX_SAY_CHARS: usize = 4_096;

/// The same with a voice of Amazon Polly (warning 13521).
pub const MAX_POLLY_CHARS: usize = 3_000;

/// Most characters in one message (warning 14103).
pub const MAX_MESSAGE_CHARS: usize = 1_600;

/// Most replies to one message (warning 14109).
pub const MAX_REPLIES: usize = 10;

/// Most digits of a telephone number (E.164; warning 13223).
pub const MAX_NUMBER_DIGITS: usize = 15;

/// Most characters of a queue's name (Twilio docs, `<Enqueue>`; error 14205).
pub const MAX_QUEUE_NAME_CHARS: usize = 64;

/// Most characters of a `<BillingReferenceTag>` (error 13120).
pub const MAX_BILLING_TAG_CHARS: usize = 128;
