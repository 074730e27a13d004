//! `html-page`: a web page instead of TwiML.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::{origins, pages};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "html-page",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "a web page instead of TwiML",
    remedy: "this route's error handler returns a web page; return TwiML from it (Flask: @app.errorhandler)",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    pages::is_html(foreign).then(|| match origins::origin(foreign) {
        Some(origin) => format!("page of {origin}: {}", pages::heading(foreign.text)),
        None => pages::heading(foreign.text),
    })
}
