//! Media Streams: Twilio's side sends 50 frames of sound a second on each, the backend answers each by one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::cpu::Snapshot;
use crate::histogram::Histogram;
use crate::load::{HANGS, timer};
use crate::plan::Outcome;

/// Frames a second of each stream, as Twilio sends them.
const FRAMES: f64 = 50.0;
/// Where the backend takes streams.
pub const PATH: &str = "/ws/";
/// What it says to a handshake: the key is always the example of RFC 6455.
pub const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
const SID: &str = "MZ00000000000000000000000000000001";
const TIMER: Token = Token(usize::MAX);

/// What is to be done.
pub struct Plan {
    /// Who is asked.
    pub target: SocketAddr,
    /// Where the stream is.
    pub path: String,
    /// Streams at a time.
    pub streams: usize,
    /// Time before the measurement.
    pub warm: Duration,
    /// Time of the measurement.
    pub time: Duration,
    /// Whose run time is taken.
    pub pids: Vec<i32>,
    /// Whose run time is taken beside it.
    pub helpers: Vec<i32>,
}

/// The first frame in a buffer: opcode, payload as it stands there, and where the frame ends.
pub fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, mut start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        // Nobody here sends 64 KB.
        short => (usize::from(short), 2),
    };
    if second & 0x80 != 0 {
        start += 4;
    }
    Some((first & 0x0f, bytes.get(start..start + length)?, start + length))
}

/// The backend's frame of sound.
pub fn echoed() -> &'static [u8] {
    static FRAME: OnceLock<Vec<u8>> = OnceLock::new();
    FRAME.get_or_init(|| {
        let text = format!(
            "{{\"event\":\"media\",\"streamSid\":\"{SID}\",\"media\":{{\"payload\":\"{}\"}}}}",
            sound()
        );
        framed(&text, false)
    })
}

/// 160 bytes of silence (20 ms of mu-law), in base64.
fn sound() -> String {
    format!("{}/w==", "/".repeat(212))
}

fn framed(text: &str, masked: bool) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x81];
    if length < 126 {
        frame.push(mask | length.to_be_bytes()[1]);
    } else {
        frame.push(mask | 0x7e);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    if masked {
        // A mask of zeros is one, too, and leaves the text readable.
        frame.extend_from_slice(&[0; 4]);
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

struct Stream {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// When each frame without an echo was due.
    due: VecDeque<Instant>,
}

/// Does it. The latency is that of a frame and its echo, from the moment at which the frame was due.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    let said = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let mut poll = Poll::new().map_err(said("poll"))?;
    let mut streams = Vec::with_capacity(plan.streams);
    for at in 0..plan.streams {
        let socket = open(plan).map_err(|why| format!("stream {at}: {why}"))?;
        socket.set_nonblocking(true).map_err(said("socket"))?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(at), Interest::READABLE)
            .map_err(said("register"))?;
        streams.push(Stream { socket, buffer: Vec::new(), due: VecDeque::new() });
    }
    let media = framed(
        &format!(
            "{{\"event\":\"media\",\"sequenceNumber\":\"3\",\"media\":{{\"track\":\"inbound\",\"chunk\":\"1\",\"timestamp\":\"5\",\"payload\":\"{}\"}},\"streamSid\":\"{SID}\"}}",
            sound()
        ),
        true,
    );
    let rate = FRAMES * plan.streams as f64;
    let timer = timer(Duration::from_secs_f64(1.0 / rate.min(5000.0))).map_err(said("timer"))?;
    let fd = timer.as_fd().as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&fd), TIMER, Interest::READABLE)
        .map_err(said("timer"))?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 64 * 1024];
    let mut latencies = Histogram::default();
    let (start, mut sent, mut echoes) = (Instant::now(), 0_u64, 0_u64);
    let mut begun: Option<(Snapshot, Snapshot)> = None;
    let mut last = (start, 0);
    loop {
        let now = Instant::now();
        if begun.is_none() && now >= start + plan.warm {
            latencies.clear();
            echoes = 0;
            last = (now, 0);
            begun = Some((Snapshot::take(&plan.pids)?, Snapshot::take(&plan.helpers)?));
        }
        if let Some((proxy, helpers)) = &begun
            && now >= proxy.at + plan.time
        {
            let outcome = Outcome::between(proxy, helpers, &plan.pids, &plan.helpers)?;
            return Ok(Outcome { answers: echoes, sent, latencies, ..outcome });
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let due = ((now - start).as_secs_f64() * rate) as u64;
        while sent < due {
            sent += 1;
            let at = usize::try_from(sent).unwrap_or(0) % streams.len();
            let stream = &mut streams[at];
            let count = stream.socket.write(&media).map_err(said("send"))?;
            if count != media.len() {
                return Err("a frame did not fit into the socket".to_owned());
            }
            stream.due.push_back(start + Duration::from_secs_f64(sent as f64 / rate));
        }
        match poll.poll(&mut events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(format!("poll: {error}"));
            }
            _ => {}
        }
        for event in &events {
            if event.token() == TIMER {
                timer.wait().map_err(|error| format!("timer: {error}"))?;
                continue;
            }
            let stream = &mut streams[event.token().0];
            match stream.socket.read(&mut scratch) {
                Ok(0) => return Err("a stream was closed".to_owned()),
                Ok(count) => stream.buffer.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(format!("receive: {error}")),
            }
            let mut used = 0;
            while let Some((_, _, end)) = frame(&stream.buffer[used..]) {
                if stream.buffer[used..used + end] != *echoed() {
                    return Err("an echo is not what the backend sent".to_owned());
                }
                used += end;
                let due = stream.due.pop_front().ok_or("an echo of nothing")?;
                let took = Instant::now().saturating_duration_since(due);
                latencies.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                echoes += 1;
            }
            stream.buffer.drain(..used);
        }
        if echoes != last.1 {
            last = (now, echoes);
        } else if now > last.0 + HANGS {
            return Err("no echo for too long".to_owned());
        }
    }
}

/// Opens a stream as Twilio does: handshake, `connected`, `start`.
fn open(plan: &Plan) -> Result<std::net::TcpStream, String> {
    let said = |error: io::Error| error.to_string();
    let mut socket = std::net::TcpStream::connect(plan.target).map_err(said)?;
    socket.set_nodelay(true).map_err(said)?;
    socket.set_read_timeout(Some(HANGS)).map_err(said)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUser-Agent: Twilio.TmeWs/1.0\r\nX-Twilio-Signature: {:027x}=\r\n\r\n",
        plan.path, plan.target, 1,
    );
    socket.write_all(request.as_bytes()).map_err(said)?;
    let mut head = Vec::new();
    let mut byte = [0];
    while memmem::find(&head, b"\r\n\r\n").is_none() {
        if socket.read(&mut byte).map_err(said)? == 0 {
            return Err("closed within the handshake".to_owned());
        }
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(format!(
            "no stream: {}",
            String::from_utf8_lossy(&head[..head.len().min(200)])
        ));
    }
    let connected = "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";
    let start = format!(
        "{{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{{\"accountSid\":\"AC{:032x}\",\"streamSid\":\"{SID}\",\"callSid\":\"CA{:032x}\",\"tracks\":[\"inbound\"],\"mediaFormat\":{{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}}}},\"streamSid\":\"{SID}\"}}",
        1, 1,
    );
    for text in [connected, &start] {
        socket.write_all(&framed(text, true)).map_err(said)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_whole_or_not_at_all() {
        for text in ["short", &"long ".repeat(60)] {
            for masked in [false, true] {
                let bytes = framed(text, masked);
                let more = [bytes.as_slice(), b"more"].concat();
                assert_eq!(frame(&more), Some((1, text.as_bytes(), bytes.len())));
                for cut in 0..bytes.len() {
                    assert_eq!(frame(&bytes[..cut]), None, "{cut}");
                }
            }
        }
        assert!(memmem::find(echoed(), b"\"event\":\"media\"").is_some());
    }
}
