//! `stream-scheme-wrong`: a Stream's or ConversationRelay's URL that is not `wss:`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::links;
use crate::guard::reading::{Found, Reading};

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
    let elements = reading.document.elements.iter();
    let streams = elements
        .filter(|element| matches!(element.name_in(reading.text), "Stream" | "ConversationRelay"));
    streams
        .filter_map(|element| {
            let span = element.attribute(reading.text, "url")?;
            let url = reading.text.get(span.clone())?.trim();
            let scheme = links::scheme(url)?;
            // Two schemes in one are `scheme-doubled`, which is mended first.
            let wrong = !scheme.eq_ignore_ascii_case("wss://")
                && links::without_doubled_scheme(url).is_none();
            wrong.then(|| Found::at(span.start, url))
        })
        .collect()
}
