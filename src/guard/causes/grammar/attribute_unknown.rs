//! `attribute-unknown`: an attribute that TwiML does not know on its element.

use crate::guard::causes::grammar::callback_misplaced;
use crate::guard::causes::grammar::letter_case::only_other_case;
use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-unknown",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200],
    evidence: Evidence::Documented,
    explain: "an attribute that TwiML does not know on its element",
    remedy: "check spelling and case, and which element the attribute belongs to",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for element in &reading.document.elements {
        let name = element.name_in(reading.text);
        if grammar::rule(name).is_none() {
            continue;
        }
        let own = grammar::attributes(name);
        for attribute in &element.attributes {
            let attribute_name = reading.text.get(attribute.name.clone()).unwrap_or_default();
            let known = own.contains(&attribute_name)
                || attribute_name == "xmlns"
                || attribute_name.contains(':');
            // `letter-case` mends a name that is merely in the wrong case.
            // A callback on the wrong element is `callback-misplaced`.
            let misplaced = callback_misplaced::is_misplaced(name, attribute_name);
            let mended = only_other_case(own, attribute_name)
                .is_some_and(|known| element.attribute(reading.text, known).is_none());
            if !known && !mended && !misplaced {
                let evidence = format!("`{attribute_name}` on `{name}`");
                found.push(Found::at(attribute.name.start, evidence));
            }
        }
    }
    found
}
