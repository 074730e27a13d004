//! What may be kept or logged: numbers but for their last four, no credentials, nothing keyed or
//! spoken.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName};

/// Headers of a record, one `name: value` each, credentials masked.
pub fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), header(name, &String::from_utf8_lossy(value.as_bytes())))
        })
        .collect()
}

fn header(name: &HeaderName, value: &str) -> String {
    match name.as_str() {
        "set-cookie" => {
            let (cookie, attributes) =
                value.split_once(';').map_or((value, ""), |(cookie, rest)| (cookie, rest));
            let name = cookie.split('=').next().unwrap_or_default();
            let glue = if attributes.is_empty() { "" } else { ";" };
            format!("{name}=***{glue}{attributes}")
        }
        name if is_secret_name(name) => "***".to_owned(),
        _ => text(value),
    }
}

/// Names of headers, parameters and JSON fields whose values are nobody's business.
fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [
        "authorization",
        "cookie",
        "signature",
        "token",
        "secret",
        "password",
        "passwd",
        "api-key",
        "api_key",
        "apikey",
        "credential",
        "session",
    ]
    .iter()
    .any(|part| lower.contains(part))
}

/// Parameters whose values a caller keyed in, spoke or wrote.
const PRIVATE_PARAMS: [&str; 9] = [
    "Body",
    "Digits",
    "SpeechResult",
    "StableSpeechResult",
    "TranscriptionText",
    "UnstableSpeechResult",
    "CallerName",
    "ProfileName",
    "HandoffData",
];

/// The value of a webhook's parameter.
pub fn param(name: &str, value: &str) -> String {
    if PRIVATE_PARAMS.contains(&name) || name.starts_with("Payment") || is_secret_name(name) {
        return "***".to_owned();
    }
    text(value)
}

/// A path and query: values of the query as [`param`], the path as [`text`].
pub fn target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return text(target) };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => {
                let plain = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                let masked = param(name, &plain);
                if masked == plain { pair.to_owned() } else { format!("{name}={masked}") }
            }
            None => text(pair),
        })
        .collect();
    format!("{}?{}", text(path), pairs.join("&"))
}

/// Any text: secrets behind telling names masked, then every number that could be a telephone's,
/// a card's or a code's but for its last four digits.
pub fn text(text: &str) -> String {
    numbers(&secrets(text))
}

/// Masks what follows `token=`, `"password": "`, `Bearer ` and their kin.
fn secrets(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((found, name)) = next_secret(&lower, at) {
        let after = found + name.len();
        let rest = text.get(after..).unwrap_or_default();
        let word = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                .len();
        let behind = rest.get(word..).unwrap_or_default();
        let glue = behind.len() - behind.trim_start_matches(['"', '\'', ' ', ':', '=']).len();
        let assigns =
            name == "bearer " || behind.get(..glue).is_some_and(|glue| glue.contains([':', '=']));
        let start = if name == "bearer " { after } else { after + word + glue };
        let value = text.get(start..).unwrap_or_default();
        // Credentials are two words: the scheme and the secret.
        let ends = |c: char| match name {
            "authorization" => matches!(c, '\n' | '\r' | '"' | '\'' | '<'),
            _ => c.is_whitespace() || matches!(c, '"' | '\'' | '&' | '<' | ';' | ','),
        };
        let end = value.find(ends).unwrap_or(value.len());
        masked.push_str(text.get(at..start.min(text.len())).unwrap_or_default());
        at = start;
        if assigns && end > 0 {
            masked.push_str("***");
            at = start + end;
        }
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    masked
}

fn next_secret(lower: &str, at: usize) -> Option<(usize, &'static str)> {
    const NAMES: [&str; 9] = [
        "authorization",
        "token",
        "secret",
        "password",
        "passwd",
        "api_key",
        "api-key",
        "apikey",
        "bearer ",
    ];
    let rest = lower.get(at..)?;
    NAMES.iter().filter_map(|name| Some((at + rest.find(name)?, *name))).min()
}

/// Fewest digits of a run that is masked.
const SHORTEST: usize = 7;

/// Masks runs of digits (blanks, dots, dashes and parentheses may stand between) that are no part
/// of a word: `+972501234724` becomes `+9725…4724`, `4111 1111 1111 1111` becomes `…1111`.
fn numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let free = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let plus = c == '+';
        if !(free && (plus || c.is_ascii_digit())) {
            masked.push(c);
            at += 1;
            continue;
        }
        let (end, digits) = run(&chars, at + usize::from(plus));
        let word_follows = chars.get(end).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        if digits.len() < SHORTEST || word_follows || is_decimal(&chars, at, end) {
            let end = end.max(at + 1);
            masked.extend(chars.get(at..end).unwrap_or_default());
            at = end;
            continue;
        }
        let tail = digits.get(digits.len() - 4..).unwrap_or_default();
        let head = if plus {
            digits.get(..4.min(digits.len().saturating_sub(6))).unwrap_or_default()
        } else {
            ""
        };
        // Writing to a String can't fail.
        let _ = write!(masked, "{}{head}…{tail}", if plus { "+" } else { "" });
        at = end;
    }
    masked
}

/// From the first digit at `start`: where the run ends, and its digits.
fn run(chars: &[char], start: usize) -> (usize, String) {
    let mut digits = String::new();
    let mut end = start;
    let mut at = start;
    while let Some(&c) = chars.get(at) {
        if c.is_ascii_digit() {
            digits.push(c);
            end = at + 1;
        } else if !matches!(c, ' ' | '-' | '(' | ')' | '\u{a0}')
            || at > end + 1
            || digits.is_empty()
        {
            break;
        }
        at += 1;
    }
    (end, digits)
}

/// A fraction such as `0.1234567`, or a time such as `2026-01-01 00:00:00`, is no number to hide.
fn is_decimal(chars: &[char], start: usize, end: usize) -> bool {
    let dotted = |at: usize| chars.get(at) == Some(&'.');
    let date = chars.get(start + 4) == Some(&'-') && chars.get(start + 7) == Some(&'-');
    date || (start > 1
        && dotted(start - 1)
        && chars.get(start - 2).is_some_and(char::is_ascii_digit))
        || (dotted(end) && chars.get(end + 1).is_some_and(char::is_ascii_digit))
}

/// A SID for people: `CA…1f03`.
pub fn short_sid(sid: &str) -> String {
    let count = sid.chars().count();
    if count <= 10 {
        return sid.to_owned();
    }
    let head: String = sid.chars().take(2).collect();
    let tail: String = sid.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn telephone_and_card_numbers_keep_their_last_four() {
        assert_eq!(text("call +972501234724 now"), "call +9725…4724 now");
        assert_eq!(text("<Dial>+1 (555) 010-4477</Dial>"), "<Dial>+1555…4477</Dial>");
        assert_eq!(text("card 4111 1111 1111 1111."), "card …1111.");
        assert_eq!(text("PIN 0501234567"), "PIN …4567");
    }

    #[test]
    fn what_is_no_number_stays() {
        for same in [
            "CA0123456789abcdef0123456789abcdef",
            "line 12, column 3",
            "2026-01-01 00:00:00",
            "0.12345678",
            "שלום 123",
            "http://127.0.0.1:5000/a",
            "port 5432",
            "<Pause length=\"10\"/>",
        ] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn secrets_are_gone() {
        for secret in [
            "token=s3cr3t&x=1",
            "{\"auth_token\": \"s3cr3t\"}",
            "Authorization: Bearer s3cr3t",
            "password='s3cr3t'",
            "api_key=s3cr3t",
        ] {
            let masked = text(secret);
            assert!(!masked.contains("s3cr3t") && masked.contains("***"), "{masked}");
        }
        assert_eq!(text("the token expired"), "the token expired");
    }

    #[test]
    fn cookies_keep_their_names_only() {
        let mut map = HeaderMap::new();
        map.append("set-cookie", HeaderValue::from_static("sid=s3cr3t; Path=/; HttpOnly"));
        map.append("x-twilio-signature", HeaderValue::from_static("s3cr3t"));
        let shown = format!("{:?}", headers(&map));
        assert!(
            !shown.contains("s3cr3t") && shown.contains("sid=***; Path=/; HttpOnly"),
            "{shown}"
        );
    }

    #[test]
    fn what_a_caller_keyed_or_said_is_gone() {
        assert_eq!(param("Digits", "12"), "***");
        assert_eq!(
            target("/a?Digits=99&From=%2B15550104477&x=1"),
            "/a?Digits=***&From=+1555…4477&x=1"
        );
    }

    #[test]
    fn sids_are_short_for_people() {
        assert_eq!(short_sid("CA0123456789abcdef0123456789ab1f03"), "CA…1f03");
    }
}
