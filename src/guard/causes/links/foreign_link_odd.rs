//! `foreign-link-odd`: a URL on another host that looks wrong: `//` in its path, or no scheme.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::{link, links};
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
    let odd = link::links(reading).into_iter().filter(|link| links::is_odd(link.written, reading.own_hosts));
    odd.map(|link| Found::at(link.span.start, link.written)).collect()
}
