//! `transfer-coding-invalid`: Transfer-Encoding and the body do not fit each other.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::OddPart;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "transfer-coding-invalid",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11206],
    evidence: Evidence::Documented,
    explain: "Transfer-Encoding and the body do not fit each other",
    remedy: "the application writes chunks itself, or a proxy renames the header; leave chunking to the server",
    action: "chunks undone where they are whole; the document alone where its whole root had arrived",
    check: Check::Head(OddPart::Coding),
};
