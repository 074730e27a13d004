//! `own-host-double-slash`: `//` in the path of a URL on the own host.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::{link, links};
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "own-host-double-slash",
    stage: Stage::Links,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Reported,
    explain: "`//` in the path of a URL on the own host",
    remedy: "configure the public URL without a trailing slash",
    action: "one slash",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mended = link::links(reading).into_iter().filter_map(|link| {
        let mended = links::without_double_slash(link.written, reading.own_hosts)?;
        let found = Found::at(link.span.start, link.written);
        Some(found.mended(Grade::Inferred, link.span, mended))
    });
    mended.collect()
}
