//! `status-line-malformed`: the status line is not one of HTTP/1.1.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::OddPart;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "status-line-malformed",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11206],
    evidence: Evidence::Documented,
    explain: "the status line is not one of HTTP/1.1",
    remedy: "something writes the status line by hand (a CGI, an old gateway); write `HTTP/1.1 200 OK` and nothing before it",
    action: "the document alone, where the status can be read",
    check: Check::Head(OddPart::StatusLine),
};
