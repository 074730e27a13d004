//! A backend on a bare socket: says whatever bytes a test wants, when it wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One accepted connection.
pub struct Connection {
    reader: BufReader<TcpStream>,
    /// Counted from 0, in the order of acceptance.
    pub number: usize,
    seen: Arc<Mutex<Vec<String>>>,
}

/// A backend that runs a script on each connection.
pub struct Backend {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    /// Runs `script` on a thread of its own for each connection.
    pub fn start(script: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, count, all) = (Arc::new(script), Arc::clone(&connections), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (script, seen) = (Arc::clone(&script), Arc::clone(&all));
                thread::spawn(move || {
                    script(&mut Connection { reader: BufReader::new(stream), number, seen });
                });
            }
        });
        Self { address, connections, seen }
    }

    /// Gives the same bytes to every request, on kept connections.
    pub fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |connection| {
            while connection.request().is_some() {
                connection.say(&answer);
            }
        })
    }

    /// Gives these bytes to the first request of a connection and closes it.
    pub fn once(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |connection| {
            connection.request();
            connection.say(&answer);
        })
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests read so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Connection {
    /// Reads one request whole (by its length or its chunks); `None` at the end.
    pub fn request(&mut self) -> Option<String> {
        let mut all = self.head()?;
        let lower = all.to_ascii_lowercase();
        if lower.contains("\ntransfer-encoding: chunked") {
            loop {
                let size = self.line()?;
                let length = usize::from_str_radix(size.trim(), 16).ok()?;
                all += &self.exactly(length)?;
                self.line()?;
                if length == 0 {
                    break;
                }
            }
        } else if let Some(at) = lower.find("\ncontent-length:") {
            let value = lower[at + 16..].lines().next()?.trim().parse().ok()?;
            all += &self.exactly(value)?;
        }
        self.seen.lock().unwrap().push(all.clone());
        Some(all)
    }

    /// Reads one request's head.
    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let line = self.line()?;
            head += &line;
            if line == "\r\n" {
                return Some(head);
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.reader.read_line(&mut line).ok()? > 0).then_some(line)
    }

    /// Reads so many bytes.
    pub fn exactly(&mut self, length: usize) -> Option<String> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Says bytes; a peer that has left is fine.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
    }

    /// Waits.
    #[allow(clippy::unused_self, reason = "a script reads as what the backend does")]
    pub fn rest(&self, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
    }

    /// Ends with a reset instead of an end.
    pub fn reset(&mut self) {
        let socket = socket2::SockRef::from(self.reader.get_ref());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The socket itself.
    pub fn socket(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }
}

/// An answer with its length.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A good TwiML answer that says `text`.
pub fn twiml(text: &str) -> String {
    let body = format!("<Response><Say>{text}</Say></Response>");
    answer("200 OK", "Content-Type: text/xml\r\n", &body)
}
