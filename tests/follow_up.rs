//! What is asked again, whatever the backend answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use twiml_guard::guard::policy::{OtherMethod, Redirects};
use twiml_guard::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, Oddities, Outcome, Policy, RequestBody, RequestFacts,
    SecondRequest, follow_up,
};
use twiml_guard::twilio::{Params, Slot};

const CALL: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=in-progress";
const PAGE: &str = "<!doctype html><html><body><h1>Hello</h1></body></html>";

fn request(is_post: bool, path: &str, form: &str) -> RequestFacts {
    let target = if is_post { path.to_owned() } else { format!("{path}?lang=en&{form}") };
    RequestFacts {
        method: if is_post { Method::POST } else { Method::GET },
        target,
        host: Some("pbx.example.com".to_owned()),
        has_authorization: false,
        params: Params::from_form(form.as_bytes()),
        body: Bytes::from(if is_post { form.to_owned() } else { String::new() }),
    }
}

/// Asks on as the guard does, the backend answering one after the other.
fn asked(
    slot: Slot,
    request: &RequestFacts,
    answers: &[(u16, &'static str)],
    policy: &Policy,
) -> (Vec<Attempt>, Vec<SecondRequest>) {
    let (mut attempts, mut seconds) = (Vec::new(), Vec::new());
    let mut now = (request.method.clone(), request.target.clone(), AttemptReason::First);
    for (status, location) in answers.iter().cycle().take(20) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/html"));
        attempts.push(Attempt {
            method: now.0,
            target: now.1,
            reason: now.2,
            status: StatusCode::from_u16(*status).ok(),
            location: Some((*location).to_owned()),
            allow: None,
        });
        let outcome = Outcome::Answered(Answer {
            status: StatusCode::from_u16(*status).unwrap(),
            headers,
            body: Bytes::from_static(PAGE.as_bytes()),
            end: BodyEnd::Complete,
            odd: Oddities::default(),
        });
        let Some(second) = follow_up(slot, request, &attempts, &outcome, policy) else { break };
        now = (second.method.clone(), second.target.clone(), second.reason.clone());
        seconds.push(second);
    }
    (attempts, seconds)
}

fn policy(observe: bool, other_method: OtherMethod, redirects: Redirects) -> Policy {
    Policy {
        observe,
        other_method,
        redirects,
        slow_after: Duration::from_secs(1),
        ..Policy::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_asked_too_often(
        slot in prop::sample::select(vec![Slot::Voice, Slot::Action, Slot::Messaging, Slot::Callback]),
        is_post in any::<bool>(),
        path in prop::sample::select(vec!["/voice", "//voice", "/a//b///c", "/a/b//"]),
        entered in prop::sample::select(vec!["", "&Digits=4711", "&PaymentToken=4711", "&SpeechResult=4711"]),
        answers in prop::collection::vec((
            prop::sample::select(vec![200, 204, 301, 302, 303, 307, 308, 307, 308, 403, 404, 405, 404, 500, 501]),
            prop::sample::select(vec!["/voice", "//voice", "/a/b/c", "https://pbx.example.com/voice", "/x//y", ""]),
        ), 1..6),
        observe in prop::bool::weighted(0.1),
        other_method in prop::sample::select(vec![OtherMethod::Never, OtherMethod::On405, OtherMethod::OnMissing]),
        redirects in prop::sample::select(vec![Redirects::Follow, Redirects::Replace]),
    ) {
        let request = request(is_post, path, &format!("{CALL}{entered}"));
        let (attempts, seconds) =
            asked(slot, &request, &answers, &policy(observe, other_method, redirects));
        prop_assert!(attempts.len() <= 4);
        prop_assert!(!observe || seconds.is_empty());
        for (at, second) in seconds.iter().enumerate() {
            let before = attempts.iter().take(at + 1);
            let same = before.filter(|sent| sent.method == second.method && sent.target == second.target);
            prop_assert!(same.count() <= usize::from(second.as_https), "{second:?}");
            let answered = answers.get(at % answers.len()).map(|(status, _)| *status);
            if second.reason != AttemptReason::Redirect && !entered.is_empty() {
                // What was entered stays where Twilio put it, and what may have taken it is not
                // asked again.
                prop_assert!(!is_post || !second.target.contains("4711"), "{second:?}");
                prop_assert!(!matches!(answered, Some(200 | 204)), "{second:?}");
            }
            if second.reason == AttemptReason::PostAgain {
                prop_assert!(!is_post && other_method != OtherMethod::Never);
                prop_assert!(!second.target.contains("CallSid") && second.target.ends_with("?lang=en"));
                let form = Bytes::from(format!("{CALL}{entered}"));
                prop_assert_eq!(&second.body, &RequestBody::Form(form));
            }
            if second.reason == AttemptReason::Collapsed {
                prop_assert!(!second.target.contains("//"));
            }
        }
        let of = |reason| seconds.iter().filter(|second| second.reason == reason).count();
        prop_assert!(of(AttemptReason::Collapsed) <= 1);
        prop_assert!(of(AttemptReason::PostAgain) + of(AttemptReason::OtherMethod) <= 1);
    }
}
