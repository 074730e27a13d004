//! JSON as log lines have it: what needs no escape, as nearly all does, is copied at once.

use std::fmt::Write as _;

use serde_json::Value;

use super::bytes;

/// Adds a value as JSON, just as its `Display` has it.
pub(super) fn push(line: &mut String, value: &Value) {
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
            let value = serde_json::json!([texts, number, null, true, {"a": texts}]);
            let mut line = String::new();
            push(&mut line, &value);
            prop_assert_eq!(line, value.to_string());
        }
    }
}
