//! The phases of one exchange, in milliseconds after the request came.

use crate::cli::text::{counted, cut, millis, wrapped};
use crate::incidents::record::{AttemptRecord, DeliveryRecord, Record};

/// Most columns of a target.
const TARGET: usize = 48;

/// One line for each phase.
pub(super) fn text(record: &Record) -> String {
    let row = &record.row;
    let mut text = line(
        0,
        &format!(
            "request came: {} {}, {}",
            row.method,
            cut(&record.request.target, TARGET),
            bytes(record.request.body_bytes)
        ),
    );
    let last = record.attempts.len().saturating_sub(1);
    for (at, attempt) in record.attempts.iter().enumerate() {
        let failure = record.failure.as_deref().filter(|_| at == last);
        text += &phases(attempt, &record.upstream, failure);
    }
    let decided =
        record.attempts.last().map_or(row.upstream_ms, |last| last.started_ms + last.total_ms);
    let left = millis(row.budget_left_ms);
    text +=
        &line(decided, &format!("delivered {}; {left} left of the budget", told(&record.delivery)));
    if let Some(withheld) = &record.withheld {
        text += &line(
            decided,
            &format!("observing: enforcing would have delivered {}", told(withheld)),
        );
    }
    text
}

fn phases(attempt: &AttemptRecord, upstream: &str, failure: Option<&str>) -> String {
    let start = attempt.started_ms;
    let why = match attempt.reason.as_str() {
        "redirect" => ", following a redirect",
        "collapsed" => ", without the doubled slash",
        "other-method" => ", with the other method",
        "post-again" => ", as POST",
        _ => "",
    };
    let body = bytes(attempt.body_bytes);
    let mut text = line(
        start,
        &format!(
            "sent {} {} to {upstream}{why}, {body}",
            attempt.method,
            cut(&attempt.target, TARGET)
        ),
    );
    if attempt.connect_ms > 0 {
        text += &line(start + attempt.connect_ms, "connected");
    }
    let end = start + attempt.total_ms;
    let Some(answer) = &attempt.answer else {
        let failed = format!("no answer: {}", failure.unwrap_or("it was not kept"));
        return text + &line(end, &failed);
    };
    let kind = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.map(|(_, value)| format!(" {value}")).unwrap_or_default();
    let head = format!("{}{kind}", answer.status);
    if let Some(first) = attempt.first_byte_ms {
        text += &line(start + first, &format!("first byte: {head}"));
    }
    text + &line(end, &format!("answer {}: {head}, {}", answer.end, bytes(answer.body.bytes)))
}

/// What a delivery is, in a few words.
pub(super) fn told(delivery: &DeliveryRecord) -> String {
    let what = match delivery.kind.as_str() {
        "original" => "the original".to_owned(),
        "repaired" => "the repaired document".to_owned(),
        "empty" => "nothing more to say".to_owned(),
        "fallback" => format!("fallback `{}`", delivery.fallback.as_deref().unwrap_or_default()),
        "redirect" => "a redirect that Twilio signs itself".to_owned(),
        "refusal" => "a refusal".to_owned(),
        other => other.to_owned(),
    };
    format!("{what}: {}, {}", delivery.status, bytes(delivery.body.bytes))
}

fn bytes(number: usize) -> String {
    counted(number as u64, "byte", "bytes")
}

fn line(ms: u64, text: &str) -> String {
    wrapped(&format!("{:>12}  ", millis(ms)), text)
}
