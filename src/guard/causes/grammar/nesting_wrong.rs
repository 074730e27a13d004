//! `nesting-wrong`: an element where TwiML's grammar has no place for it.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar::{self, Family};
use crate::twilio::Slot;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "nesting-wrong",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200, 13112, 13215, 13320, 14300],
    evidence: Evidence::Documented,
    explain: "an element inside one that can't hold it",
    remedy: "put it where Twilio's docs show it",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = &reading.document.elements;
    let misplaced = elements.iter().filter_map(|element| {
        let name = element.name_in(reading.text);
        let parent = elements.get(element.parent?)?.name_in(reading.text);
        let (rule, outer) = (grammar::rule(name)?, grammar::rule(parent)?);
        let unfit = !outer.children.contains(&name)
            && !says_wrong_channel(reading, element.parent, rule.family);
        unfit.then(|| Found::at(element.span.start, format!("`{name}` in `{parent}`")))
    });
    misplaced.collect()
}

/// Whether `verb-wrong-channel` names a verb directly below the root already.
fn says_wrong_channel(reading: &Reading<'_>, parent: Option<usize>, family: Family) -> bool {
    let foreign = if reading.slot == Slot::Messaging { Family::Voice } else { Family::Messaging };
    parent == Some(0) && family == foreign
}
