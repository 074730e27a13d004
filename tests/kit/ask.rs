//! One answer to one call, ready to be judged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use twiml_guard::guard::{Answer, BodyEnd, CallFacts, Exchange, Outcome, Policy, RequestFacts};
use twiml_guard::twilio::{Params, Slot};

const FORM: &str = "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=in-progress&From=%2B15550100001&To=%2B15550100002";

pub fn exchange(
    slot: Slot,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    end: BodyEnd,
) -> Exchange {
    Exchange {
        slot,
        request: Arc::new(RequestFacts {
            method: Method::POST,
            target: "/voice".to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: false,
            params: Params::from_form(FORM.as_bytes()),
            body: Bytes::from_static(FORM.as_bytes()),
        }),
        attempts: Vec::new(),
        outcome: Outcome::Answered(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::from(body),
            end,
            odd: twiml_guard::guard::Oddities::default(),
        }),
        elapsed: Duration::from_millis(100),
        call: CallFacts::default(),
    }
}

pub fn typed(content_type: &'static str, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("content-length", body.len().into());
    headers
}

pub fn policy() -> Policy {
    Policy {
        own_hosts: vec!["pbx.example.com".to_owned()],
        public_origin: Some("https://pbx.example.com".to_owned()),
        ..Policy::default()
    }
}
