//! From the fuzzer's bytes to what is judged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use twiml_guard::guard::policy::{OnFault, Repairs};
use twiml_guard::guard::{Answer, BodyEnd, CallFacts, Exchange, Outcome, Policy, RequestFacts};
use twiml_guard::twilio::{Params, Slot};

const STATUSES: [u16; 16] =
    [200, 200, 200, 200, 201, 202, 204, 301, 302, 400, 401, 403, 404, 405, 500, 503];
const FORM: &[u8] = b"CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=in-progress&From=%2B15550100001&To=%2B15550100002";

/// `None` for fewer than three bytes.
pub fn exchange(data: &[u8]) -> Option<(Exchange, Policy)> {
    let &[slot, status, rest, ref answer @ ..] = data else { return None };
    let slot = Slot::ALL[usize::from(slot) % Slot::ALL.len()];
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let end = match rest % 8 {
        5 => BodyEnd::Truncated { detail: "closed".to_owned() },
        6 => BodyEnd::TooLate,
        7 => BodyEnd::TooLarge { limit: answer.len() },
        _ => BodyEnd::Complete,
    };
    let policy = Policy {
        on_fault: if rest & 0x08 == 0 { OnFault::Fallback } else { OnFault::Fail },
        repairs: if rest & 0x10 == 0 { Repairs::All } else { Repairs::Lossless },
        observe: rest & 0x80 != 0,
        own_hosts: vec!["pbx.example.com".to_owned()],
        public_origin: Some("https://pbx.example.com".to_owned()),
        ..Policy::default()
    };
    let (headers, body) = message(answer);
    let exchange = Exchange {
        slot,
        request: Arc::new(RequestFacts {
            method: Method::POST,
            target: "/voice".to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: false,
            params: Params::from_form(FORM),
            body: Bytes::from_static(FORM),
        }),
        attempts: Vec::new(),
        outcome: Outcome::Answered(Answer {
            status: StatusCode::from_u16(status).ok()?,
            headers,
            body: Bytes::copy_from_slice(body),
            end,
            odd: twiml_guard::guard::Oddities::default(),
        }),
        elapsed: Duration::from_millis(100),
        call: CallFacts::default(),
    };
    Some((exchange, policy))
}

/// Header lines up to an empty one, then the body; lines that are no header are left out.
pub fn message(mut rest: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            return (headers, rest);
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}
