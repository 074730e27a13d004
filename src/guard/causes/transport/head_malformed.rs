//! `head-malformed`: the head has bytes or lines for which HTTP clients refuse the whole answer.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::OddPart;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "head-malformed",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11206],
    evidence: Evidence::Documented,
    explain: "the head has bytes or lines for which HTTP clients refuse the whole answer",
    remedy: "a header is set from unchecked data, or its line ends are written by hand; let the framework write headers",
    action: "the document without those lines, where its whole root had arrived",
    check: Check::Head(OddPart::Head),
};
