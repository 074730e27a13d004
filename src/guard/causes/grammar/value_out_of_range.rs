//! `value-out-of-range`: an attribute that takes a number holds none, or one out of its bounds.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::values::Kind;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "value-out-of-range",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[
        12200, 13212, 13216, 13313, 13314, 13322, 13327, 13328, 13410, 13510, 13611, 13612, 13910,
        14232, 14233,
    ],
    evidence: Evidence::Documented,
    explain: "an attribute that takes a whole number holds something else, or one out of bounds",
    remedy: "give whole seconds, digits or rounds, without a unit",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    reading.refused_values(|kind| matches!(kind, Kind::Whole { .. }))
}
