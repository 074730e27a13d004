//! `keys-malformed`: something else than a telephone's keys where keys are expected.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::values::Kind;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "keys-malformed",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13310, 13311, 13222, 13242, 13430, 13613],
    evidence: Evidence::Documented,
    explain: "`finishOnKey`, `sendDigits` or `digits` holds what no telephone has a key for",
    remedy: "write digits, * and #; w waits half a second where tones are sent",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    reading.refused_values(|kind| matches!(kind, Kind::Keys | Kind::Tones))
}
