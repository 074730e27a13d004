//! `link-malformed`: a URL that is none: no host, blanks inside, an underscore in the host.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::{link, links};
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "link-malformed",
    stage: Stage::Links,
    level: Level::Warning,
    codes: &[11100, 31923, 13233, 13256, 13257, 14105, 14202, 14203, 14211],
    evidence: Evidence::Documented,
    explain: "a URL that is none: no host, blanks inside, an underscore in the host, another scheme",
    remedy: "encode blanks as %20, and give a host that DNS knows",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let found = link::links(reading).into_iter().filter_map(|link| {
        let why = links::malformed(link.written, link.element)?;
        Some(Found::at(link.span.start, format!("{} ({why})", link.written)))
    });
    found.collect()
}
