//! An empty answer to an action: nothing more to say, or a caller left in silence.

use super::{Assessment, Verdictless};
use crate::guard::call::StreamState;
use crate::guard::causes::{Check, stream};
use crate::guard::exchange::Exchange;
use crate::guard::finding::Finding;
use crate::guard::policy::Policy;
use crate::twilio::{Slot, call, recognise};

/// Whether an action that answers nothing loses nothing, and why (design: slots).
pub(super) fn silence(exchange: &Exchange, policy: &Policy) -> (bool, Option<String>) {
    let params = &exchange.request.params;
    if call::is_over(params) {
        return (true, Some("the call is over".to_owned()));
    }
    if call::step_is_done(params) {
        return (true, Some("the step was done".to_owned()));
    }
    let (is_done, stream) = match &exchange.call.stream {
        _ if !follows_stream(exchange) => (false, None),
        StreamState::None => (false, None),
        StreamState::NeverOpened { url } => {
            (false, Some(format!("its stream {url} was never opened")))
        }
        StreamState::Open => (false, Some("its stream is not known to be over".to_owned())),
        StreamState::Over(report) => (
            report.did_its_work(policy.stream_done),
            Some(format!("its stream {}", report.words())),
        ),
    };
    if is_done {
        return (true, stream);
    }
    let waits = call::status_is_known(params).then(|| "the caller is still on the line".to_owned());
    let why: Vec<String> = stream.into_iter().chain(waits).collect();
    (false, Some(why.join("; ")).filter(|why| !why.is_empty()))
}

/// Joins a stream that died at once or never started with the action that says nothing behind it:
/// there the caller is left. Behind any other answer the backend has spoken, and what the stream
/// came to is on its own record; that nothing of it passed here may be another guard's doing.
pub(in crate::guard) fn note_stream(exchange: &Exchange, assessment: &mut Assessment) {
    let params = &exchange.request.params;
    let is_silent = matches!(assessment.outcome, Verdictless::Empty | Verdictless::Unfit);
    if exchange.slot != Slot::Action
        || !is_silent
        || call::is_over(params)
        || call::step_is_done(params)
        || !follows_stream(exchange)
    {
        return;
    }
    match &exchange.call.stream {
        StreamState::NeverOpened { url } => {
            let evidence = format!("no handshake came for {url}");
            let cause = &stream::stream_never_started::CAUSE;
            assessment.findings.push(Finding::new(cause, evidence));
        }
        StreamState::Over(report) => {
            let joined =
                [&stream::stream_never_started::CAUSE, &stream::stream_died_at_once::CAUSE];
            let found = joined.into_iter().filter_map(|cause| match cause.check {
                Check::Stream(find) => Some(Finding::new(cause, find(report)?)),
                _ => None,
            });
            assessment.findings.extend(found);
        }
        StreamState::None | StreamState::Open => {}
    }
}

/// Whether the request comes because a `<Connect>` ended.
fn follows_stream(exchange: &Exchange) -> bool {
    let params = &exchange.request.params;
    match &exchange.call.role.handed_out {
        Some(place) => place.element == "Connect",
        // Every other step tells what it came to.
        None => params.has("SessionStatus") || recognise::infer(params) != Some(Slot::Action),
    }
}
