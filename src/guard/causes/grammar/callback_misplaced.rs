//! `callback-misplaced`: a callback's attribute on an element that has none of that name.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "callback-misplaced",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200],
    evidence: Evidence::Documented,
    explain: "a callback's attribute on an element that has none of that name: nobody is called back",
    remedy: "move it to the element that has it, such as `<Number>` instead of `<Dial>`",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter();
    let misplaced = elements.flat_map(|element| {
        let name = element.name_in(reading.text);
        element.attributes.iter().filter_map(move |attribute| {
            let attribute_name = reading.text.get(attribute.name.clone())?;
            is_misplaced(name, attribute_name).then(|| {
                let evidence = format!("`{attribute_name}` on `{name}`");
                Found::at(attribute.name.start, evidence)
            })
        })
    });
    misplaced.collect()
}

/// Whether an attribute is a callback's on some elements, but not on this one.
pub(in crate::guard) fn is_misplaced(element: &str, attribute: &str) -> bool {
    let called = attribute.contains("allback") || attribute.ends_with("Url");
    called
        && grammar::rule(element).is_some_and(|rule| !rule.attributes.contains(&attribute))
        && grammar::rules().iter().any(|rule| rule.attributes.contains(&attribute))
}
