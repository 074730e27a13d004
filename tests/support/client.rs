//! A client on a bare socket: sees the very bytes that the guard sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The parameters of an incoming call, as Twilio posts them.
pub const CALL: &str = "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing&From=%2B15550100&To=%2B15550101&Direction=inbound";

/// A connection to the guard.
pub struct Client(BufReader<TcpStream>);

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
}

impl Client {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Reads a line, its end included; there must be one.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "ended");
        line
    }

    /// Reads a head.
    pub fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let before = head.len();
            if self.0.read_line(&mut head).unwrap_or(0) == 0 || head[before..] == *"\r\n" {
                return head;
            }
        }
    }

    /// Reads an answer by its length; without one, to the connection's end.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut answer = Answer { head, body: Vec::new() };
        match answer.header("content-length").map(|length| length.parse().unwrap()) {
            Some(length) => answer.body = self.exactly(length),
            None => {
                let _ = self.0.read_to_end(&mut answer.body);
            }
        }
        answer
    }

    /// Reads so many bytes.
    pub fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads until the peer ends; what came, and whether it ended cleanly.
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let clean = self.0.read_to_end(&mut bytes).is_ok();
        (bytes, clean)
    }

    /// The socket itself.
    pub fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A form post.
pub fn post(path: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

/// A GET.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n")
}

/// One request on a new connection.
pub fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::to(address);
    client.say(request);
    client.answer()
}
