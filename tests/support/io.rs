//! HTTP on whatever can be read and written: TLS, Unix sockets.

use std::io::{Read, Write};

use super::backend::{Backend, twiml};

/// A WebSocket handshake of a client.
pub const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Says `hi` as TwiML; confirms WebSockets, and echoes blocks of four bytes there.
pub fn both() -> Backend {
    Backend::start(|connection| {
        while let Some(head) = connection.request() {
            if !head.starts_with("GET /ws ") {
                connection.say(twiml("hi"));
                continue;
            }
            connection.say(SWITCH);
            while let Some(block) = connection.exactly(4) {
                connection.say(block);
            }
            return;
        }
    })
}

/// Reads a head.
pub fn head(io: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && io.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Sends a request, and reads the answer by its length.
pub fn ask(io: &mut (impl Read + Write), request: &str) -> String {
    io.write_all(request.as_bytes()).unwrap();
    io.flush().unwrap();
    let head = head(io);
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    io.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Opens a WebSocket before [`both`] and exchanges blocks.
pub fn talk(io: &mut (impl Read + Write)) {
    io.write_all(HANDSHAKE.as_bytes()).unwrap();
    let head = head(io);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for n in 0..50 {
        let block = format!("{n:04}");
        io.write_all(block.as_bytes()).unwrap();
        let mut back = [0; 4];
        io.read_exact(&mut back).unwrap();
        assert_eq!(&back, block.as_bytes());
    }
}
