//! What the backend answers, by path: made once, sent as it is.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Bytes of one chunk of a long answer, chunked or not.
pub const CHUNK: usize = 16 * 1024;
/// Bytes of the long media answer.
const MEDIA: usize = 1024 * 1024;

/// What is below it is answered alike.
pub const ROLES: &str = "/roles/";

/// The answer to a request for this path.
pub fn find<'a>(answers: &'a HashMap<&'static str, Answer>, path: &str) -> Option<&'a Answer> {
    answers.get(path).or_else(|| answers.get(ROLES).filter(|_| path.starts_with(ROLES)))
}

/// One fixed answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, without framing.
    pub body: Vec<u8>,
    /// Head and body as they are sent on a connection that stays open.
    pub kept: Vec<u8>,
    /// The same with `Connection: close`.
    pub closing: Vec<u8>,
}

/// Every answer there is, by path.
pub fn all() -> HashMap<&'static str, Answer> {
    let short = document(350);
    let mut marked = "\u{feff}".as_bytes().to_vec();
    marked.extend_from_slice(&short);
    HashMap::from([
        ("/voice/350", answer(200, "text/xml; charset=utf-8", short, false)),
        ("/voice/4k", answer(200, "text/xml; charset=utf-8", document(4 * 1024), false)),
        ("/voice/60k", answer(200, "text/xml; charset=utf-8", document(60 * 1024), false)),
        ("/voice/bom", answer(200, "text/xml; charset=utf-8", marked, false)),
        ("/voice/500", answer(500, "text/html; charset=utf-8", page(), false)),
        (ROLES, answer(200, "text/xml; charset=utf-8", document(350), false)),
        ("/media/1m", answer(200, "audio/basic", media(), false)),
        ("/media/1m-chunked", answer(200, "audio/basic", media(), true)),
    ])
}

fn answer(status: u16, kind: &str, body: Vec<u8>, chunked: bool) -> Answer {
    let make = |connection: &str| {
        let reason = if status == 200 { "OK" } else { "INTERNAL SERVER ERROR" };
        let framing = if chunked {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}", body.len())
        };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nServer: app\r\nContent-Type: {kind}\r\n{framing}\r\nConnection: {connection}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        if chunked {
            for part in body.chunks(CHUNK) {
                bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&body);
        }
        bytes
    };
    Answer { status, kept: make("keep-alive"), closing: make("close"), body }
}

/// A voice menu of exactly `size` bytes, as apps build them: attributes, an escaped URL, other scripts.
fn document(size: usize) -> Vec<u8> {
    const END: &str = "</Say></Response>\n";
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Gather input=\"dtmf\" numDigits=\"1\" action=\"/voice/menu?lang=en&amp;step=1\" method=\"POST\"><Say language=\"en-US\">Welcome. For opening hours press 1, to talk to us press 2.</Say></Gather>",
    );
    let mut number = 1;
    loop {
        let mut verse = String::new();
        for part in [
            format!(
                "<Say language=\"en-US\" voice=\"Polly.Joanna\">Entry {number}: open from nine to five, Monday to Friday.</Say>"
            ),
            format!("<Play>https://media.example.com/prompts/{number}.mp3?v=2&amp;lang=en</Play>"),
            format!(
                "<Say language=\"es-ES\">Entrada {number}: abierto de nueve a cinco, ma\u{f1}ana tambi\u{e9}n.</Say>"
            ),
            "<Pause length=\"1\"/>\n".to_owned(),
        ] {
            verse.push_str(&part);
        }
        if text.len() + verse.len() + "<Say>".len() + END.len() > size {
            break;
        }
        text.push_str(&verse);
        number += 1;
    }
    text.push_str("<Say>");
    let filler = "Please hold the line, we will be with you in a moment. ";
    while text.len() + END.len() < size {
        let room = size - END.len() - text.len();
        text.push_str(&filler[..room.min(filler.len())]);
    }
    text.push_str(END);
    text.into_bytes()
}

/// The error page of a web framework.
fn page() -> Vec<u8> {
    let mut text = String::from(
        "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to complete your request.</p>\n",
    );
    for line in 1..=6 {
        let _ = writeln!(text, "<!-- frame {line}: handler in app.py -->");
    }
    text.into_bytes()
}

/// Sound that no two chunks share.
fn media() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..MEDIA).map(next).collect()
}
