//! `sid-malformed`: an identifier of Twilio's that is of another kind, or none.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::values::Kind;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "sid-malformed",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14220, 13240, 14215, 14230, 14236, 14237],
    evidence: Evidence::Documented,
    explain: "an identifier in `workflowSid`, `reservationSid`, `postWorkActivitySid` or `coach` is none",
    remedy: "give the identifier as Twilio wrote it: its first two letters tell its kind",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    reading.refused_values(|kind| matches!(kind, Kind::Sid(_)))
}
