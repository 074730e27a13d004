//! What may be kept or logged: numbers but for their last four, no credentials, nothing keyed or
//! spoken.

mod numbers;
mod secrets;

use std::borrow::Cow;

use http::HeaderMap;

use crate::twilio::Params;

/// What stands where something was masked.
const MASK: &str = "***";

/// Headers of a record, one `name: value` each, credentials masked.
pub fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                header(name.as_str(), &String::from_utf8_lossy(value.as_bytes())),
            )
        })
        .collect()
}

/// A header line that no HTTP reader takes, credentials masked.
pub fn raw_header(name: &[u8], value: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let value = String::from_utf8_lossy(value);
    if value.is_empty() {
        return text(&name);
    }
    format!("{name}: {}", header(&name.to_ascii_lowercase(), &value))
}

fn header(name: &str, value: &str) -> String {
    match name {
        "set-cookie" => {
            let (cookie, attributes) =
                value.split_once(';').map_or((value, ""), |(cookie, rest)| (cookie, rest));
            let glue = if attributes.is_empty() { "" } else { ";" };
            match cookie.split_once('=') {
                Some((name, _)) => format!("{name}={MASK}{glue}{attributes}"),
                None => format!("{MASK}{glue}{attributes}"),
            }
        }
        "content-length" => value.to_owned(),
        "location" | "content-location" => target(value),
        name if is_secret_name(name) => MASK.to_owned(),
        _ => text(value),
    }
}

/// Names of headers, parameters and JSON fields whose values are nobody's business.
fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 14] = [
        "accesskey",
        "apikey",
        "authorization",
        "cookie",
        "credential",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "pwd",
        "secret",
        "session",
        "signature",
        "token",
    ];
    const WHOLE: [&str; 6] = ["auth", "cvc", "cvv", "otp", "pass", "pin"];
    let plain: String =
        name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    WHOLE.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}

/// Parameters whose values a caller keyed in, spoke or wrote, or that tell who the caller is.
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

fn is_private_param(name: &str) -> bool {
    PRIVATE_PARAMS.contains(&name) || name.starts_with("Payment") || is_secret_name(name)
}

/// The value of a webhook's parameter.
pub fn param(name: &str, value: &str) -> String {
    if is_private_param(name) { MASK.to_owned() } else { text(value) }
}

/// A path and query, or a whole URL: values of the query as [`param`], the rest as [`text`].
pub fn target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return text(target) };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => {
                let plain = |part| percent_encoding::percent_decode_str(part).decode_utf8_lossy();
                let value_plain = plain(value);
                let masked = param(&plain(name), &value_plain);
                if masked == value_plain { pair.to_owned() } else { format!("{name}={masked}") }
            }
            None => text(pair),
        })
        .collect();
    format!("{}?{}", text(path), pairs.join("&"))
}

/// Any text: secrets behind telling names masked, then every number that could be a telephone's,
/// a card's or a code's but for its last four digits. Takes time linear in the text's length.
pub fn text(text: &str) -> String {
    numbers::mask(&secrets::mask(text))
}

/// The same for what a backend said about a request: values that the request's private parameters
/// had are masked wherever they are repeated.
pub fn echo<'t>(text: &'t str, params: &Params) -> Cow<'t, str> {
    // Shorter ones are choices of a menu, and stand in any text by chance.
    const SHORTEST: usize = 4;
    let mut masked = Cow::Borrowed(text);
    for (_, value) in params.iter().filter(|(name, _)| is_private_param(name)).take(16) {
        if value.chars().count() >= SHORTEST && masked.contains(value) {
            masked = Cow::Owned(masked.replace(value, MASK));
        }
    }
    masked
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
    use std::time::{Duration, Instant};

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_keep_what_helps_and_no_credential() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "sid=s3cr3t; Path=/; HttpOnly"),
            ("set-cookie", "s3cr3t"),
            ("x-twilio-signature", "s3cr3t"),
            ("authorization", "Basic s3cr3t"),
            ("proxy-authorization", "s3cr3t"),
            ("x-api-key", "s3cr3t"),
            ("location", "/next?Digits=77421&auth%5Ftoken=s3cr3t&From=%2B15550104477&step=2"),
            ("content-length", "12345678"),
            ("server", "gunicorn/20.1.0"),
        ] {
            map.append(name, HeaderValue::from_static(value));
        }
        let shown = format!("{:?}", headers(&map));
        for secret in ["s3cr3t", "77421", "5550104477"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for kept in ["sid=***; Path=/; HttpOnly", "&step=2", "12345678", "gunicorn/20.1.0", "…4477"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    #[test]
    fn what_a_caller_keyed_or_said_is_gone() {
        assert_eq!(param("Digits", "12"), "***");
        assert_eq!(param("PaymentCardNumber", "4111"), "***");
        assert_eq!(param("CallStatus", "ringing"), "ringing");
        assert_eq!(
            target("/a?Digits=99&From=%2B15550104477&x=1"),
            "/a?Digits=***&From=+1555…4477&x=1"
        );
    }

    #[test]
    fn a_page_that_repeats_the_request_repeats_no_private_value() {
        let params = Params::from_form(b"Digits=4711&SpeechResult=open+sesame&CallStatus=ringing");
        let page = "KeyError: 4711 in {'said': 'open sesame', 'CallStatus': 'ringing'}";
        assert_eq!(
            echo(page, &params),
            "KeyError: *** in {'said': '***', 'CallStatus': 'ringing'}"
        );
        assert!(matches!(echo("menu 1", &Params::from_form(b"Digits=1")), Cow::Borrowed(_)));
    }

    #[test]
    fn sids_are_short_for_people() {
        assert_eq!(short_sid("CA0123456789abcdef0123456789ab1f03"), "CA…1f03");
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for unit in [
            "token ",
            "\"",
            "://a:",
            "1 ",
            "eyJ",
            "%2B",
            "<td>",
            "password=\"",
            "secret<a",
            "token",
            "eyJa.",
            "a@",
        ] {
            let text_of_256k = unit.repeat(256 * 1024 / unit.len());
            let start = Instant::now();
            text(&text_of_256k);
            // Quadratic time would be minutes.
            assert!(start.elapsed() < Duration::from_secs(5), "{unit}: {:?}", start.elapsed());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_letters_stay(hostile: String, hebrew in "[א-ת ]{0,40}") {
            text(&hostile);
            prop_assert_eq!(text(&hebrew), hebrew);
        }

        #[test]
        fn a_telephone_number_never_survives(
            number in "[2-9][0-9]{9,11}",
            before in prop::sample::select(vec!["", " ", "(", "\"", "ל", "%2B", "+", "tel:", "sip:", "_", "\\u002b", "&#43;"]),
            after in prop::sample::select(vec!["", " ", ")", "\"", "ש", "<", ".", ", ", "\n", "@"]),
        ) {
            let masked = text(&format!("{before}{number}{after}"));
            prop_assert!(!masked.contains(&number), "{}", masked);
        }
    }
}
