//! Whether Twilio would take an answer, by the contract of a delivery.

use std::sync::Arc;

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, StatusCode};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::params::parameters;
use super::webhook::Response;
use crate::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, CallFacts, Exchange, Outcome, Policy, RequestFacts,
    Verdict, judge,
};
use crate::twilio::Slot;
use crate::twilio::limits::{MAX_TWIML_BYTES, WEBHOOK_TIMEOUT};

/// Why Twilio would not take an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Twilio would log {code}: {why}")]
pub struct Refused {
    /// Twilio's code.
    pub code: u32,
    /// What was expected and what was found.
    pub why: String,
}

/// Whether Twilio would take this answer in this slot.
///
/// The framing, the type and the text are checked here, apart from the judge; what the verbs may
/// be is the judge's to say: the answer must be one that it leaves untouched.
pub fn accepts(response: &Response, slot: Slot) -> Result<(), Refused> {
    if response.elapsed >= WEBHOOK_TIMEOUT {
        return refused(11205, format!("it took {} ms", response.elapsed.as_millis()));
    }
    if slot == Slot::Callback {
        return if response.status.is_success() {
            Ok(())
        } else {
            refused(15003, format!("a callback was answered with {}", response.status.as_u16()))
        };
    }
    if asks_for_credentials(response) {
        return Ok(());
    }
    if response.status != StatusCode::OK {
        return refused(11200, format!("expected status 200, found {}", response.status.as_u16()));
    }
    framing(response)?;
    cookies(&response.headers)?;
    content(response, slot)?;
    untouched(response, slot)
}

fn refused<T>(code: u32, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { code, why: why.into() })
}

/// Twilio answers such a challenge with the credentials of its URL.
fn asks_for_credentials(response: &Response) -> bool {
    response.status == StatusCode::UNAUTHORIZED
        && response.headers.get_all(WWW_AUTHENTICATE).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            value.starts_with(b"basic") || value.starts_with(b"digest")
        })
}

fn framing(response: &Response) -> Result<(), Refused> {
    let headers = &response.headers;
    if headers.contains_key(TRANSFER_ENCODING) {
        return refused(12100, "expected Content-Length, found chunks");
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<usize>().ok()) != Some(response.body.len()) {
        let found = length.unwrap_or("none");
        let expected = response.body.len();
        return refused(11206, format!("expected Content-Length {expected}, found {found}"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return refused(12100, "found a Content-Encoding that Twilio did not ask for");
    }
    Ok(())
}

pub(super) fn cookies(headers: &HeaderMap) -> Result<(), Refused> {
    for cookie in headers.get_all(SET_COOKIE) {
        let bytes = cookie.as_bytes().trim_ascii_start();
        if bytes.iter().any(u8::is_ascii_control) || matches!(bytes.first(), None | Some(b'=')) {
            return refused(11206, "found a cookie with control characters or without a name");
        }
    }
    Ok(())
}

fn content(response: &Response, slot: Slot) -> Result<(), Refused> {
    let types: Vec<_> = response.headers.get_all(CONTENT_TYPE).iter().collect();
    let [value] = types.as_slice() else {
        return refused(12300, format!("expected one Content-Type, found {}", types.len()));
    };
    let essence = String::from_utf8_lossy(value.as_bytes())
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        "text/xml" | "application/xml" | "text/html" => document(&response.body),
        "text/plain" if matches!(slot, Slot::Voice | Slot::Messaging) => Ok(()),
        audio if audio.starts_with("audio/") && slot.is_voice() => Ok(()),
        other => refused(12300, format!("expected text/xml, found `{other}`")),
    }
}

/// UTF-8 without BOM, no DOCTYPE, well-formed, root `Response`, at most 64 kB.
pub(super) fn document(body: &[u8]) -> Result<(), Refused> {
    if body.len() > MAX_TWIML_BYTES {
        return refused(11750, format!("expected at most 64 kB, found {} bytes", body.len()));
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return refused(12100, "found a byte order mark");
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return refused(12100, "expected UTF-8");
    };
    if text.starts_with(char::is_whitespace) && text.trim_start().starts_with("<?xml") {
        return refused(12100, "found blanks before the XML declaration");
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut depth = 0_usize;
    let mut roots = 0_usize;
    loop {
        match reader.read_event() {
            Err(error) => return refused(12100, error.to_string()),
            Ok(Event::Eof) => break,
            Ok(Event::DocType(_)) => return refused(12100, "found a DOCTYPE"),
            Ok(Event::Start(start)) => {
                roots += usize::from(depth == 0);
                element(&start, depth)?;
                depth += 1;
            }
            Ok(Event::Empty(start)) => {
                roots += usize::from(depth == 0);
                element(&start, depth)?;
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(text)) if depth == 0 && !text.trim_ascii().is_empty() => {
                return refused(12100, "found text outside the root element");
            }
            Ok(Event::GeneralRef(name)) => entity(&name)?,
            Ok(_) => {}
        }
    }
    if roots != 1 || depth != 0 {
        return refused(12100, format!("expected one whole root element, found {roots}"));
    }
    Ok(())
}

fn element(start: &BytesStart<'_>, depth: usize) -> Result<(), Refused> {
    let name = start.name();
    if depth == 0 && name.as_ref() != "Response" {
        let found = name.as_ref();
        return refused(12102, format!("expected root `Response`, found `{found}`"));
    }
    for attribute in start.attributes() {
        let attribute = match attribute {
            Ok(attribute) => attribute,
            Err(error) => return refused(12100, error.to_string()),
        };
        for piece in attribute.value.split('&').skip(1) {
            let name = piece.split(';').next().unwrap_or_default();
            if name.len() == piece.len() {
                return refused(12100, "found a bare `&` in an attribute");
            }
            entity(name)?;
        }
        if attribute.value.contains('<') {
            return refused(12100, "found `<` in an attribute");
        }
    }
    Ok(())
}

fn entity(name: &str) -> Result<(), Refused> {
    if name.starts_with('#') || matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
        return Ok(());
    }
    refused(12100, format!("entity `{name}` is not declared"))
}

fn untouched(response: &Response, slot: Slot) -> Result<(), Refused> {
    let exchange = Exchange {
        slot,
        request: Arc::new(RequestFacts {
            method: Method::POST,
            target: "/".into(),
            host: None,
            has_authorization: false,
            params: parameters(slot).into_iter().collect(),
            body: bytes::Bytes::new(),
        }),
        attempts: vec![Attempt {
            method: Method::POST,
            target: "/".into(),
            reason: AttemptReason::First,
            status: Some(response.status),
            location: None,
            allow: None,
        }],
        outcome: Outcome::Answered(Answer {
            status: response.status,
            headers: response.headers.clone(),
            body: response.body.clone(),
            end: BodyEnd::Complete,
            odd: crate::guard::Oddities::default(),
        }),
        elapsed: response.elapsed,
        call: CallFacts::default(),
    };
    let judgement = judge(&exchange, &Policy::default());
    match (judgement.verdict, judgement.findings.first()) {
        (Verdict::Untouched, _) => Ok(()),
        (_, Some(finding)) => refused(
            judgement.codes().first().copied().unwrap_or(12200),
            format!("{} ({})", finding.evidence, finding.cause.slug),
        ),
        (_, None) => refused(12200, "the judge would not leave it as it is"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use std::time::Duration;

    use super::*;

    fn response(content_type: &'static str, body: &'static [u8]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_LENGTH, body.len().into());
        Response {
            status: StatusCode::OK,
            headers,
            body: bytes::Bytes::from_static(body),
            elapsed: Duration::ZERO,
        }
    }

    type Change = fn(&mut HeaderMap);

    fn code(response: &Response, slot: Slot) -> Option<u32> {
        accepts(response, slot).err().map(|refused| refused.code)
    }

    #[test]
    fn good_twiml_is_taken() {
        let good = response("text/xml", b"<Response><Say>a &amp; b</Say></Response>");
        assert_eq!(accepts(&good, Slot::Voice), Ok(()));
    }

    #[test]
    fn each_breach_of_the_contract_is_refused() {
        let bodies: [(&[u8], u32); 10] = [
            (b"", 12100),
            (b"<html/>", 12102),
            (b"\xef\xbb\xbf<Response/>", 12100),
            (b"<Response><Say></Response>", 12100),
            (b"<!DOCTYPE x><Response/>", 12100),
            (b"<Response/>tail", 12100),
            (b"<Response/><Response/>", 12100),
            (b"<Response><Play a='x&y'/></Response>", 12100),
            (b"<Response>&nbsp;</Response>", 12100),
            (b"\n<?xml version='1.0'?><Response/>", 12100),
        ];
        for (body, expected) in bodies {
            let found = code(&response("text/xml", body), Slot::Voice);
            assert_eq!(found, Some(expected), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn head_and_framing_are_held_to_the_contract_too() {
        let good = response("text/xml", b"<Response/>");
        let changed = |change: fn(&mut HeaderMap)| {
            let mut response = good.clone();
            change(&mut response.headers);
            code(&response, Slot::Voice)
        };
        let refusals: [(Change, u32); 5] = [
            (|headers| drop(headers.remove(CONTENT_LENGTH)), 11206),
            (|headers| drop(headers.insert(SET_COOKIE, HeaderValue::from_static("=x"))), 11206),
            (|headers| drop(headers.remove(CONTENT_TYPE)), 12300),
            (
                |headers| {
                    headers.append(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
                },
                12300,
            ),
            (
                |headers| drop(headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"))),
                12100,
            ),
        ];
        for (change, expected) in refusals {
            assert_eq!(changed(change), Some(expected));
        }
        let failed = Response { status: StatusCode::BAD_GATEWAY, ..good.clone() };
        assert_eq!(code(&failed, Slot::Voice), Some(11200));
        let late = Response { elapsed: Duration::from_secs(15), ..good };
        assert_eq!(code(&late, Slot::Voice), Some(11205));
    }

    #[test]
    fn a_callback_may_be_answered_with_anything_that_succeeds() {
        let mut answer = response("text/html", b"ok");
        assert_eq!(accepts(&answer, Slot::Callback), Ok(()));
        answer.status = StatusCode::INTERNAL_SERVER_ERROR;
        assert_eq!(code(&answer, Slot::Callback), Some(15003));
    }
}
