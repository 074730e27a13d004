//! `value-unknown`: an attribute that takes one of a list of words holds another.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::values::Kind;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "value-unknown",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[
        12200, 13210, 13211, 13213, 13217, 13218, 13219, 13220, 13221, 13230, 13231, 13232, 13234,
        13235, 13239, 13241, 13312, 13321, 13326, 13329, 13331, 13332, 13333, 13338, 13511, 13512,
        13610, 13614, 13616, 13621, 13699, 13710, 13810, 14104, 14201, 14206, 14210,
    ],
    evidence: Evidence::Documented,
    explain: "an attribute holds a word that is not one of those it takes",
    remedy: "take one of the values that Twilio's docs list for the attribute",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    // A track that Twilio refuses is `track-refused`.
    let words = |kind: &Kind| {
        matches!(kind, Kind::OneOf(_) | Kind::AnyOf(_) | Kind::Language | Kind::Voice)
    };
    reading.refused_values(words)
}
