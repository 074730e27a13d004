//! `single-page-app`: the index page of a single-page app: no backend route matched.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::{origins, pages};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "single-page-app",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "the index page of a single-page app: no backend route matched",
    remedy: "register the webhook path before the catch-all route",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    let app = pages::is_single_page_app(foreign) && !origins::is_from_between(foreign);
    app.then(|| pages::heading(foreign.text))
}
