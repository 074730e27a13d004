//! One incident on one line, and ids as short as they can be typed.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use uuid::Uuid;

use super::Failure;
use crate::cli::text::{COLUMNS, cut, fitted, second};
use crate::incidents::record::Row;
use crate::incidents::store::Reader;

/// Columns of the fields whose width is always the same.
const TIME: usize = 15;
const OUTCOME: usize = 13;
const CAUSE: usize = 24;
const CODE: usize = 6;
/// Digits of a UUIDv7 that stand for its millisecond, with the dash between them.
const MOMENT: usize = 13;

/// The head of a list of incidents, `id` being the columns of its ids.
pub(super) fn head(id: usize) -> String {
    let style = Style::new().bold();
    let path = path_columns(id);
    format!(
        "{style}{:TIME$} {:id$} {:OUTCOME$} {:CAUSE$} {:CODE$} {:path$}{style:#}\n",
        "time (UTC)", "id", "outcome", "cause", "Twilio", "request",
    )
}

/// The line of an incident, with its line end.
pub(super) fn line(row: &Row, id: &str, now_ms: u64) -> String {
    let style = style(row);
    let code = row.codes.first().map(u32::to_string).unwrap_or_default();
    let request = format!("{} {}", row.method, row.path);
    let mut line = format!(
        "{} {id} {style}{}{style:#} {} {} ",
        fitted(&second(row.time_ms, now_ms), TIME),
        fitted(outcome(row), OUTCOME),
        fitted(&row.cause, CAUSE),
        fitted(&code, CODE),
    );
    let _ = writeln!(line, "{}", cut(&request, path_columns(id.len())));
    line
}

fn path_columns(id: usize) -> usize {
    COLUMNS.saturating_sub(TIME + id + OUTCOME + CAUSE + CODE + 5)
}

/// What became of the answer; in observe mode what would have.
pub(super) fn outcome(row: &Row) -> &str {
    match (row.observe, row.outcome.as_str()) {
        (true, "repaired") => "would repair",
        (true, "replaced") => "would replace",
        (true, "failed") => "would fail",
        (_, outcome) => outcome,
    }
}

/// The colour of what became of the answer.
pub(super) fn style(row: &Row) -> Style {
    match row.outcome.as_str() {
        "repaired" => AnsiColor::Cyan.on_default(),
        "replaced" => AnsiColor::Yellow.on_default(),
        "failed" => AnsiColor::Red.on_default().bold(),
        _ => AnsiColor::Green.on_default(),
    }
}

/// The beginning of an id that no other incident on record shares. Never shorter than its
/// millisecond: what is recorded later would soon share less.
pub(super) fn short(reader: &Reader, id: Uuid) -> Result<String, Failure> {
    let id = id.to_string();
    for digits in MOMENT..id.len() {
        let Some(prefix) = id.get(..digits).filter(|prefix| !prefix.ends_with('-')) else {
            continue;
        };
        if reader.by_prefix(prefix)?.len() <= 1 && reader.outbreaks_by_prefix(prefix)?.len() <= 1 {
            return Ok(prefix.to_owned());
        }
    }
    Ok(id)
}

/// As many digits of each id as the longest needs, so that they stand in one column.
pub(super) fn shorts(
    reader: &Reader,
    ids: impl Iterator<Item = Uuid> + Clone,
) -> Result<Vec<String>, Failure> {
    let mut longest = MOMENT;
    for id in ids.clone() {
        longest = longest.max(short(reader, id)?.len());
    }
    Ok(ids.map(|id| id.to_string().get(..longest).unwrap_or_default().to_owned()).collect())
}
