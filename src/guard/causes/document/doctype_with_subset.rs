//! `doctype-with-subset`: the document has a DOCTYPE with declarations of its own.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "doctype-with-subset",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document has a DOCTYPE with declarations of its own",
    remedy: "emit no DOCTYPE",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    let at = memchr::memmem::find(foreign.text.as_bytes(), b"<!DOCTYPE ")?;
    let declaration = foreign.text.get(at..)?;
    let end = declaration.find('>')?;
    let head = declaration.get(..end)?;
    (foreign.roots == 1 && head.contains('[')).then(|| head.to_owned())
}
