//! `post-lost`: a GET with Twilio's form in its query, where the route takes a POST: often a redirect in front (`//` or http: in the URL) turned Twilio's POST into GET.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "post-lost",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 12100],
    evidence: Evidence::Reported,
    explain: "a GET with Twilio's form in its query, where the route takes a POST: often a redirect in front (`//` or http: in the URL) turned Twilio's POST into GET",
    remedy: "put the final URL at Twilio, with https and single slashes; if it asks with GET on purpose, set the method to POST",
    action: "asked once more as POST with the form",
    check: Check::Elsewhere,
};
