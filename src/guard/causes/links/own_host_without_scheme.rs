//! `own-host-without-scheme`: a URL on the own host without a scheme.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::{link, links};
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "own-host-without-scheme",
    stage: Stage::Links,
    level: Level::Fault,
    codes: &[11100],
    evidence: Evidence::Documented,
    explain: "a URL on the own host without a scheme",
    remedy: "write the whole URL, with https:// (wss:// in a Stream)",
    action: "scheme added",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mended = link::links(reading).into_iter().filter_map(|link| {
        let mended = links::with_scheme(link.written, link.element, reading.own_hosts)?;
        let found = Found::at(link.span.start, link.written);
        Some(found.mended(Grade::Inferred, link.span, mended))
    });
    mended.collect()
}
