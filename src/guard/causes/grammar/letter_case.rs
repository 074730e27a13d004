//! `letter-case`: a name in the wrong letter case; TwiML's names are case-sensitive.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "letter-case",
    stage: Stage::Grammar,
    level: Level::Fault,
    codes: &[12200, 12102],
    evidence: Evidence::Documented,
    explain: "a name in the wrong letter case; TwiML's names are case-sensitive",
    remedy: "write names as Twilio's docs do",
    action: "written as TwiML knows it",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = &reading.document.elements;
    let mut found = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let name = element.name_in(reading.text);
        let known = canonical(reading, at);
        if let Some(known) = known.filter(|known| *known != name) {
            for span in std::iter::once(element.name.clone()).chain(element.end_name_in(reading.text)) {
                found.push(Found::at(span.start, name).mended(Grade::Inferred, span, known.to_owned()));
            }
        }
        let own = grammar::attributes(known.unwrap_or(name));
        for attribute in &element.attributes {
            let name = reading.text.get(attribute.name.clone()).unwrap_or_default();
            if let Some(known) = only_other_case(own, name) {
                // A second attribute of the right name decides against this one.
                if element.attribute(reading.text, known).is_none() {
                    found.push(Found::at(attribute.name.start, name).mended(Grade::Inferred, attribute.name.clone(), known.to_owned()));
                }
            }
        }
    }
    found
}

/// The name that TwiML knows for an element, where there is exactly one that may stand there.
pub(in crate::guard) fn canonical(reading: &Reading<'_>, at: usize) -> Option<&'static str> {
    let element = reading.document.elements.get(at)?;
    let name = element.name_in(reading.text);
    let Some(parent) = element.parent else {
        return name.eq_ignore_ascii_case("Response").then_some("Response");
    };
    let parent = reading.document.elements.get(parent)?.name_in(reading.text);
    let allowed = grammar::ignoring_case(parent)?.children;
    if allowed.contains(&name) {
        return allowed.iter().copied().find(|known| *known == name);
    }
    if grammar::rule(name).is_some() {
        return None;
    }
    only_other_case(allowed, name)
}

/// The known name that differs from this one in letter case alone, where there is exactly one.
pub(in crate::guard) fn only_other_case(known: &'static [&'static str], name: &str) -> Option<&'static str> {
    if known.contains(&name) {
        return None;
    }
    let mut fitting = known.iter().copied().filter(|known| known.eq_ignore_ascii_case(name));
    fitting.next().filter(|_| fitting.next().is_none())
}
