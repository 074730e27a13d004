//! `rewrite-refused`: the backend refused a request whose path or method the guard had rewritten: an app that checks Twilio's signature sees another URL than the one signed.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "rewrite-refused",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Reported,
    explain: "the backend refused a request whose path or method the guard had rewritten: an app that checks Twilio's signature sees another URL than the one signed",
    remedy: "put the URL at Twilio that the app's route has, with its method; or set resign = true with an auth token",
    action: "fallback",
    check: Check::Elsewhere,
};
