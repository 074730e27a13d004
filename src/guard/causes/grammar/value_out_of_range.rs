//! `value-out-of-range`: an attribute that takes a number holds none, or one below its bound.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::bounds;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "value-out-of-range",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200, 13212, 13216, 13313, 13314, 13327, 13328, 13410, 13510, 13611, 13612, 13910],
    evidence: Evidence::Documented,
    explain: "an attribute that takes a whole number holds something else, or too small a number",
    remedy: "give whole seconds, digits or rounds, without a unit",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for element in &reading.document.elements {
        let name = element.name_in(reading.text);
        for bound in bounds::bounds(name) {
            let Some(span) = element.attribute(reading.text, bound.attribute) else { continue };
            let value = reading.text.get(span.clone()).unwrap_or_default();
            // A reference may stand for anything.
            if !value.contains('&') && !bound.allows(value) {
                let shown: String = value.chars().take(40).collect();
                let evidence = format!(
                    "{}=\"{shown}\" on `{name}`; a whole number from {} on is expected",
                    bound.attribute, bound.least
                );
                found.push(Found::at(span.start, evidence));
            }
        }
    }
    found
}
