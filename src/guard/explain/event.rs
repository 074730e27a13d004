//! What Twilio itself logged of an answer: a Debugger event, an Alert, an error of Event Streams.
//!
//! Field names are those of Twilio's pages on the Debugger webhook and on the Alert resource; they
//! are compared without case and underscores, since every SDK spells them its own way.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::request::Request;
use crate::twilio::{Params, codes};

/// What Twilio logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// The code, where it is one.
    pub code: Option<u32>,
    /// The event's own words.
    pub message: Option<String>,
    /// Its id (`NO…`).
    pub sid: Option<String>,
    /// What the event is about (`CA…`, `SM…`).
    pub resource: Option<String>,
    /// How many further events the paste holds.
    pub others: usize,
}

impl Logged {
    /// Whether the event is about a message.
    pub fn is_messaging(&self) -> bool {
        let about = self.resource.as_deref().unwrap_or_default();
        about.starts_with("SM") || about.starts_with("MM")
    }
}

/// An event with what it shows of request and answer.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub logged: Logged,
    pub request: Request,
    pub status: Option<StatusCode>,
    pub headers: Option<HeaderMap>,
    pub body: Option<Bytes>,
}

/// Reads an event: JSON of any of its shapes, the Debugger's form, or the console's text.
pub(super) fn read(input: &[u8]) -> Option<Event> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input).trim_ascii();
    match input.first()? {
        b'{' | b'[' => of_value(&serde_json::from_slice(input).ok()?, 0),
        _ => of_form(input).or_else(|| of_console(input)),
    }
}

/// Deepest wrapping that is looked through.
const MAX_WRAPS: usize = 4;

fn of_value(value: &Value, depth: usize) -> Option<Event> {
    if depth > MAX_WRAPS {
        return None;
    }
    match value {
        Value::Array(events) => {
            let mut event = of_value(events.first()?, depth + 1)?;
            event.logged.others += events.len() - 1;
            Some(event)
        }
        Value::Object(object) if is_event(object) => Some(of_object(object)),
        Value::Object(object) => ["alerts", "data", "body", "event"]
            .iter()
            .filter_map(|name| field(object, name))
            .find_map(|inner| of_value(inner, depth + 1)),
        Value::String(text) => {
            let inner = serde_json::from_str::<Value>(text).ok();
            match inner {
                Some(inner) if !inner.is_string() => of_value(&inner, depth + 1),
                _ => of_form(text.as_bytes()),
            }
        }
        _ => None,
    }
}

/// A code, or a payload that will hold one, beside a word that only Twilio's events have.
fn is_event(object: &Map<String, Value>) -> bool {
    let has = |name: &str| field(object, name).is_some();
    (has("payload") && (has("payloadtype") || has("accountsid")))
        || (has("errorcode")
            && ["alerttext", "moreinfo", "webhook", "requesturl", "resourcesid", "accountsid"]
                .iter()
                .any(|name| has(name)))
}

fn of_form(input: &[u8]) -> Option<Event> {
    if input.contains(&b'\n') || memchr::memmem::find(input, b"Payload=").is_none() {
        return None;
    }
    let params = Params::from_form(input);
    let object: Map<String, Value> =
        params.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    is_event(&object).then(|| of_object(&object))
}

fn of_object(outer: &Map<String, Value>) -> Event {
    let payload = field(outer, "payload").and_then(object_of);
    let inner = payload.as_ref().unwrap_or(outer);
    let more = field(inner, "moreinfo").and_then(object_of).unwrap_or_default();
    let webhook = field(inner, "webhook").and_then(object_of).unwrap_or_default();
    let asked = field(&webhook, "request").and_then(object_of).unwrap_or_default();
    let answered = field(&webhook, "response").and_then(object_of).unwrap_or_default();
    let alert = text(field(inner, "alerttext")).unwrap_or_default();
    let alert_is_form = alert.contains("ErrorCode=") || alert.contains("LogLevel=");
    let said = if alert_is_form { Params::from_form(alert.as_bytes()) } else { Params::default() };
    let of_more = |name: &str| text(field(&more, name));
    let of_alert = |name: &str| said.get(name).filter(|v| !v.is_empty()).map(str::to_owned);

    let message =
        [of_more("parsermessage"), of_alert("parserMessage"), of_more("msg"), of_alert("Msg")]
            .into_iter()
            .flatten()
            .next()
            .or_else(|| Some(alert.clone()).filter(|alert| !alert_is_form && !alert.is_empty()));
    let status = text(field(&answered, "statuscode"))
        .or_else(|| of_more("httpresponse"))
        .or_else(|| of_alert("httpResponse"))
        .and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok())
        .or_else(|| status_in(message.as_deref().unwrap_or_default()));
    let url = [
        text(field(&asked, "url")),
        text(field(inner, "requesturl")),
        of_more("url"),
        of_alert("url"),
    ];
    let method = text(field(&asked, "method")).or_else(|| text(field(inner, "requestmethod")));
    let headers = field(&answered, "headers").or_else(|| field(inner, "responseheaders"));
    let body = field(&answered, "body").or_else(|| field(inner, "responsebody"));
    Event {
        logged: Logged {
            code: text(field(inner, "errorcode")).and_then(|code| code.parse().ok()),
            message,
            sid: text(field(outer, "sid")),
            resource: text(field(inner, "resourcesid")),
            others: 0,
        },
        request: Request {
            method: method.and_then(|method| method.parse::<Method>().ok()),
            url: url.into_iter().flatten().find(|url| url.contains("://")),
            form: field(&asked, "parameters")
                .or_else(|| field(inner, "requestvariables"))
                .and_then(form_of),
        },
        status,
        headers: headers.and_then(headers_of).filter(|headers| !headers.is_empty()),
        body: body.and_then(body_of),
    }
}

/// The value under a name, compared without case, underscores and hyphens.
fn field<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    object
        .iter()
        .find(|(key, value)| !value.is_null() && letters(key) == name)
        .map(|(_, value)| value)
}

/// An object, or one written into a string: as JSON, or as JSON whose quotes became entities.
fn object_of(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object.clone()),
        Value::String(text) => serde_json::from_str(text)
            .or_else(|_| serde_json::from_str(&text.replace("&quot;", "\"").replace("&amp;", "&")))
            .ok(),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn body_of(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(Bytes::from(text.clone())),
        Value::Object(_) | Value::Array(_) => Some(Bytes::from(value.to_string())),
        _ => None,
    }
}

/// Parameters as an object or as the form they were.
fn form_of(value: &Value) -> Option<Bytes> {
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    match value {
        Value::String(form) if !form.is_empty() => Some(Bytes::from(form.clone())),
        Value::Object(object) if !object.is_empty() => {
            let pairs = object
                .iter()
                .filter_map(|(name, value)| Some((name, text(Some(value))?)))
                .map(|(name, value)| format!("{}={}", encoded(name), encoded(&value)));
            Some(Bytes::from(pairs.collect::<Vec<_>>().join("&")))
        }
        _ => None,
    }
}

/// Headers as an object (a value may be a list), as a form, or as lines.
fn headers_of(value: &Value) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut keep = |name: &str, value: &str| {
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim().as_bytes())) {
            headers.append(name, value);
        }
    };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for value in values {
                    keep(name, &text(Some(value)).unwrap_or_default());
                }
            }
        }
        Value::String(lines) if lines.contains('\n') || lines.contains(": ") => {
            for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
                keep(name, value);
            }
        }
        Value::String(form) => {
            for (name, value) in Params::from_form(form.as_bytes()).iter() {
                keep(name, value);
            }
        }
        _ => return None,
    }
    Some(headers)
}

/// `… returned the HTTP status code 404`, `Got HTTP 502 response to …`.
fn status_in(message: &str) -> Option<StatusCode> {
    ["HTTP status code ", "Got HTTP "].iter().find_map(|mark| {
        let rest = message.split_once(mark)?.1;
        StatusCode::from_bytes(rest.get(..3)?.as_bytes()).ok()
    })
}

/// Text that somebody copied out of the console: `Error - 11200` near the top, a URL, perhaps the
/// answer's body at the end.
fn of_console(input: &[u8]) -> Option<Event> {
    let copied = std::str::from_utf8(input).ok()?;
    let code = copied.lines().take(8).find_map(code_in)?;
    let body = ["<?xml", "<Response", "<!doctype", "<!DOCTYPE", "<html"]
        .iter()
        .filter_map(|mark| copied.find(mark))
        .min();
    let above = copied.get(..body.unwrap_or(copied.len())).unwrap_or(copied);
    let url = above.split_whitespace().find(|word| {
        word.starts_with("http") && word.contains("://") && !word.contains("twilio.com/")
    });
    let message = above.lines().map(str::trim).find(|line| status_in(line).is_some());
    let id = |prefix: &str| {
        above
            .split(|c: char| !c.is_ascii_alphanumeric())
            .find(|word| word.len() == 34 && word.starts_with(prefix))
            .map(str::to_owned)
    };
    Some(Event {
        logged: Logged {
            code: Some(code),
            message: message.map(str::to_owned),
            sid: id("NO"),
            resource: id("CA").or_else(|| id("SM")),
            others: 0,
        },
        request: Request {
            url: url.map(|url| url.trim_end_matches(['.', ',']).to_owned()),
            ..Request::default()
        },
        status: message.and_then(status_in),
        headers: None,
        body: body.and_then(|at| copied.get(at..)).map(|body| Bytes::from(body.to_owned())),
    })
}

/// `Error - 11200`, `Warning: 12200`, `ERROR 11200 HTTP retrieval failure`, `Error code 12100`.
fn code_in(line: &str) -> Option<u32> {
    let line = line.trim();
    let lower = line.to_ascii_lowercase();
    if !(lower.starts_with("error") || lower.starts_with("warning")) || line.len() > 120 {
        return None;
    }
    line.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 5)
        .filter_map(|word| word.parse().ok())
        .find(|&code| codes::lookup(code).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(input: &str) -> Event {
        read(input.as_bytes()).unwrap_or_else(|| panic!("no event: {input}"))
    }

    #[test]
    fn an_alert_is_read_with_its_forms_inside() {
        let event = event(
            r#"[{"alert_text":"Msg&sourceComponent=12000&ErrorCode=11200&httpResponse=405&url=https%3A%2F%2Fpbx.example.com%2Fvoice&LogLevel=ERROR","error_code":"11200","request_method":"POST","request_url":"https://pbx.example.com/voice","request_variables":"CallSid=CA1&Digits=1","resource_sid":"CA1","response_body":"<html></html>","response_headers":"Server=nginx&Content-Type=text%2Fhtml","sid":"NO1"},{}]"#,
        );
        assert_eq!(event.logged.code, Some(11200));
        assert_eq!(event.logged.others, 1);
        assert_eq!(event.status, Some(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(event.request.form.as_deref(), Some(&b"CallSid=CA1&Digits=1"[..]));
        assert_eq!(event.headers.unwrap()["content-type"], "text/html");
        assert_eq!(event.body.as_deref(), Some(&b"<html></html>"[..]));
    }

    #[test]
    fn spellings_of_sdks_are_the_same_fields() {
        let event = event(
            r#"{"accountSid":"AC1","errorCode":12100,"alertText":"Msg=&parserMessage=Error+on+line+2&ErrorCode=12100","requestUrl":"https://pbx.example.com/","responseBody":"x"}"#,
        );
        assert_eq!(event.logged.code, Some(12100));
        assert_eq!(event.logged.message.as_deref(), Some("Error on line 2"));
    }

    #[test]
    fn the_payload_of_the_debugger_is_json_in_a_string_or_entities() {
        let payload = r#"{"resource_sid":"CA1","error_code":"11200","more_info":{"Msg":"Got HTTP 404 response to https://pbx.example.com/voice","url":"https://pbx.example.com/voice"},"webhook":{"type":"application/json","request":{"url":"https://pbx.example.com/voice","method":"POST","headers":{},"parameters":{"CallSid":"CA1","To":"+15550100"}},"response":{"status_code":null,"headers":{},"body":null}}}"#;
        for text in [payload.to_owned(), payload.replace('"', "&quot;")] {
            let outer = serde_json::json!({"Sid":"NO1","AccountSid":"AC1","Level":"ERROR","PayloadType":"application/json","Payload":text});
            let event = event(&outer.to_string());
            assert_eq!(event.status, Some(StatusCode::NOT_FOUND));
            assert!(event.headers.is_none() && event.body.is_none());
            assert_eq!(event.request.form.as_deref(), Some(&b"CallSid=CA1&To=%2B15550100"[..]));
        }
    }

    #[test]
    fn an_answer_in_json_is_no_event() {
        for body in [
            r#"{"detail":"Not Found"}"#,
            r#"{"error_code":5,"message":"x"}"#,
            r#"{"message":"Internal server error"}"#,
            r#"{"body":"<Response/>","statusCode":200}"#,
            "[]",
            "{",
            "Error: 500 things went wrong",
            "a=b&Payload=1",
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn text_of_the_console_gives_code_url_and_status() {
        let event = event(
            "Error - 11200\nHTTP retrieval failure\nGot HTTP 502 response to https://pbx.example.com/voice\n",
        );
        assert_eq!(event.logged.code, Some(11200));
        assert_eq!(event.status, Some(StatusCode::BAD_GATEWAY));
        assert_eq!(event.request.url.as_deref(), Some("https://pbx.example.com/voice"));
    }
}
