//! Judging what a stream came to.

use std::borrow::Cow;

use bytes::Bytes;

use super::found;
use crate::guard::assess::{Assessment, Verdictless};
use crate::guard::call::StreamState;
use crate::guard::causes::Check;
use crate::guard::exchange::{Exchange, Outcome};
use crate::guard::stream::StreamReport;

/// A stream: whatever answered its handshake passes; what it came to is only said.
pub(super) fn stream(exchange: &Exchange) -> Assessment {
    let report = report_of(exchange);
    let findings = found(|check| match check {
        Check::Stream(find) => find(&report),
        _ => None,
    });
    match &exchange.outcome {
        Outcome::Answered(answer) => {
            let decoded = answer.body.clone();
            Assessment { findings, outcome: Verdictless::Accepted, decoded }
        }
        Outcome::Failed(_) => {
            Assessment { findings, outcome: Verdictless::Unfit, decoded: Bytes::new() }
        }
    }
}

/// What the stream came to; where nobody watched it, what its handshake tells.
fn report_of(exchange: &Exchange) -> Cow<'_, StreamReport> {
    if let StreamState::Over(report) = &exchange.call.stream {
        return Cow::Borrowed(report);
    }
    let mut report =
        StreamReport { path: exchange.request.path().to_owned(), ..StreamReport::default() };
    match &exchange.outcome {
        Outcome::Answered(answer) => report.note_answer(answer),
        Outcome::Failed(failure) => report.failure = Some(failure.clone()),
    }
    Cow::Owned(report)
}
