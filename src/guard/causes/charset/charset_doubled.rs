//! `charset-doubled`: text in UTF-8 was read as Latin-1 and encoded once more.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "charset-doubled",
    stage: Stage::Charset,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "text in UTF-8 was read as Latin-1 and encoded once more",
    remedy: "decode the text as UTF-8 where it is read: database connection, file, request",
    action: "decoded once",
    check: Check::Elsewhere,
};
