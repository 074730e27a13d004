//! What Twilio and a backend say to each other in the text messages of a stream
//! (Twilio docs: Media Streams and ConversationRelay, WebSocket messages).

use std::time::Duration;

use serde_json::Value;

/// Bytes of mu-law sound in a second.
const BYTES_A_SECOND: u64 = 8_000;

/// Longest name or text that is kept of a message, in characters.
const MAX_KEPT: usize = 120;

/// A message from Twilio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromTwilio {
    /// Media Streams' first message.
    Connected,
    /// A Media Stream begins.
    Start {
        /// `MZ…`
        stream_sid: Option<String>,
        /// `CA…`
        call_sid: Option<String>,
    },
    /// Sound.
    Media(Duration),
    /// A Media Stream is over.
    Stop,
    /// A ConversationRelay begins.
    Setup {
        /// `VX…`
        session_id: Option<String>,
        /// `CA…`
        call_sid: Option<String>,
    },
    /// ConversationRelay complains.
    Error(String),
    /// Anything else.
    Other,
}

/// A message from the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromBackend {
    /// Sound.
    Media(Duration),
    /// Anything else that is fit.
    Other,
    /// What Media Streams takes for an invalid message, and why.
    Unfit(String),
}

/// Reads a message from Twilio; whatever it is, it is one.
pub fn from_twilio(text: &[u8]) -> FromTwilio {
    let Ok(message) = serde_json::from_slice::<Value>(text) else { return FromTwilio::Other };
    let event = message.get("event").and_then(Value::as_str);
    match (event, message.get("type").and_then(Value::as_str)) {
        (Some("connected"), _) => FromTwilio::Connected,
        (Some("start"), _) => {
            let start = message.get("start").unwrap_or(&Value::Null);
            let stream_sid = kept(&message, "streamSid").or_else(|| kept(start, "streamSid"));
            FromTwilio::Start { stream_sid, call_sid: kept(start, "callSid") }
        }
        (Some("media"), _) => {
            let payload = message.pointer("/media/payload").and_then(Value::as_str);
            FromTwilio::Media(payload.map_or(Duration::ZERO, |base64| sound(base64.as_bytes())))
        }
        (Some("stop"), _) => FromTwilio::Stop,
        (None, Some("setup")) => FromTwilio::Setup {
            session_id: kept(&message, "sessionId"),
            call_sid: kept(&message, "callSid"),
        },
        (None, Some("error")) => {
            FromTwilio::Error(kept(&message, "description").unwrap_or_default())
        }
        _ => FromTwilio::Other,
    }
}

/// Reads a message from the backend by the rules of Media Streams. `stream_sid`: of this stream,
/// once Twilio has told it.
pub fn from_backend(text: &[u8], stream_sid: Option<&str>) -> FromBackend {
    let Ok(message) = serde_json::from_slice::<Value>(text) else {
        // Readers differ on numbers and depth; what none takes is no JSON.
        if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() {
            return FromBackend::Other;
        }
        let first = String::from_utf8_lossy(text.get(..text.len().min(480)).unwrap_or(text));
        return FromBackend::Unfit(format!("not JSON: {}", cut(&first)));
    };
    let Some(event) = message.get("event") else {
        return FromBackend::Unfit(match message.get("type").and_then(Value::as_str) {
            Some(kind) => format!("no `event` (type \"{}\")", cut(kind)),
            None => "no `event`".to_owned(),
        });
    };
    let event = event.as_str().unwrap_or_default();
    if !matches!(event, "media" | "mark" | "clear") {
        return FromBackend::Unfit(format!("unknown event \"{}\"", cut(event)));
    }
    match message.get("streamSid").and_then(Value::as_str) {
        None => return FromBackend::Unfit(format!("{event} without streamSid")),
        Some(own) if stream_sid.is_some_and(|sid| sid != own) => {
            return FromBackend::Unfit(format!("{event} for another streamSid"));
        }
        Some(_) => {}
    }
    if event != "media" {
        return FromBackend::Other;
    }
    match message.pointer("/media/payload").and_then(Value::as_str) {
        None => FromBackend::Unfit("media without media.payload".to_owned()),
        Some(payload) if !may_be_base64(payload.as_bytes()) => {
            FromBackend::Unfit(format!("media.payload is no base64: {}", cut(payload)))
        }
        Some(payload) => FromBackend::Media(sound(payload.as_bytes())),
    }
}

/// The sound in a message of which only the beginning was kept: `None` if it is no `media`.
pub fn sound_of_long(beginning: &[u8], whole: u64) -> Option<Duration> {
    let at = memchr::memmem::find(beginning, b"\"payload\"")?;
    memchr::memmem::find(beginning, b"\"media\"")?;
    // Name, colon, quotes and braces around the payload are a few bytes only.
    let payload = whole.saturating_sub(at as u64 + 16);
    Some(played(payload / 4 * 3))
}

/// How long the sound in a base64 text plays. Line breaks inside of it, one in 77 bytes, are taken
/// for sound: not every byte is looked at.
fn sound(base64: &[u8]) -> Duration {
    let last = base64.iter().rposition(|&b| b != b'=' && !is_blank(b));
    played(last.map_or(0, |last| last as u64 + 1) * 3 / 4)
}

/// The same blanks as [`u8::is_ascii_whitespace`].
const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// How long so many bytes of mu-law play.
pub fn played(bytes: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / BYTES_A_SECOND)
}

/// Line breaks and the alphabet for URLs are left to the reader.
fn may_be_base64(text: &[u8]) -> bool {
    // Without an early end many bytes are looked at in one step: nearly every text is fit.
    text.iter().fold(true, |is_fit, &b| {
        is_fit
            & (b.is_ascii_digit()
                | (b | 0x20).is_ascii_lowercase()
                | matches!(b, b'+' | b'/' | b'-' | b'_' | b'=')
                | is_blank(b))
    })
}

fn kept(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(cut)
}

/// The beginning of a text.
pub fn cut(text: &str) -> String {
    text.chars().take(MAX_KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "MZ0123456789abcdef0123456789abcdef";

    #[test]
    fn messages_from_twilio_are_told_apart() {
        let start = format!(
            r#"{{"event":"start","streamSid":"{SID}","start":{{"streamSid":"{SID}","callSid":"CA1","customParameters":{{}}}}}}"#
        );
        let (stream_sid, call_sid) = (Some(SID.to_owned()), Some("CA1".to_owned()));
        assert_eq!(from_twilio(start.as_bytes()), FromTwilio::Start { stream_sid, call_sid });
        let media = format!(r#"{{"event":"media","media":{{"payload":"{}"}}}}"#, "////".repeat(40));
        assert_eq!(from_twilio(media.as_bytes()), FromTwilio::Media(Duration::from_millis(15)));
        let setup = br#"{"type":"setup","sessionId":"VX1","callSid":"CA1"}"#;
        let (session_id, call_sid) = (Some("VX1".to_owned()), Some("CA1".to_owned()));
        assert_eq!(from_twilio(setup), FromTwilio::Setup { session_id, call_sid });
        let error = br#"{"type":"error","description":"Invalid message received"}"#;
        assert_eq!(from_twilio(error), FromTwilio::Error("Invalid message received".to_owned()));
        for other in [&b""[..], b"[]", b"{\"event\":7}", b"\xff"] {
            assert_eq!(from_twilio(other), FromTwilio::Other);
        }
    }

    #[test]
    fn what_media_streams_refuses_is_named() {
        for (text, why) in [
            ("hello", "not JSON: hello"),
            (r#"{"type":"text","token":"hi"}"#, "no `event` (type \"text\")"),
            ("[]", "no `event`"),
            (r#"{"event":"say","streamSid":"MZ1"}"#, "unknown event \"say\""),
            (r#"{"event":"clear"}"#, "clear without streamSid"),
            (r#"{"event":"media","streamSid":"MZ1","media":{}}"#, "media without media.payload"),
            (r#"{"event":"mark","streamSid":"MZ2"}"#, "mark for another streamSid"),
            (
                r#"{"event":"media","streamSid":"MZ1","media":{"payload":"data:audio/wav;base64,AA"}}"#,
                "media.payload is no base64: data:audio/wav;base64,AA",
            ),
        ] {
            let found = from_backend(text.as_bytes(), Some("MZ1"));
            assert_eq!(found, FromBackend::Unfit(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn fit_messages_are_fit() {
        let second = "AAAA".repeat(2_666) + "AAA=";
        let media =
            format!(r#"{{"event":"media","streamSid":"MZ1","media":{{"payload":"{second}"}}}}"#);
        let found = from_backend(media.as_bytes(), Some("MZ1"));
        assert_eq!(found, FromBackend::Media(Duration::from_secs(1)));
        for other in [
            r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a"}}"#,
            r#"{"event":"clear","streamSid":"MZ1"}"#,
            // Readers differ on these.
            r#"{"event":"clear","streamSid":"MZ1","x":1e999}"#,
        ] {
            assert_eq!(from_backend(other.as_bytes(), Some("MZ1")), FromBackend::Other, "{other}");
        }
        let deep = "[".repeat(500) + &"]".repeat(500);
        assert_eq!(from_backend(deep.as_bytes(), None), FromBackend::Other);
    }

    #[test]
    fn the_sound_of_a_long_message_is_measured_by_its_length() {
        let beginning = br#"{"event":"media","streamSid":"MZ1","media":{"payload":"AAAA"#;
        let sound = sound_of_long(beginning, 106_667 + 60).unwrap();
        assert!((9_990..=10_010).contains(&sound.as_millis()), "{sound:?}");
        assert_eq!(sound_of_long(b"{\"event\":\"mark\"", 100_000), None);
    }
}
