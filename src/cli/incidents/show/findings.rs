//! Findings, each drawn at its place in the answer as it was recorded.

use crate::cli::explain::draw;
use crate::cli::explain::report;
use crate::cli::text::wrapped;
use crate::guard::{Finding, Grade, Place, causes};
use crate::incidents::record::{BodyRecord, FindingRecord, PlaceRecord, Record};

/// Findings that are drawn; more are named.
const DRAWN: usize = 8;

/// All findings of a record.
pub(super) fn text(record: &Record) -> String {
    let body = record.attempts.last().and_then(|last| last.answer.as_ref()).map(|last| &last.body);
    let mut text = String::new();
    for (at, finding) in record.findings.iter().take(DRAWN).enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text += &match known(finding, body) {
            Some(known) => drawn(&known, body),
            None => wrapped("    ", &format!("{}: {}", finding.cause, finding.evidence)),
        };
    }
    let rest: Vec<_> = record.findings.iter().skip(DRAWN).map(|f| f.cause.as_str()).collect();
    if !rest.is_empty() {
        text += &wrapped("\nand also: ", &rest.join(", "));
    }
    text
}

fn drawn(finding: &Finding, body: Option<&BodyRecord>) -> String {
    let text = body.map_or("", |body| body.text.as_str());
    let mut notes = vec![report::done(finding)];
    if body.is_some_and(|body| body.masked) && finding.place.is_some_and(|at| is_masked(text, at)) {
        notes.push("something before it is masked: the mark may be some characters off".to_owned());
    }
    draw::finding(finding, text.as_bytes(), &notes, finding.cause.remedy)
}

/// The finding as the judge had it, its place as one of the recorded text; `None` for a cause that
/// this version does not know.
fn known(finding: &FindingRecord, body: Option<&BodyRecord>) -> Option<Finding> {
    let mut known = Finding::new(causes::by_slug(&finding.cause)?, finding.evidence.clone());
    known.place = finding.place.map(|place| Place {
        offset: body.map_or(place.offset, |body| offset(body, place)),
        line: place.line,
        column: place.column,
    });
    known.repair = match finding.repair.as_deref() {
        Some("inferred") => Some(Grade::Inferred),
        Some("lossless") => Some(Grade::Lossless),
        _ => None,
    };
    Some(known)
}

/// Where a place of the answer is in the text that was kept of it.
fn offset(body: &BodyRecord, place: PlaceRecord) -> usize {
    if !body.masked && (body.cut || body.bytes == body.text.len()) {
        return place.offset;
    }
    // Masked or decoded: characters are counted, not bytes.
    let mut start = 0;
    for line in body.text.split_inclusive('\n').take(place.line.saturating_sub(1)) {
        start += line.len();
    }
    let line = body.text.get(start..).unwrap_or_default();
    let line = line.split('\n').next().unwrap_or_default();
    let column = line.char_indices().nth(place.column.saturating_sub(1));
    start + column.map_or(line.len(), |(at, _)| at)
}

/// Whether something in this line before the place may be a mask.
fn is_masked(text: &str, place: Place) -> bool {
    let before = text.get(..place.offset).unwrap_or(text);
    before.rsplit('\n').next().is_some_and(|line| line.contains('…') || line.contains("***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, bytes: usize) -> BodyRecord {
        BodyRecord { text: text.to_owned(), bytes, ..BodyRecord::default() }
    }

    #[test]
    fn a_place_is_found_in_what_was_decoded() {
        // In Latin-1 the umlauts were one byte each.
        let decoded = body("<Response>\n<Say>für & wider", 24);
        let place = PlaceRecord { offset: 20, line: 2, column: 10 };
        assert_eq!(&decoded.text[offset(&decoded, place)..][..1], "&");
        let exact = body("a & b", 5);
        assert_eq!(offset(&exact, PlaceRecord { offset: 2, line: 1, column: 3 }), 2);
        let beyond = PlaceRecord { offset: 900, line: 90, column: 9 };
        assert_eq!(offset(&decoded, beyond), decoded.text.len());
    }
}
