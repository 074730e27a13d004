//! JSON as log lines have it: what needs no escape, as nearly all does, is copied at once.

use std::fmt::Write as _;

use serde_json::Value;

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
    // All bytes are looked at, which goes by many at a time.
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        push_escaped(line, text);
    } else {
        line.push_str(text);
    }
    line.push('"');
}

fn push_escaped(line: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_escape) {
        let (before, odd) = rest.split_at(at);
        line.push_str(before);
        let mut after = odd.chars();
        match after.next() {
            Some('"') => line.push_str("\\\""),
            Some('\\') => line.push_str("\\\\"),
            Some('\u{8}') => line.push_str("\\b"),
            Some('\u{c}') => line.push_str("\\f"),
            Some('\n') => line.push_str("\\n"),
            Some('\r') => line.push_str("\\r"),
            Some('\t') => line.push_str("\\t"),
            Some(control) => _ = write!(line, "\\u{:04x}", u32::from(control)),
            None => {}
        }
        rest = after.as_str();
    }
    line.push_str(rest);
}

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
