//! `values-at-odds`: two attributes that Twilio does not take together.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "values-at-odds",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13335, 13615],
    evidence: Evidence::Documented,
    explain: "two attributes that Twilio does not take together",
    remedy: "name another speechModel beside speechTimeout=\"auto\"; record at most 120 s to transcribe",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Longest recording that is transcribed, in seconds.
pub(in crate::guard) const MAX_TRANSCRIBED: u32 = 120;

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter();
    elements
        .filter_map(|element| {
            let value = |name| {
                let span = element.attribute(reading.text, name)?;
                reading.text.get(span).map(str::trim)
            };
            let evidence = match element.name_in(reading.text) {
                "Gather"
                    if value("speechTimeout") == Some("auto")
                        && value("speechModel") == Some("default") =>
                {
                    "speechTimeout=\"auto\" with speechModel=\"default\"".to_owned()
                }
                "Record" if value("transcribe") == Some("true") => {
                    let seconds: u32 = value("maxLength")?.parse().ok()?;
                    (seconds > MAX_TRANSCRIBED)
                        .then(|| format!("transcribe=\"true\" with maxLength=\"{seconds}\""))?
                }
                _ => return None,
            };
            Some(Found::at(element.span.start, evidence))
        })
        .collect()
}
