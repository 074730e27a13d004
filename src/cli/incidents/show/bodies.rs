//! What the backend answered and what left for Twilio: as a difference where one came of the other,
//! else one below the other.

use std::fmt::Write as _;

use super::story::section;
use super::{timeline, words};
use crate::cli::text::{COLUMNS, counted, lines};
use crate::incidents::record::{BodyRecord, Record};

/// Lines of a body without `--full`.
const LINES: usize = 30;
const INDENT: &str = "    ";

/// The bodies, titled; each earlier answer before the last one.
pub(super) fn text(record: &Record, full: bool) -> String {
    let most = if full { usize::MAX } else { LINES };
    let mut text = String::new();
    let last = record.attempts.len().saturating_sub(1);
    for attempt in record.attempts.iter().take(last) {
        if let Some(answer) = &attempt.answer {
            let title = format!("Earlier answer, to {} {}", attempt.method, attempt.target);
            text += &section(&titled(&title, &answer.body), &body(&answer.body, most));
        }
    }
    let answer = record.attempts.last().and_then(|last| last.answer.as_ref());
    let (delivery, would) = match &record.withheld {
        Some(withheld) => (withheld, "Would have been delivered"),
        None => (&record.delivery, "Delivered"),
    };
    let delivered = format!("{would}: {}", timeline::told(delivery));
    let Some(answer) = answer else {
        return text + &section(&titled(&delivered, &delivery.body), &body(&delivery.body, most));
    };
    if delivery.kind == "repaired" && answer.body.text != delivery.body.text {
        let title = "Answer and delivery: [-removed-]{+added+}";
        let both = words::text(&answer.body.text, &delivery.body.text, most);
        return text + &section(&titled(title, &answer.body), &both);
    }
    let same = answer.body.text == delivery.body.text;
    let title = if same { "Answer, delivered with the same body" } else { "Answer" };
    text += &section(&titled(title, &answer.body), &body(&answer.body, most));
    if !same {
        text += &section(&titled(&delivered, &delivery.body), &body(&delivery.body, most));
    }
    text
}

/// The title, with what is not as it came.
fn titled(title: &str, body: &BodyRecord) -> String {
    let mut notes = Vec::new();
    if body.masked {
        notes.push("masked".to_owned());
    }
    if body.cut {
        notes.push(format!("the beginning of {}", counted(body.bytes as u64, "byte", "bytes")));
    }
    if notes.is_empty() { title.to_owned() } else { format!("{title} ({})", notes.join(", ")) }
}

/// A body's lines, at most so many.
fn body(body: &BodyRecord, most: usize) -> String {
    if body.text.is_empty() {
        return format!("{INDENT}(empty)\n");
    }
    let all = || body.text.lines().flat_map(|line| lines(line, COLUMNS - INDENT.len()));
    let mut text = String::new();
    for line in all().take(most) {
        let _ = writeln!(text, "{INDENT}{line}");
    }
    let more = all().skip(most).count();
    if more > 0 {
        let _ = writeln!(text, "{INDENT}… {more} lines more; --full shows them");
    }
    text
}
