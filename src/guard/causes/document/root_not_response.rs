//! `root-not-response`: a well-formed document whose root is not `Response`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::origins;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "root-not-response",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12102],
    evidence: Evidence::Documented,
    explain: "a well-formed document whose root is not `Response`",
    remedy: "the root of TwiML is `<Response>`, in this case",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    foreign.root.clone().map(|root| origins::prefixed(foreign, &format!("root `{root}`")))
}
