//! `track-refused`: `<Connect><Stream>` asks for a track other than the caller's.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::chars::is_blank;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "track-refused",
    stage: Stage::Grammar,
    level: Level::Fault,
    codes: &[31941],
    evidence: Evidence::Documented,
    explain: "`<Connect><Stream>` asks for another track than `inbound_track`, the only one it takes",
    remedy: "leave `track` out, or stream with `<Start>`",
    action: "attribute removed",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = &reading.document.elements;
    let within_connect = elements.iter().filter(|element| {
        let parent = element.parent.and_then(|at| elements.get(at));
        element.name_in(reading.text) == "Stream"
            && parent.is_some_and(|parent| parent.name_in(reading.text) == "Connect")
    });
    within_connect
        .flat_map(|element| &element.attributes)
        .filter_map(|attribute| {
            let name = reading.text.get(attribute.name.clone())?;
            let value = reading.text.get(attribute.value.clone())?;
            if name != "track" || value == "inbound_track" {
                return None;
            }
            let before = reading.text.get(..attribute.name.start)?;
            let start = before.trim_end_matches(is_blank).len();
            let found = Found::at(attribute.name.start, format!("track=\"{value}\""));
            // The value's closing quote goes as well.
            Some(found.mended(Grade::Inferred, start..attribute.value.end + 1, String::new()))
        })
        .collect()
}
