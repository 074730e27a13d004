//! A backend that misbehaves on purpose: raw TCP, so that it can do anything.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::calls;
use super::scenarios::{self, SCENARIOS};

/// One thing that the backend does to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes go out.
    Send(Vec<u8>),
    /// These bytes go out one at a time, this far apart.
    Drip(Vec<u8>, Duration),
    /// Nothing happens for a while.
    Wait(Duration),
    /// A voice agent that works: what comes is listened to, silence is said for so long, and the
    /// WebSocket is closed in order.
    Talk(Duration),
    /// The connection ends in order.
    Close,
    /// The connection ends with a reset.
    Reset,
}

/// What a scenario may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The key of a WebSocket's handshake; empty where there is none.
    pub key: String,
}

/// Most bytes of a request that are kept.
const MAX_REQUEST: usize = 64 * 1024;

/// Starts the backend on a port of its own; it ends with the runtime.
pub(super) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream))),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    Ok(address)
}

/// An address at which nobody listens.
pub(super) async fn nobody() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

async fn serve(mut stream: TcpStream) {
    let mut buffer = Vec::new();
    // A connection that fails or is closed has nobody left to be told.
    while let Ok(Some(asked)) = request(&mut stream, &mut buffer).await {
        match play(&mut stream, steps(&asked)).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
    }
}

fn steps(asked: &Asked) -> Vec<Step> {
    if let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.path == asked.path) {
        return (scenario.plays)(asked);
    }
    if let Some(steps) = calls::plays(asked) {
        return steps;
    }
    if asked.path == "/" {
        return scenarios::index();
    }
    scenarios::elsewhere(asked)
}

/// Whether the connection may serve another request.
async fn play(stream: &mut TcpStream, steps: Vec<Step>) -> io::Result<bool> {
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Drip(bytes, apart) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(apart).await;
                }
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Talk(time) => {
                calls::talk(stream, time).await?;
                return Ok(false);
            }
            Step::Close => {
                stream.shutdown().await?;
                return Ok(false);
            }
            Step::Reset => {
                socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
                return Ok(false);
            }
        }
    }
    stream.flush().await?;
    Ok(true)
}

/// Reads one request with its body; `None` at the end of the connection.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    loop {
        if let Some((asked, length)) = parsed(buffer) {
            buffer.drain(..length);
            return Ok(Some(asked));
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        if read == 0 || buffer.len() > MAX_REQUEST {
            return Ok(None);
        }
        buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
}

/// A whole request at the start of `bytes`, and its length.
fn parsed(bytes: &[u8]) -> Option<(Asked, usize)> {
    let head_end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(bytes.get(..head_end)?);
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let method = words.next()?.to_owned();
    let path = words.next()?.split('?').next()?.to_owned();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| {
        let own = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.trim())
    };
    let body: usize = header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let key = header("sec-websocket-key").unwrap_or_default().to_owned();
    let length = head_end.saturating_add(body);
    (bytes.len() >= length).then_some((Asked { method, path, key }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_with_its_body() {
        let text = b"POST /voice/x?y=1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
        let (asked, length) = parsed(text).unwrap();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/voice/x"));
        assert_eq!(length, text.len() - 3);
        assert_eq!(parsed(&text[..text.len() - 4]), None);
    }
}
