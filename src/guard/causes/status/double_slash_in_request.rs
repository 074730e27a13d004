//! `double-slash-in-request`: the URL that Twilio asked has `//` in its path, and the backend's route has not.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "double-slash-in-request",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Reported,
    explain: "the URL that Twilio asked has `//` in its path, and the backend's route has not",
    remedy: "correct the URL in Twilio's console, or the base URL that the app builds its URLs from: no slash at its end",
    action: "asked once more without the doubled slash",
    check: Check::Elsewhere,
};
