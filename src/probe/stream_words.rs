//! The messages of Media Streams and ConversationRelay.
//!
//! Source: Twilio docs, "Media Streams WebSocket messages", "ConversationRelay WebSocket messages".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::stream::{Stream, count, reject};
use crate::guard::stream::{StreamKind, StreamReport};
use crate::guard::watch::talk::{self, FromBackend};

/// Bytes of mu-law in one frame of 20 ms.
const FRAME: usize = 160;
/// Silence in mu-law.
const SILENCE: u8 = 0xff;

/// A stream's id, made of the call's.
pub(super) fn stream_sid(call_sid: &str) -> String {
    format!("MZ{}", call_sid.get(2..).unwrap_or_default())
}

/// The first bytes of something unexpected, as text.
pub(super) fn first(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    format!("`{}`", bytes.get(..bytes.len().min(60)).unwrap_or_default().escape_ascii())
}

/// Whether bytes may begin a frame without extensions: no reserved bit, an opcode that there is.
pub(super) fn may_be_frame(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| first & 0x70 == 0 && matches!(first & 0x0f, 0..=2 | 8..=10))
}

/// What Twilio says, one message after the other.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    stream: &'a Stream,
    stream_sid: String,
    at: u32,
}

impl<'a> Sending<'a> {
    pub fn new(stream: &'a Stream) -> Self {
        Self { stream, stream_sid: stream_sid(&stream.call_sid), at: 0 }
    }

    /// The next message; `None` when everything is said.
    pub fn next(&mut self, report: &mut StreamReport) -> Option<String> {
        let at = self.at;
        self.at += 1;
        let message = if self.stream.kind == StreamKind::ConversationRelay {
            self.relay(at)?
        } else {
            self.media(at)?
        };
        report.has_started |=
            matches!(at, 0 | 1) && message.get("event") != Some(&json!("connected"));
        let text = message.to_string();
        count(&mut report.inbound, text.len());
        if message.get("media").is_some() {
            report.inbound.audio += talk::played(FRAME as u64);
        } else {
            report.inbound.messages += 1;
        }
        Some(text)
    }

    fn media(&self, at: u32) -> Option<Value> {
        let Stream { call_sid, account_sid, frames, .. } = self.stream;
        let sid = &self.stream_sid;
        let number = at.to_string();
        let last = frames + 2;
        Some(match at {
            0 => json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}),
            1 => json!({
                "event": "start",
                "sequenceNumber": number,
                "streamSid": sid,
                "start": {
                    "accountSid": account_sid,
                    "streamSid": sid,
                    "callSid": call_sid,
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": self.parameters(),
                },
            }),
            _ if at < last => json!({
                "event": "media",
                "sequenceNumber": number,
                "streamSid": sid,
                "media": {
                    "track": "inbound",
                    "chunk": (at - 1).to_string(),
                    "timestamp": ((at - 2) * 20).to_string(),
                    "payload": STANDARD.encode([SILENCE; FRAME]),
                },
            }),
            _ if at == last => json!({
                "event": "stop",
                "sequenceNumber": number,
                "streamSid": sid,
                "stop": {"accountSid": account_sid, "callSid": call_sid},
            }),
            _ => return None,
        })
    }

    fn relay(&self, at: u32) -> Option<Value> {
        let Stream { call_sid, account_sid, .. } = self.stream;
        Some(match at {
            0 => json!({
                "type": "setup",
                "sessionId": format!("VX{}", call_sid.get(2..).unwrap_or_default()),
                "accountSid": account_sid,
                "callSid": call_sid,
                "from": "+15555550123",
                "to": "+15555550199",
                "direction": "inbound",
                "callType": "PSTN",
                "callStatus": "IN-PROGRESS",
                "customParameters": self.parameters(),
            }),
            1 => json!({"type": "prompt", "voicePrompt": "Hello?", "lang": "en-US", "last": true}),
            _ => return None,
        })
    }

    fn parameters(&self) -> Value {
        let pairs = self.stream.parameters.iter();
        pairs.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
    }
}

/// Notes a message of the backend, and whether Twilio would reject it.
pub(super) fn note(message: &Message, report: &mut StreamReport) {
    let text = match message {
        Message::Text(text) => text.as_str(),
        Message::Binary(bytes) => {
            count(&mut report.outbound, bytes.len());
            return reject(report, 31_950, "a binary frame");
        }
        _ => return,
    };
    count(&mut report.outbound, text.len());
    if report.kind == StreamKind::ConversationRelay {
        report.outbound.messages += 1;
        if let Some(why) = unfit_for_relay(text) {
            reject(report, 31_951, &why);
        }
        return;
    }
    match talk::from_backend(text.as_bytes(), report.stream_sid.as_deref()) {
        FromBackend::Media(sound) => report.outbound.audio += sound,
        FromBackend::Other => report.outbound.messages += 1,
        FromBackend::Unfit(why) => {
            report.outbound.messages += 1;
            reject(report, 31_951, &why);
        }
    }
}

fn unfit_for_relay(text: &str) -> Option<String> {
    let Ok(Value::Object(said)) = serde_json::from_str(text) else {
        return Some(format!("`{}`, which is no JSON object", talk::cut(text)));
    };
    let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_known = matches!(kind, "text" | "play" | "sendDigits" | "language" | "end");
    (!is_known).then(|| format!("a message of type `{}`", talk::cut(kind)))
}
