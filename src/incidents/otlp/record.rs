//! An incident as a log record: the fields of its log event under the same names, masked alike.

use http::HeaderMap;
use uuid::Uuid;

use super::proto::{AnyValue, KeyValue, LogRecord};
use crate::clock;
use crate::incidents::event::{BodyShown, Told};
use crate::telemetry::fields;
use crate::telemetry::settings::LogBody;

const EVENT: &str = "twiml_guard.incident";
/// OpenTelemetry's numbers for INFO and WARN.
const INFO: i32 = 9;
const WARN: i32 = 13;

/// The record of an incident, with as much of the body as `body` says.
pub(super) fn record(incident: &Told<'_>, body: LogBody, outbreak: Uuid) -> LogRecord {
    let own = incident.fields(body, BodyShown::Itself);
    let mut attributes: Vec<_> = own
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| KeyValue { key: (*key).to_owned(), value: Some(AnyValue::from(value)) })
        .collect();
    attributes.push(KeyValue::text(fields::OUTBREAK, &outbreak.to_string()));
    let trace = incident.sent.first().and_then(|sent| trace(&sent.headers)).unwrap_or_default();
    let level = incident.level();
    LogRecord {
        time_unix_nano: nanos(incident.time_ms),
        observed_time_unix_nano: nanos(clock::now_ms()),
        severity_number: if level == "INFO" { INFO } else { WARN },
        severity_text: level.to_owned(),
        body: Some(AnyValue::text(incident.message())),
        attributes,
        flags: trace.flags,
        trace_id: trace.id,
        span_id: trace.span,
        event_name: EVENT.to_owned(),
    }
}

/// Milliseconds as OTLP's nanoseconds.
pub(super) const fn nanos(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    id: Vec<u8>,
    span: Vec<u8>,
    flags: u32,
}

/// W3C's `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace(headers: &HeaderMap) -> Option<Trace> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let version = hex(parts.next()?, 1)?;
    let id = hex(parts.next()?, 16)?;
    let span = hex(parts.next()?, 8)?;
    let flags = hex(parts.next()?, 1)?;
    let is_last = parts.next().is_none();
    let is_sound = version != [0xff] && (is_last || version != [0]);
    let is_there = |id: &[u8]| id.iter().any(|byte| *byte != 0);
    let found = is_sound && is_there(&id) && is_there(&span);
    found.then(|| Trace { id, span, flags: flags.first().copied().unwrap_or_default().into() })
}

/// So many bytes in lower-case hexadecimal.
fn hex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != bytes * 2 || !text.bytes().all(is_hex) {
        return None;
    }
    (0..bytes).map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::proto::Any;
    use super::*;
    use crate::incidents::sample::Sample;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traced(text: &str) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(text).unwrap());
        trace(&headers)
    }

    #[test]
    fn trace_context_is_read_as_w3c_says() {
        let found = traced(PARENT).unwrap();
        assert_eq!(
            (found.id.first(), found.span.last(), found.flags),
            (Some(&0x0a), Some(&0x31), 1)
        );
        assert!(traced(&format!("{PARENT}-more").replacen("00", "cc", 1)).is_some());
        for wrong in [
            String::new(),
            PARENT.to_uppercase(),
            format!("{PARENT}-more"),
            PARENT.replacen("00", "ff", 1),
            PARENT.replace("b7ad6b7169203331", "0000000000000000"),
            PARENT.replace("0af7", "xaf7"),
        ] {
            assert_eq!(traced(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_record_has_the_events_fields_and_nothing_unmasked() {
        let form = "CallSid=CA0123456789abcdef0123456789ab1f03&CallStatus=ringing&From=%2B15550104477&Digits=778899";
        let page = "<h1>Oops</h1> Digits 778899 from +15550104477, token=s3cr3t-1";
        let sample = || Sample::default().form(form).header("set-cookie", "sid=s3cr3t-2");
        let incident = sample().body(500, "text/html", page).incident();
        let record = record(&incident.told(), LogBody::Full, Uuid::nil());
        let text = |key: &str| {
            let found = record.attributes.iter().find(|own| own.key == key)?;
            match found.value.as_ref()?.value.as_ref()? {
                Any::StringValue(text) => Some(text.as_str()),
                _ => None,
            }
        };
        assert_eq!(text(fields::CAUSE), Some("html-page"));
        assert_eq!(text(fields::ROUTE), Some("/voice"));
        assert_eq!(text(fields::INCIDENT), Some(incident.id.to_string().as_str()));
        assert!(text(fields::BACKEND_BODY).is_some_and(|body| body.contains("Oops")));
        assert_eq!((record.severity_number, record.severity_text.as_str()), (WARN, "WARN"));
        assert_eq!(record.time_unix_nano, incident.time_ms * 1_000_000);
        let shown = format!("{record:?}");
        for secret in ["778899", "5550104477", "s3cr3t"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        let bare = super::record(&incident.told(), LogBody::None, Uuid::nil());
        assert!(bare.attributes.iter().all(|own| own.key != fields::BACKEND_BODY));
    }
}
