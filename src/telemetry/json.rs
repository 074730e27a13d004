//! JSON as log lines have it: what needs no escape, as nearly all does, is copied at once.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use super::bytes;

/// A value of a log line.
pub trait Field {
    /// Adds it as JSON.
    fn push_to(&self, line: &mut String);
}

impl Field for Value {
    fn push_to(&self, line: &mut String) {
        push(line, self);
    }
}

/// A value that is written once: its texts may be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<'t> {
    /// None.
    Nothing,
    /// A number.
    Number(u64),
    /// A text.
    Text(Cow<'t, str>),
    /// Several of them.
    Texts(Vec<Cow<'t, str>>),
    /// Yes or no.
    Truth(bool),
}

impl Field for Shown<'_> {
    fn push_to(&self, line: &mut String) {
        match self {
            Self::Nothing => line.push_str("null"),
            Self::Number(number) => _ = write!(line, "{number}"),
            Self::Text(text) => push_text(line, text),
            Self::Texts(texts) => {
                line.push('[');
                for (at, text) in texts.iter().enumerate() {
                    if at > 0 {
                        line.push(',');
                    }
                    push_text(line, text);
                }
                line.push(']');
            }
            Self::Truth(is_so) => line.push_str(if *is_so { "true" } else { "false" }),
        }
    }
}

impl From<Shown<'_>> for Value {
    fn from(shown: Shown<'_>) -> Self {
        match shown {
            Shown::Nothing => Self::Null,
            Shown::Number(number) => number.into(),
            Shown::Text(text) => text.into(),
            Shown::Texts(texts) => texts.into_iter().map(Self::from).collect(),
            Shown::Truth(is_so) => is_so.into(),
        }
    }
}

impl<'t, T: Into<Cow<'t, str>>> From<T> for Shown<'t> {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// Adds a value as JSON, just as its `Display` has it.
fn push(line: &mut String, value: &Value) {
    match value {
        Value::String(text) => push_text(line, text),
        Value::Array(values) => {
            line.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                push(line, value);
            }
            line.push(']');
        }
        // Writing to a String can't fail.
        other => _ = write!(line, "{other}"),
    }
}

/// Adds a text as a JSON string.
pub(super) fn push_text(line: &mut String, text: &str) {
    line.push('"');
    if bytes::any(text, needs_escape) {
        push_escaped(line, text);
    } else {
        line.push_str(text);
    }
    line.push('"');
}

fn push_escaped(line: &mut String, text: &str) {
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        line.push_str(text.get(copied..at).unwrap_or_default());
        copied = at + 1;
        match byte {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            0x08 => line.push_str("\\b"),
            0x0c => line.push_str("\\f"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            control => _ = write!(line, "\\u{control:04x}"),
        }
    }
    line.push_str(text.get(copied..).unwrap_or_default());
}

#[inline]
const fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_written_as_serde_json_does(
            texts in prop::collection::vec("[ -~]{0,20}|[\\x00-\\x7f]{0,20}|.{0,20}|[\"\\\\א]{0,9}", 0..4),
            number: i64,
        ) {
            for text in &texts {
                let mut line = String::new();
                push_text(&mut line, text);
                prop_assert_eq!(line, serde_json::to_string(text).unwrap());
            }
            let count = number.unsigned_abs();
            for shown in [
                Shown::Nothing,
                Shown::Number(count),
                Shown::Truth(number > 0),
                Shown::Texts(texts.iter().map(Cow::from).collect()),
                texts.concat().into(),
            ] {
                let mut line = String::new();
                shown.push_to(&mut line);
                prop_assert_eq!(line, Value::from(shown).to_string());
            }
            let value = serde_json::json!([texts, number, null, true, {"a": texts}]);
            let mut line = String::new();
            push(&mut line, &value);
            prop_assert_eq!(line, value.to_string());
        }
    }
}
