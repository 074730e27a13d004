//! A small application on real sockets: answers by path, and opens streams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// What a path does.
#[derive(Clone)]
pub enum Plays {
    /// Bytes, whole.
    Says(String),
    /// A stream that gives sound back for each message, to the end.
    Echoes,
    /// A stream that is closed at once.
    Dies,
    /// 101, and an error page behind it.
    Garbage,
    /// The connection closes without a word.
    Closes,
}

pub struct App {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

pub fn twiml(inner: &str) -> Plays {
    answer("200 OK", "text/xml", &format!("<Response>{inner}</Response>"))
}

pub fn answer(status: &str, kind: &str, body: &str) -> Plays {
    let length = body.len();
    Plays::Says(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

pub fn raw(text: &str) -> Plays {
    Plays::Says(text.to_owned())
}

pub fn redirect(status: &str, location: &str) -> Plays {
    raw(&format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
}

impl App {
    /// Paths (`POST /x` before `/x`) and what they do; others are 404.
    pub async fn start(paths: &[(&str, Plays)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let paths: HashMap<String, Plays> =
            paths.iter().map(|(path, plays)| ((*path).to_owned(), plays.clone())).collect();
        let (paths, all) = (Arc::new(paths), Arc::clone(&seen));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&paths), Arc::clone(&all)));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    paths: Arc<HashMap<String, Plays>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut asked = vec![0; 16 * 1024];
    let mut length = stream.peek(&mut asked).await.unwrap_or(0);
    // The head and body of so small a request come together, or nearly.
    for _ in 0..20 {
        let text = String::from_utf8_lossy(&asked[..length]).into_owned();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let lower = text.to_lowercase();
        let announced = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse().ok());
        if body.is_some_and(|body| body >= announced.unwrap_or(0)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        length = stream.peek(&mut asked).await.unwrap_or(0);
    }
    let text = String::from_utf8_lossy(&asked[..length]).into_owned();
    let mut words = text.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
    let plays = paths.get(&format!("{method} {path}")).or_else(|| paths.get(path));
    let plays =
        plays.cloned().unwrap_or_else(|| answer("404 Not Found", "text/html", "<html>no</html>"));
    seen.lock().unwrap().push(text.clone());
    match plays {
        Plays::Says(bytes) => {
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
        Plays::Closes => drop(stream.read(&mut asked).await),
        Plays::Echoes => {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                let said = message.to_text().unwrap_or_default();
                if said.contains("\"media\"") {
                    // Its own message back, as it is: it names the stream.
                    let _ = socket.send(Message::text(said)).await;
                }
            }
        }
        Plays::Dies => {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            let _ = socket.close(None).await;
            while let Some(Ok(_)) = socket.next().await {}
        }
        Plays::Garbage => {
            let _ = stream.read(&mut asked).await;
            let key =
                text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept =
                tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\nHTTP/1.1 500 Internal Server Error\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.read(&mut asked).await;
        }
    }
}
