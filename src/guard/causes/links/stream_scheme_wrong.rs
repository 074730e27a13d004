//! `stream-scheme-wrong`: a Stream's or ConversationRelay's URL that is not `wss:`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::link::Purpose;
use crate::guard::reading::{Found, Reading};
use crate::guard::{link, links};
use crate::twilio::Slot;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-scheme-wrong",
    stage: Stage::Links,
    level: Level::Warning,
    codes: &[31922],
    evidence: Evidence::Documented,
    explain: "a Stream's or ConversationRelay's URL that is not `wss:`, the only scheme it takes",
    remedy: "write wss:// there; Twilio streams over TLS only",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let streams = link::links(reading)
        .into_iter()
        .filter(|link| link.purpose == Purpose::Slot(Slot::Stream));
    streams
        .filter_map(|link| {
            let scheme = links::scheme(link.written)?;
            // Two schemes in one are `scheme-doubled`, which is mended first.
            let wrong = !scheme.eq_ignore_ascii_case("wss://")
                && links::without_doubled_scheme(link.written).is_none();
            wrong.then(|| Found::at(link.span.start, link.written))
        })
        .collect()
}
