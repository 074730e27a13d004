//! Cookies that Twilio refuses, mended or dropped one by one; the others stay, in their order.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::exchange::Answer;

/// The cookies of an answer.
#[derive(Debug, Default)]
pub struct Cookies {
    /// Those that leave, in their order.
    pub kept: Vec<HeaderValue>,
    /// Those that Twilio would refuse: name, and what became of it.
    pub refused: Vec<String>,
}

/// Reads the cookies of an answer, those that its HTTP reader passed over as well.
pub fn of(answer: &Answer) -> Cookies {
    let mut cookies = Cookies::default();
    let mut odd = answer.odd.lines.iter().filter(|odd| odd.is_named("set-cookie")).peekable();
    let values = answer.headers.get_all(SET_COOKIE);
    for (at, value) in values.iter().enumerate() {
        while let Some(line) = odd.next_if(|line| line.cookies_before <= at) {
            cookies.mend(line.named().map_or(&[][..], |(_, value)| value));
        }
        if is_acceptable(value.as_bytes()) {
            cookies.kept.push(value.clone());
        } else {
            cookies.mend(value.as_bytes());
        }
    }
    for line in odd {
        cookies.mend(line.named().map_or(&[][..], |(_, value)| value));
    }
    cookies
}

impl Cookies {
    fn mend(&mut self, value: &[u8]) {
        let name = value.split(|&b| matches!(b, b'=' | b';')).next().unwrap_or_default();
        let name: String = String::from_utf8_lossy(name).chars().take(40).collect();
        let mended = mended(value);
        let fate = if mended.is_some() { "mended" } else { "dropped" };
        self.refused.push(format!("cookie `{name}`, {fate}"));
        self.kept.extend(mended);
    }
}

/// Whether Twilio takes every cookie that the HTTP reader took.
pub fn are_all_acceptable(headers: &HeaderMap) -> bool {
    headers.get_all(SET_COOKIE).iter().all(|value| is_acceptable(value.as_bytes()))
}

/// Whether Twilio takes a Set-Cookie: it has a name and no control characters (error 11206).
fn is_acceptable(value: &[u8]) -> bool {
    let name = value.split(|&b| b == b'=').next().unwrap_or_default();
    value.contains(&b'=')
        && !name.trim_ascii().is_empty()
        && !name.contains(&b';')
        && !value.iter().any(u8::is_ascii_control)
}

/// The cookie without its control characters. One that holds the end of a line may be two headers
/// in one: nobody knows where it ends.
fn mended(value: &[u8]) -> Option<HeaderValue> {
    let value = value.trim_ascii();
    if value.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
        return None;
    }
    let clean: Vec<u8> = value.iter().copied().filter(|b| !b.is_ascii_control()).collect();
    if !is_acceptable(&clean) {
        return None;
    }
    HeaderValue::from_bytes(&clean).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(value: &str) -> Option<String> {
        mended(value.as_bytes()).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn control_characters_go_and_the_cookie_stays() {
        assert_eq!(mend("a=b\u{b}c; Path=/"), Some("a=bc; Path=/".to_owned()));
        assert_eq!(mend("a=b;\tPath=/\u{c}"), Some("a=b;Path=/".to_owned()));
    }

    #[test]
    fn what_remains_must_be_a_cookie() {
        for lost in ["=x", "\u{b}=x", "x", "; Path=/", "a=b\rSet-Cookie: c=d", "a=\0", ""] {
            assert_eq!(mend(lost), None, "{lost:?}");
        }
    }
}
