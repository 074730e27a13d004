//! A GET that bears Twilio's form in its query, where the route takes a POST: a redirect in front of
//! the guard may have made it one.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::other_method::{as_post, changes_method, holds_entered, is_twilios, may_be};
use super::{RequestBody, SecondRequest};
use crate::guard::assess::{Look, assess_document};
use crate::guard::call::CallFacts;
use crate::guard::causes::document::{html_page, single_page_app};
use crate::guard::exchange::{Answer, Attempt, AttemptReason, Exchange, Outcome, RequestFacts};
use crate::guard::policy::{OtherMethod, Policy};
use crate::twilio::Slot;

/// Asks once more as POST, with the form out of the query, where no route took the GET.
///
/// Whatever was entered is sent again: a route that does not take the method did nothing with it,
/// and it stands in the URL already.
pub(super) fn post_again(
    request: &RequestFacts,
    attempts: &[Attempt],
    last: &Attempt,
    status: StatusCode,
    policy: &Policy,
) -> Option<SecondRequest> {
    let is_due = match status.as_u16() {
        404 => true,
        405 => may_be(&Method::POST, last.allow.as_deref()),
        _ => false,
    };
    if is_due { as_lost_post(request, attempts, policy) } else { None }
}

/// The same where the GET was answered with a web page: the index of a single-page app, or what a
/// catch-all route shows.
///
/// This one may have run a handler. It is asked again all the same, because a GET is safe by HTTP's
/// own rules (RFC 9110, section 9.2.1), a page is an answer for people and none to a webhook, and
/// the call would break on it. Not asked again: what a caller entered, which must be taken once;
/// and callbacks, for which a page is as good as any answer.
pub(super) fn post_after_page(
    slot: Slot,
    request: &RequestFacts,
    attempts: &[Attempt],
    answer: &Answer,
    policy: &Policy,
) -> Option<SecondRequest> {
    let is_no_document = matches!(slot, Slot::Callback | Slot::Stream);
    if is_no_document || request.method != Method::GET || holds_entered(&request.params) {
        return None;
    }
    let second = as_lost_post(request, attempts, policy)?;
    is_page(slot, request, answer, policy).then_some(second)
}

fn as_lost_post(
    request: &RequestFacts,
    attempts: &[Attempt],
    policy: &Policy,
) -> Option<SecondRequest> {
    let last = attempts.last()?;
    let came_as_get = request.method == Method::GET && last.method == Method::GET;
    if policy.other_method == OtherMethod::Never
        || !came_as_get
        || !request.body.is_empty()
        || !is_twilios(&request.params)
        || attempts.iter().any(|attempt| changes_method(&attempt.reason))
    {
        return None;
    }
    let (target, form) = as_post(&last.target)?;
    Some(SecondRequest {
        method: Method::POST,
        target,
        body: RequestBody::Form(form),
        as_https: false,
        reason: AttemptReason::PostAgain,
    })
}

/// Whether an answer is a web page out of which no TwiML can be taken.
fn is_page(slot: Slot, request: &RequestFacts, answer: &Answer, policy: &Policy) -> bool {
    let exchange = Exchange {
        slot,
        request: Arc::new(request.clone()),
        attempts: Vec::new(),
        outcome: Outcome::Answered(answer.clone()),
        elapsed: std::time::Duration::ZERO,
        call: CallFacts::default(),
    };
    let pages = [&html_page::CAUSE, &single_page_app::CAUSE];
    let found = assess_document(&exchange, answer, policy, Look::Full).findings;
    found
        .iter()
        .any(|finding| finding.repair.is_none() && pages.iter().any(|page| finding.is(page)))
}
