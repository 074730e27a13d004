//! `scheme-doubled`: two schemes in one URL, such as `wss://https://host`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::{link, links};
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "scheme-doubled",
    stage: Stage::Links,
    level: Level::Fault,
    codes: &[11100, 31923],
    evidence: Evidence::Documented,
    explain: "two schemes in one URL, such as `wss://https://host`",
    remedy: "configure the public host without a scheme",
    action: "one scheme",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mended = link::links(reading).into_iter().filter_map(|link| {
        let mended = links::without_doubled_scheme(link.written)?;
        let found = Found::at(link.span.start, link.written);
        Some(found.mended(Grade::Lossless, link.span, mended))
    });
    mended.collect()
}
