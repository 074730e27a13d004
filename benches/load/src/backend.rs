//! The fixed backend: one thread, answers by path, as cheap as sockets allow.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::answers::{self, Answer, CHUNK};
use crate::head;
use crate::streams;

const LISTENER: Token = Token(usize::MAX);

/// What it did so far: the path `/counts` tells.
#[derive(Default)]
struct Counts {
    accepted: u64,
    answered: u64,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What is being sent, and how much of it is out.
    sending: Option<(&'static [u8], usize)>,
    closes: bool,
    /// Frames come and go, no more requests.
    streams: bool,
}

/// Serves until it is killed; says its port on standard output.
pub fn run(address: &str) -> io::Result<()> {
    let answers: &'static HashMap<&'static str, Answer> = Box::leak(Box::new(answers::all()));
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("{}", listener.local_addr()?.port());
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut scratch = vec![0; 256 * 1024];
    let mut counts = Counts::default();
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        for event in &events {
            if event.token() == LISTENER {
                loop {
                    let mut stream = match listener.accept() {
                        Ok((stream, _)) => stream,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    };
                    counts.accepted += 1;
                    stream.set_nodelay(true)?;
                    let slot = free.pop().unwrap_or_else(|| {
                        connections.push(None);
                        connections.len() - 1
                    });
                    poll.registry().register(
                        &mut stream,
                        Token(slot),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    let fresh = Connection {
                        stream,
                        buffer: Vec::new(),
                        sending: None,
                        closes: false,
                        streams: false,
                    };
                    connections[slot] = Some(fresh);
                }
                continue;
            }
            let slot = event.token().0;
            let Some(connection) = connections[slot].as_mut() else { continue };
            if !connection.serve(answers, &mut scratch, &mut counts).unwrap_or(false) {
                connections[slot] = None;
                free.push(slot);
            }
        }
    }
}

impl Connection {
    /// Does what can be done; false when the connection is over.
    fn serve(
        &mut self,
        answers: &'static HashMap<&'static str, Answer>,
        scratch: &mut [u8],
        counts: &mut Counts,
    ) -> io::Result<bool> {
        loop {
            if self.streams && !self.echo()? {
                return Ok(false);
            }
            if !self.flush()? {
                return Ok(true);
            }
            if self.closes {
                return Ok(false);
            }
            if !self.streams && self.begin(answers, counts)? {
                continue;
            }
            match self.stream.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.buffer.extend_from_slice(&scratch[..count]);
                    if self.streams && count < scratch.len() {
                        return self.echo();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            // A request that came whole leaves nothing to read until it is answered: no second read.
            if !self.streams && self.begin(answers, counts)? && self.buffer.is_empty() {
                return Ok(!self.flush()? || !self.closes);
            }
        }
    }

    /// Answers each media frame by one of its own; false when the stream is over.
    fn echo(&mut self) -> io::Result<bool> {
        let mut used = 0;
        let mut out = Vec::new();
        while let Some((opcode, payload, end)) = streams::frame(&self.buffer[used..]) {
            match opcode {
                streams::CLOSE => return Ok(false),
                _ if memmem::find(payload, b"\"event\":\"media\"").is_some() => {
                    out.extend_from_slice(streams::echoed());
                }
                _ => {}
            }
            used += end;
        }
        self.buffer.drain(..used);
        if !out.is_empty() {
            // A few hundred bytes fit; a peer that does not read for so long is no longer measured.
            self.stream.write_all(&out)?;
        }
        Ok(true)
    }

    /// Takes one whole request from the buffer and chooses its answer; false where there is none yet.
    fn begin(
        &mut self,
        answers: &'static HashMap<&'static str, Answer>,
        counts: &mut Counts,
    ) -> io::Result<bool> {
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else { return Ok(false) };
        let request = &self.buffer[..end + 2];
        let length = head::content_length(request).unwrap_or(0);
        if self.buffer.len() < end + 4 + length {
            return Ok(false);
        }
        self.closes = head::says_close(request);
        let path = head::path(request);
        if path == "/counts" {
            let body = format!("{} {}", counts.accepted, counts.answered);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.stream.write_all(answer.as_bytes())?;
        } else if path.starts_with(streams::PATH) {
            self.stream.write_all(streams::ACCEPTED)?;
            self.streams = true;
        } else if let Some(answer) = answers::find(answers, path) {
            counts.answered += 1;
            self.sending = Some((if self.closes { &answer.closing } else { &answer.kept }, 0));
        } else {
            self.stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        }
        let used = end + 4 + length;
        if self.buffer.len() == used {
            self.buffer.clear();
        } else {
            self.buffer.drain(..used);
        }
        Ok(true)
    }

    /// Sends what waits; true when nothing is left. A long answer goes out in chunks, as an app would write it.
    fn flush(&mut self) -> io::Result<bool> {
        while let Some((bytes, sent)) = self.sending {
            let most = if bytes.len() > 4 * CHUNK + 4096 { CHUNK } else { bytes.len() };
            let end = (sent + most).min(bytes.len());
            match self.stream.write(&bytes[sent..end]) {
                Ok(count) if sent + count == bytes.len() => self.sending = None,
                Ok(count) => self.sending = Some((bytes, sent + count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
