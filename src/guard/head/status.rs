//! The status line.

use std::ops::Range;

use http::StatusCode;

use super::{BYTES_BEFORE, Line, is_value_byte, trimmed};

/// What was made of a status line.
pub(super) struct Status {
    pub(super) code: StatusCode,
    pub(super) reason: Range<usize>,
    /// Whether it says HTTP/1.0.
    pub(super) is_old: bool,
    /// Why readers refuse it.
    pub(super) why: Option<&'static str>,
}

const STARTS: [&[u8]; 3] = [b"http", b"icy", b"status:"];

/// Whether a status line may begin so.
pub(super) fn may_become_status(start: &[u8]) -> bool {
    let start = behind_mark(start);
    STARTS
        .iter()
        .any(|word| start.iter().zip(*word).all(|(found, own)| found.to_ascii_lowercase() == *own))
}

fn behind_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text).trim_ascii_start()
}

/// Reads a status line; `None` where no status can be read.
pub(super) fn status_of(bytes: &[u8], line: &Line) -> Option<Status> {
    let text = bytes.get(line.content.clone())?;
    let own = behind_mark(text);
    let word = STARTS
        .into_iter()
        .find(|word| own.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    let rest = own.get(word.len()..)?;
    let version =
        rest.iter().take_while(|&&b| b == b'/' || b == b'.' || b.is_ascii_digit()).count();
    let behind = rest.get(version..)?.trim_ascii_start();
    // A word and a number in one: `HTTP 200`, but not `HTTP200`.
    if version == 0 && rest.len() == behind.len() && !word.ends_with(b":") {
        return None;
    }
    let digits = behind.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits != 3 {
        return None;
    }
    let code = StatusCode::from_bytes(behind.get(..3)?).ok()?;
    let version = rest.get(..version)?;
    let after = behind.get(3..)?;
    let blanks = rest.len() - version.len() - behind.len();
    let why = if own.len() != text.len() {
        Some(BYTES_BEFORE)
    } else if word != b"http" || !own.starts_with(b"HTTP/") || !matches!(version, b"/1.0" | b"/1.1")
    {
        Some("expected HTTP/1.1 or HTTP/1.0 at its start")
    } else if blanks != 1 || rest.get(version.len()) != Some(&b' ') {
        Some("expected one blank before the status")
    } else if !after.is_empty() && !after.starts_with(b" ") {
        Some("expected a blank behind the status")
    } else if !after.iter().all(|&b| is_value_byte(b)) {
        Some("a control character stands in it")
    } else {
        None
    };
    let reason = line.content.end - after.len()..line.content.end;
    let reason = match why {
        None => (reason.start + 1).min(reason.end)..reason.end,
        Some(_) => trimmed(bytes, reason),
    };
    Some(Status { code, reason, is_old: version == b"/1.0", why })
}
