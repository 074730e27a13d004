//! A stream as Twilio opens it: its headers, its messages, and what came back.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::Client;
use super::connect::Io;
use super::error::ProbeError;
use super::url::Url;
use super::wire::Tap;
use crate::guard::stream::{Flow, Garbage, Rejected, Side, StreamEnd, StreamKind, StreamReport};
use crate::twilio::signature;

use super::stream_words as words;

/// Time for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A stream is given up after this, whatever it still says.
const LONGEST: Duration = Duration::from_mins(1);
/// How long a backend may still speak after `stop`.
const AFTER_STOP: Duration = Duration::from_millis(500);
/// Most bytes of a handshake's answer.
const MAX_HEAD: usize = 16 * 1024;
/// Largest message that is read.
const MAX_MESSAGE: usize = 1024 * 1024;

/// A stream to open.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Where.
    pub url: Url,
    /// Which protocol.
    pub kind: StreamKind,
    /// The call.
    pub call_sid: String,
    /// The account.
    pub account_sid: String,
    /// What the document's `<Parameter>`s say.
    pub parameters: Vec<(String, String)>,
    /// Media messages of 20 ms that are sent.
    pub frames: u32,
    /// Time between two of them: 20 ms are real time.
    pub pace: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Streamed {
    /// The facts, as the guard notes them too.
    pub report: StreamReport,
    /// First bytes of an answer that is no 101.
    pub refusal: String,
    /// Why nothing answered.
    pub error: Option<ProbeError>,
}

impl Streamed {
    /// The code that Twilio would log, and why; `None` for a stream that ran.
    pub fn fault(&self) -> Option<(u32, String)> {
        if let Some(error) = &self.error {
            let code = match error {
                ProbeError::Connect { .. } => 31_902,
                ProbeError::ConnectTimeout { .. } | ProbeError::TooLate { .. } => 31_901,
                ProbeError::Tls(_) => 31_910,
                ProbeError::Url(_) | ProbeError::Request { .. } => 31_923,
                _ => 31_904,
            };
            return Some((code, error.to_string()));
        }
        if self.report.status != Some(101) {
            let status = self.report.status.map_or("no status".to_owned(), |code| code.to_string());
            return Some((31_920, format!("answered {status} instead of 101: {}", self.refusal)));
        }
        if let Some(garbage) = &self.report.garbage {
            let seen = garbage.first.escape_ascii();
            return Some((
                31_924,
                format!("after the 101 came `{seen}`, which is no WebSocket frame"),
            ));
        }
        let first = self.report.rejected.first();
        first.map(|rejected| {
            (rejected.code, format!("{}, {} times", rejected.first, rejected.count))
        })
    }

    /// Whether the backend ended it before Twilio was through.
    pub fn died(&self) -> bool {
        match &self.report.end {
            StreamEnd::Closed { by, .. } | StreamEnd::Lost { by } => *by == Side::Backend,
            StreamEnd::Refused | StreamEnd::Stopped | StreamEnd::Cut => true,
        }
    }

    /// Whether the caller was served: it ran, sound or words came back, and it did not break.
    pub fn served(&self) -> bool {
        let out = &self.report.outbound;
        let spoke = !out.audio.is_zero()
            || (self.report.kind == StreamKind::ConversationRelay && out.messages > 0);
        self.report.status == Some(101) && spoke && self.report.ended_in_order()
    }
}

impl Stream {
    /// Opens it, speaks as Twilio does, and waits for its end, all in bounded time.
    pub async fn run(&self, client: &Client) -> Streamed {
        let mut report = StreamReport {
            path: self.url.path().to_owned(),
            call_sid: Some(self.call_sid.clone()),
            stream_sid: Some(words::stream_sid(&self.call_sid)),
            kind: self.kind,
            ..StreamReport::default()
        };
        let streamed =
            |report: StreamReport, refusal: String, error| Streamed { report, refusal, error };
        let late = || ProbeError::TooLate { to: self.url.authority() };
        let shaken = match tokio::time::timeout(HANDSHAKE, self.shake(client)).await {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(error)) => return streamed(report, String::new(), Some(error)),
            Err(_) => return streamed(report, String::new(), Some(late())),
        };
        report.status = shaken.status;
        let Some((io, rest)) = shaken.open else {
            return streamed(report, shaken.first, None);
        };
        let start = Instant::now();
        // What is already here is no frame where it begins like an HTTP head.
        self.talk(io, rest, &mut report).await;
        report.duration = start.elapsed();
        streamed(report, String::new(), None)
    }

    async fn shake(&self, client: &Client) -> Result<Shaken, ProbeError> {
        let connected = client.connector().connect(&self.url).await?;
        let mut io = connected.io;
        let key = STANDARD.encode(uuid::Uuid::now_v7().as_bytes());
        let url = &self.url;
        let signature = client
            .signature(url)
            .map_or(String::new(), |signature| format!("{}: {signature}\r\n", signature::HEADER));
        let forwarded = client.connector().forwarded(url).into_iter();
        let forwarded: Vec<_> =
            forwarded.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let forwarded = forwarded.concat();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{forwarded}{signature}\r\n",
            url.target,
            url.authority()
        );
        let http = |found: String| ProbeError::Http { to: connected.peer, found };
        let failed = |error: std::io::Error| http(error.to_string());
        io.write_all(request.as_bytes()).await.map_err(failed)?;
        io.flush().await.map_err(failed)?;
        let mut head = Vec::new();
        let end = loop {
            if let Some(at) = memchr::memmem::find(&head, b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            let read = io.read(&mut chunk).await.map_err(failed)?;
            if read == 0 || head.len() > MAX_HEAD {
                return Err(http(words::first(&head)));
            }
            head.extend_from_slice(chunk.get(..read).unwrap_or_default());
        };
        let rest = head.split_off(end);
        let text = String::from_utf8_lossy(&head).into_owned();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let accept = derive_accept_key(key.as_bytes());
        let accepted = text.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == accept
        });
        if status == Some(101) && accepted {
            return Ok(Shaken { status, first: String::new(), open: Some((io, rest)) });
        }
        let mut first = text.lines().next().unwrap_or_default().to_owned();
        if status == Some(101) {
            first.push_str(" without a fitting Sec-WebSocket-Accept");
        }
        // A 101 that is none counts as refused.
        let status = status.filter(|&status| status != 101);
        first = format!("{first} | {}", words::first(&rest));
        Ok(Shaken { status, first, open: None })
    }

    async fn talk(&self, io: Box<dyn Io>, rest: Vec<u8>, report: &mut StreamReport) {
        let (tap, seen) = Tap::new(io);
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MAX_MESSAGE);
        let early = rest.clone();
        let mut socket =
            WebSocketStream::from_partially_read(tap, rest, Role::Client, Some(config)).await;
        let mut sending = words::Sending::new(self);
        let mut ticks = tokio::time::interval(self.pace.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let deadline = tokio::time::Instant::now() + LONGEST;
        let mut ending = deadline;
        loop {
            let is_through = ending < deadline;
            tokio::select! {
                biased;
                message = socket.next() => match message {
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.as_ref().map(|frame| frame.code.into());
                        let reason = frame.map(|frame| frame.reason.as_str().chars().take(80).collect());
                        let reason = reason.unwrap_or_default();
                        report.end = StreamEnd::Closed { by: Side::Backend, code, reason };
                        if is_through {
                            report.end = StreamEnd::Closed { by: Side::Twilio, code: Some(1000), reason: String::new() };
                        }
                        break;
                    }
                    Some(Ok(message)) => words::note(&message, report),
                    Some(Err(error)) => {
                        report.end = StreamEnd::Lost { by: Side::Backend };
                        if let Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_) = error {
                            report.end = StreamEnd::Stopped;
                        } else if is_through {
                            report.end = StreamEnd::Lost { by: Side::Twilio };
                        }
                        break;
                    }
                    None => {
                        report.end = StreamEnd::Lost { by: Side::Backend };
                        break;
                    }
                },
                () = tokio::time::sleep_until(ending) => {
                    report.end = StreamEnd::Closed { by: Side::Twilio, code: Some(1000), reason: String::new() };
                    break;
                }
                _ = ticks.tick(), if !is_through => {
                    let Some(message) = sending.next(report) else {
                        ending = tokio::time::Instant::now() + AFTER_STOP;
                        continue;
                    };
                    if socket.send(Message::text(message)).await.is_err() {
                        // Why is told by what comes in.
                        ending = tokio::time::Instant::now() + AFTER_STOP;
                    }
                }
            }
        }
        // A reader may wait for the rest of what looks like a frame's length.
        let tapped = seen.lock().unwrap_or_else(PoisonError::into_inner).first.clone();
        let first = if early.is_empty() { tapped } else { early };
        if report.end == StreamEnd::Stopped || !words::may_be_frame(&first) {
            report.end = StreamEnd::Stopped;
            report.garbage = Some(Garbage {
                first: Bytes::copy_from_slice(first.get(..60).unwrap_or(&first)),
                why: "bytes that begin no frame, or end none",
                frames_before: report.outbound.frames,
            });
        }
        let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
        let _ = tokio::time::timeout(AFTER_STOP, socket.close(Some(goodbye))).await;
    }
}

/// A handshake's answer.
struct Shaken {
    status: Option<u16>,
    first: String,
    open: Option<(Box<dyn Io>, Vec<u8>)>,
}

/// Adds a message that Twilio would reject.
pub(super) fn reject(report: &mut StreamReport, code: u32, first: &str) {
    match report.rejected.iter_mut().find(|rejected| rejected.code == code) {
        Some(known) => known.count += 1,
        None => report.rejected.push(Rejected { code, count: 1, first: first.to_owned() }),
    }
}

/// Adds one frame to what came from a side.
pub(super) fn count(flow: &mut Flow, bytes: usize) {
    flow.frames += 1;
    flow.bytes += bytes as u64;
}
