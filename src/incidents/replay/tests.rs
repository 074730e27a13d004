use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::config::Capture;
use crate::guard::{Exchange, judge};
use crate::incidents::sample::Sample;
use crate::incidents::{Incident, Sent};

const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// As the proxy records: the form's parameters, then the query's, and the headers as sent.
fn incident(target: &str, form: &str, headers: &[(&str, &str)]) -> Incident {
    let mut incident = Sample::default()
        .target(target)
        .form(form)
        .body(200, "text/xml", "<Response><Say>A & B</Say></Response>")
        .incident();
    let exchange = Arc::make_mut(&mut incident.exchange);
    if let Some((_, query)) = target.split_once('?') {
        Arc::make_mut(&mut exchange.request).params.append_form(query.as_bytes());
    }
    let mut all = HeaderMap::new();
    for (name, value) in [("content-type", FORM)].iter().chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        all.append(name, HeaderValue::from_str(value).unwrap());
    }
    incident.sent =
        vec![Sent { headers: Arc::new(all), body_bytes: form.len(), ..Sent::default() }];
    incident
}

fn record(incident: &Incident, capture: Capture) -> Record {
    Record::of(incident, Row::of(&incident.told()), capture)
}

fn rebuilt(target: &str, form: &str, headers: &[(&str, &str)]) -> Request {
    Request::of(&record(&incident(target, form, headers), Capture::Masked)).unwrap()
}

#[test]
fn what_was_not_masked_comes_back_byte_for_byte() {
    let target = "/voice/a%20b;c?x=1&&empty=&flag&y=%D7%A9&z=a+b";
    let form = "CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=ringing&CallerCity=Z%C3%BCrich&Empty=";
    let headers = [
        ("host", "pbx.example.com"),
        ("user-agent", "TwilioProxy/1.1"),
        ("x-twilio-signature", "c2VjcmV0"),
        ("cookie", "sid=1"),
        ("i-twilio-idempotency-token", "0192"),
        ("content-length", "9999"),
        ("accept-encoding", "identity"),
        ("x-forwarded-for", "203.0.113.9, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "pbx.example.com"),
        ("via", "1.1 twiml-guard"),
    ];
    let request = rebuilt(target, form, &headers);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", target));
    assert_eq!(request.body, form);
    assert_eq!(request.substitutes, []);
    let sent: Vec<_> =
        request.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    assert_eq!(
        sent,
        [
            &format!("content-type: {FORM}"),
            "host: pbx.example.com",
            "user-agent: TwilioProxy/1.1",
            "x-forwarded-for: 203.0.113.9",
            "x-forwarded-proto: https",
            "x-forwarded-host: pbx.example.com",
        ]
    );
    assert_eq!(request.left_out, ["cookie", "i-twilio-idempotency-token", "x-twilio-signature"]);
    assert_eq!(request.url(None), format!("https://pbx.example.com{target}"));
    assert_eq!(request.url(Some("https://other")), format!("https://other{target}"));
}

#[test]
fn what_was_masked_is_substituted_and_said() {
    let request = rebuilt(
        "/calls/15550104477/menu?step=2&Digits=99&From=%2B15550104477",
        "From=%2B15550104477&Digits=4711&SpeechResult=open+sesame&CallStatus=ringing",
        &[],
    );
    assert_eq!(
        request.target.as_str(),
        "/calls/5550104477/menu?step=2&Digits=1&From=%2B15550104477"
    );
    assert_eq!(request.body, "From=%2B15550104477&Digits=1&SpeechResult=test&CallStatus=ringing");
    let said: Vec<_> = request.substitutes.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(said, ["path", "Digits", "From", "SpeechResult"]);
    assert!(request.substitutes.iter().all(|s| s.recorded != s.sent));
}

#[test]
fn what_was_not_kept_is_not_made_up() {
    let mut json = incident("/voice", "{\"a\":1}", &[]);
    let json_type = HeaderValue::from_static("application/json");
    Arc::make_mut(&mut json.sent[0].headers).insert("content-type", json_type);
    assert_eq!(Request::of(&record(&json, Capture::Masked)).unwrap_err(), Unfit::Body(7));
    let mut unsent = record(&json, Capture::Masked);
    unsent.attempts.clear();
    assert!(matches!(Request::of(&unsent), Err(Unfit::Refused(_))));
    let many = vec!["a=1"; 400].join("&");
    let many = record(&incident("/voice", &many, &[]), Capture::Masked);
    assert_eq!(Request::of(&many).unwrap_err(), Unfit::Parameters);
    let mut stream = record(&incident("/media", "", &[]), Capture::Masked);
    stream.row.slot = Slot::Stream.name().to_owned();
    assert_eq!(Request::of(&stream).unwrap_err(), Unfit::Stream);
}

#[test]
fn an_incident_is_fixed_when_its_cause_is_gone_and_no_other_came() {
    let of = |kind: &str, body: &str| Sample::default().body(200, kind, body).incident();
    let verdict =
        |before: &Incident, after: &Incident| compare(&Row::of(&before.told()), &after.judgement);
    let good = of("text/xml", "<Response><Say>Hello</Say></Response>");
    let bare = of("text/xml", "<Response><Say>A & B</Say></Response>");
    let page = of("text/html", "<!DOCTYPE html><html><body>Error</body></html>");
    let prose = of("text/plain", "Hello and welcome to the clinic, please hold.");
    assert_eq!(verdict(&bare, &good), Now::Fixed);
    assert_eq!(verdict(&bare, &bare), Now::StillBroken);
    assert_eq!(verdict(&bare, &page), Now::Different);
    // A warning is no fault, but an incident of nothing else lasts as long as it does.
    assert_eq!(verdict(&bare, &prose), Now::Fixed);
    assert_eq!(verdict(&prose, &prose), Now::StillBroken);
    assert_eq!(verdict(&prose, &good), Now::Fixed);
}

#[test]
fn in_observe_mode_a_fault_that_is_left_is_still_one() {
    let sample =
        || Sample::default().body(200, "text/xml", "<Response><Say>A & B</Say></Response>");
    let before = sample().incident();
    let after = sample().policy(|policy| policy.observe = true).incident();
    assert_eq!(compare(&Row::of(&before.told()), &after.judgement), Now::StillBroken);
    let exchange: &Exchange = &after.exchange;
    assert!(judge(exchange, after.route.policy.configured()).withheld.is_some());
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

proptest! {
    #[test]
    fn nothing_masked_reaches_the_request(
        number in "\\+[2-9][0-9]{9,12}",
        digits in "[0-9]{1,9}",
        path in "[a-z]{1,8}",
    ) {
        // What was keyed is masked in the number too.
        prop_assume!(digits.len() < 4 || !number.contains(&digits));
        let encoded = params::encode(&number);
        let target = format!("/{path}?From={encoded}&Digits={digits}");
        let form = format!("To={encoded}&Digits={digits}&CallStatus=ringing");
        let incident = incident(&target, &form, &[("x-caller", number.as_str())]);
        let masked = Request::of(&record(&incident, Capture::Masked)).unwrap();
        let last = &number[number.len() - 4..];
        let substitute = format!("%2B1555010{last}");
        prop_assert_eq!(&masked.target.to_string(), &format!("/{path}?From={substitute}&Digits=1"));
        prop_assert_eq!(text(&masked.body), format!("To={substitute}&Digits=1&CallStatus=ringing"));
        let value = masked.headers["x-caller"].to_str().unwrap();
        prop_assert_eq!(value, format!("+1555010{last}"));
        let full = Request::of(&record(&incident, Capture::Full)).unwrap();
        prop_assert_eq!(full.target.as_str(), &target);
        prop_assert_eq!(text(&full.body), form.clone());
        prop_assert_eq!(full.substitutes, []);
    }
}
