//! `foreign-link-odd`: a URL on another host that looks wrong: `//` in its path, or no scheme.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::links;
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "foreign-link-odd",
    stage: Stage::Links,
    level: Level::Warning,
    codes: &[11100],
    evidence: Evidence::Documented,
    explain: "a URL on another host that looks wrong: `//` in its path, or no scheme",
    remedy: "check the URL",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    reading.urls().filter(|(_, url)| links::is_odd(url, reading.own_hosts)).map(|(span, url)| Found::at(span.start, url)).collect()
}
