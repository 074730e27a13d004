//! Text from outside inside scripts: nothing in it can end its quotes or its line.

use std::fmt::Write as _;

use crate::telemetry::visible::visible_bounded;

/// Most characters of a comment's line.
const COMMENT: usize = 300;

/// One word of a POSIX shell. No word can hold NUL: it is left out.
pub(super) fn shell(text: &str) -> String {
    let inner: String = text.chars().filter(|c| *c != '\0').collect();
    format!("'{}'", inner.replace('\'', r"'\''"))
}

/// A string of Python, printable ASCII on one line.
pub(super) fn python(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        let code = u32::from(c);
        // Writing to a String can't fail.
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            ' '..='~' => write!(quoted, "{c}"),
            _ if code < 0x100 => write!(quoted, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(quoted, "\\u{code:04x}"),
            _ => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted.push('"');
    quoted
}

/// The rest of a comment's line, in any language in which a line end ends it.
pub(super) fn comment(text: &str) -> String {
    visible_bounded(text, COMMENT).replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    const HOSTILE: [&str; 12] = [
        "it's",
        "''; touch owned; '",
        "$(touch owned) `touch owned` ${HOME}",
        "a\nb\r\nc\u{2028}d\u{85}e",
        "\"\"\" + __import__('os').system('touch owned') + \"\"\"",
        "'''\\",
        "\\",
        "\\N{BULLET}\\x41{0}%s",
        "!! ~ * ? [a] # ; & | < > \t",
        "-n --data @/etc/passwd",
        "שלום 🙂",
        "\u{1b}[31m\u{7f}\u{feff}",
    ];

    fn said_by_sh(text: &str) -> String {
        let script = format!("printf %s {}", shell(text));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Reads what [`python`] wrote, by Python's rules.
    fn read(quoted: &str) -> String {
        let inner = quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let (mut text, mut chars) = (String::new(), inner.chars());
        while let Some(c) = chars.next() {
            assert_ne!(c, '"', "{quoted}");
            if c != '\\' {
                text.push(c);
                continue;
            }
            let kind = chars.next().unwrap();
            let digits = match kind {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                'n' => {
                    text.push('\n');
                    continue;
                }
                other => {
                    text.push(other);
                    continue;
                }
            };
            let code: String = chars.by_ref().take(digits).collect();
            text.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
        }
        text
    }

    #[test]
    fn hostile_text_is_only_text() {
        for text in HOSTILE {
            assert_eq!(said_by_sh(text), text);
            assert_eq!(read(&python(text)), text);
            assert!(
                !comment(text).contains(['\n', '\r', '\u{2028}', '\u{85}', '\u{1b}']),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_string_of_python(text: String) {
            let quoted = python(&text);
            prop_assert!(quoted.chars().all(|c| (' '..='~').contains(&c)), "{}", quoted);
            prop_assert_eq!(read(&quoted), text);
        }

        #[test]
        fn any_text_is_one_line_of_a_comment(text: String) {
            let ends_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!comment(&text).contains(ends_a_line));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_text_is_one_word_of_a_shell(text in "[^\\x00]{0,40}") {
            prop_assert_eq!(said_by_sh(&text), text);
        }
    }
}
