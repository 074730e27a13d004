//! JSON around a document: which field carries it, and what else the object tells.

use serde_json::{Map, Value};

use super::unwrap::{base64, looks_like_twiml};
use super::words;

/// Fields that serialisers and frameworks put a document into.
const FIELDS: [&str; 11] = [
    "twiml", "body", "data", "response", "result", "xml", "content", "message", "output",
    "payload", "d",
];

/// Whether a field is one of the usual ones.
pub fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// What holds an object of its own with the document, beside the usual fields.
const GROUPS: [&str; 7] = ["attributes", "voice", "call", "sms", "reply", "answer", "twilio"];

/// The one item of a list that is a document, or holds one: of several, the others are a status and headers, as
/// Flask's views return them.
pub fn only_one(items: Vec<Value>) -> Option<Value> {
    let plain = |value: &Value| match value {
        Value::Null => true,
        Value::Number(code) => code.as_u64().is_some_and(|code| (200..300).contains(&code)),
        Value::Object(headers) => {
            headers.iter().all(|(name, value)| value.is_string() && !tells_of_fault(name, value))
        }
        _ => false,
    };
    let (mut documents, others): (Vec<_>, Vec<_>) =
        items.into_iter().take(MAX_ITEMS).partition(mentions_twiml);
    let document = documents.pop().filter(|_| documents.is_empty())?;
    others.iter().all(plain).then_some(document)
}

/// Longer lists than this are somebody's data.
const MAX_ITEMS: usize = 4;

/// Objects within objects are looked into this far.
const MAX_DEPTH: usize = 3;

/// The text that one of the usual fields of an object carries, where the object tells of no fault
/// and carries no other document.
pub fn carried(value: &Value) -> Option<String> {
    field(value, MAX_DEPTH)
}

fn field(value: &Value, depth: usize) -> Option<String> {
    let object = value.as_object()?;
    if depth == 0 {
        return None;
    }
    let holds = |name: &str, value: &Value| {
        is_base64_body(object) && name == "body" || mentions_twiml(value)
    };
    let mut holders = object.iter().filter(|(name, value)| holds(name, value));
    let (name, holder) = holders.next()?;
    let grouped = holder.is_object() && GROUPS.iter().any(|group| name.eq_ignore_ascii_case(group));
    if holders.next().is_some() || !is_field(name) && !grouped {
        return None;
    }
    if object.iter().any(|(other, value)| other != name && tells_of_fault(other, value)) {
        return None;
    }
    match holder {
        Value::String(inner) if is_base64_body(object) => {
            base64(inner).map(|unwrapped| unwrapped.inner)
        }
        Value::String(inner) => Some(inner.clone()),
        Value::Object(_) => field(holder, depth - 1),
        _ => None,
    }
}

/// Whether a document stands somewhere in a value, in any wrapping.
fn mentions_twiml(value: &Value) -> bool {
    match value {
        Value::String(text) => looks_like_twiml(text),
        Value::Array(items) => items.iter().any(mentions_twiml),
        Value::Object(object) => object.values().any(mentions_twiml),
        _ => false,
    }
}

/// Whether an object says that it is the whole answer of an AWS Lambda function: its body is a body.
pub fn is_whole_answer(value: &Value) -> bool {
    value.get("statusCode").is_some() || value.get("isBase64Encoded").is_some()
}

/// An AWS Lambda proxy result whose body is base64.
fn is_base64_body(object: &Map<String, Value>) -> bool {
    object.get("isBase64Encoded") == Some(&Value::Bool(true)) && object.contains_key("body")
}

/// Whether a field beside the document says that something failed, or that the document is one that
/// was recorded or only shown.
pub fn tells_of_fault(name: &str, value: &Value) -> bool {
    const FAULTS: [&str; 5] = ["error", "exception", "trace", "fault", "fail"];
    const OUTCOMES: [&str; 5] = ["success", "successful", "succeeded", "ok", "valid"];
    const STATES: [&str; 9] = [
        "status",
        "statuscode",
        "status_code",
        "httpstatus",
        "code",
        "state",
        "level",
        "type",
        "result",
    ];
    const SHOWN: [&str; 7] =
        ["request", "example", "usage", "help", "expected", "sample", "documentation"];
    let name = name.to_ascii_lowercase();
    if FAULTS.iter().any(|word| name.contains(word)) {
        return !is_nothing(value);
    }
    if OUTCOMES.contains(&name.as_str()) {
        return is_nothing(value);
    }
    if SHOWN.contains(&name.as_str()) {
        return true;
    }
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    if STATES.contains(&name.as_str()) && number.is_some_and(|code| (300..600).contains(&code)) {
        return true;
    }
    value.as_str().is_some_and(says_fault)
}

/// Empty, zero, false, or a word for it.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            matches!(text.as_str(), "" | "0" | "false" | "no" | "none" | "null")
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

/// Whether a text says that something failed.
pub fn says_fault(text: &str) -> bool {
    const SAID: [&str; 11] = [
        "error",
        "err_",
        "fail",
        "exception",
        "invalid",
        "denied",
        "forbidden",
        "unauthorized",
        "not found",
        "timeout",
        "timed out",
    ];
    let lower = text.to_ascii_lowercase();
    SAID.iter().any(|word| lower.contains(word)) || words::smells_of_a_program(text).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWIML: &str = "<Response><Say>x</Say></Response>";

    #[test]
    fn what_says_that_all_is_well_is_no_fault() {
        for value in [
            json!({"ok": true, "twiml": TWIML}),
            json!({"error": null, "errors": [], "error_code": 0, "twiml": TWIML}),
            json!({"status": "ok", "code": 200, "message": "done", "twiml": TWIML}),
            json!({"statusCode": 200, "headers": {"Content-Type": "text/xml"}, "body": TWIML}),
            json!({"data": {"type": "voice", "twiml": TWIML}}),
        ] {
            assert_eq!(carried(&value).as_deref(), Some(TWIML), "{value}");
        }
    }

    #[test]
    fn what_tells_of_a_fault_or_shows_it_carries_nothing() {
        for value in [
            json!({"success": false, "twiml": TWIML}),
            json!({"ok": 0, "data": {"twiml": TWIML}}),
            json!({"status": "error", "twiml": TWIML}),
            json!({"statusCode": "502", "body": TWIML}),
            json!({"message": "Internal server error", "twiml": TWIML}),
            json!({"reason": "timeout", "data": TWIML}),
            json!({"request": "POST /voice", "response": TWIML}),
            json!({"usage": "send this", "twiml": TWIML}),
            json!({"twiml": TWIML, "old": "&lt;Response/&gt;"}),
            json!({"twiml": TWIML, "old": ["PFJlc3BvbnNlPjxTYXk+SGk8L1NheT48L1Jlc3BvbnNlPg=="]}),
        ] {
            assert_eq!(carried(&value), None, "{value}");
        }
    }
}
