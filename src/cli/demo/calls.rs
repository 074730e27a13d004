//! Whole calls: what a caller goes through without the guard, and with it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::answers::{Headers, answer, html, page, plain, twiml};
use super::backend::{Asked, Step};
use super::guarded::PUBLIC_HOST;
use crate::cli::text::fitted;
use crate::probe::{Caller, Client, Connector, Ending, Script, Transcript};

/// One way in which calls went wrong in production.
#[derive(Debug)]
struct Story {
    path: &'static str,
    says: &'static str,
}

/// Every story, in the order of the walk.
static STORIES: &[Story] = &[
    Story { path: "/voice/call-dies", says: "stream dies, action says 204" },
    Story { path: "/voice/call-done", says: "stream is done, action says 204" },
    Story { path: "/voice/call-refused", says: "stream answers 400, action 204" },
    Story { path: "/voice/call-garbage", says: "101, then an error page" },
    Story { path: "/voice/call-signature", says: "403 to a genuine signature" },
    Story { path: "/voice//call-slashes", says: "// makes a 301, POST is lost" },
    Story { path: "/voice/call-page", says: "index page on the webhook" },
    Story { path: "/voice/call-path", says: "405 to POST, no Allow" },
    Story { path: "/voice/call-database", says: "500 JSON, the database is gone" },
    Story { path: "/voice/call-callback", says: "status callback never answered" },
];

/// Patience with a backend that never answers, in place of Twilio's 15 s.
const PATIENCE: Duration = Duration::from_millis(1_800);
/// A WebSocket's close frame, code 1000.
const GOODBYE: [u8; 4] = [0x88, 2, 0x03, 0xe8];
const SAYS: usize = 32;
const ALONE: usize = 33;

/// What the backend does on the paths of these stories; nothing on others.
pub(super) fn plays(asked: &Asked) -> Option<Vec<Step>> {
    let stream = |name: &str| {
        twiml(&format!(
            "<Response><Connect action=\"/action/ended\"><Stream url=\"wss://{PUBLIC_HOST}/stream/{name}\"/></Connect></Response>"
        ))
    };
    let is_post = asked.method == "POST";
    Some(match asked.path.as_str() {
        "/voice/call-dies" => stream("dies"),
        "/voice/call-done" => stream("done"),
        "/voice/call-refused" => stream("refused"),
        "/voice/call-garbage" => stream("garbage"),
        "/action/ended" => answer("204 No Content", &[], b""),
        "/stream/dies" => vec![switch(asked), Step::Send(GOODBYE.to_vec()), Step::Close],
        "/stream/done" => vec![switch(asked), Step::Talk(Duration::from_millis(300))],
        "/stream/refused" => html("400 BAD REQUEST", &page("Bad Request")),
        "/stream/garbage" => {
            let page = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n".to_vec();
            vec![switch(asked), Step::Send(page), Step::Close]
        }
        "/voice/call-signature" => plain("403 Forbidden", "Twilio Request Validation Failed."),
        "/voice//call-slashes" => {
            answer("301 Moved Permanently", &[("Location", "/voice/call-slashes")], b"")
        }
        "/voice/call-slashes" if is_post => greeting(),
        "/voice/call-slashes" | "/voice/call-path" => {
            html("405 Method Not Allowed", &page("Method Not Allowed"))
        }
        "/voice/call-page" => html(
            "200 OK",
            "<!doctype html><html><head><script src=\"/assets/index.js\"></script></head><body><div id=\"root\"></div></body></html>",
        ),
        "/voice/call-database" => {
            let json: Headers<'_> = &[("Content-Type", "application/json")];
            answer("500 Internal Server Error", json, br#"{"error":"server_error"}"#)
        }
        "/voice/call-callback" => twiml(
            "<Response><Dial><Number statusCallback=\"/callback/slow\">+15555550100</Number></Dial></Response>",
        ),
        "/callback/slow" => vec![Step::Wait(Duration::from_secs(20)), Step::Close],
        _ => return None,
    })
}

fn greeting() -> Vec<Step> {
    twiml("<Response><Say>Hello</Say></Response>")
}

fn switch(asked: &Asked) -> Step {
    let accept = derive_accept_key(asked.key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Step::Send(head.into_bytes())
}

/// Says silence into a stream, 100 ms of it for each message that comes, and closes it.
pub(super) async fn talk(stream: &mut TcpStream, time: Duration) -> io::Result<()> {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let end = tokio::time::Instant::now() + time;
    let mut sid = String::new();
    while let Ok(Some(Ok(message))) = timeout_at(end, socket.next()).await {
        let heard = message.into_text().unwrap_or_default();
        let heard: Value = serde_json::from_str(&heard).unwrap_or_default();
        if let Some(named) = heard.get("streamSid").and_then(Value::as_str) {
            named.clone_into(&mut sid);
        }
        if heard.get("event").is_some_and(|event| event == "media") {
            let payload = STANDARD.encode([0xff; 800]);
            let message_out =
                json!({"event": "media", "streamSid": sid, "media": {"payload": payload}});
            socket.send(Message::text(message_out.to_string())).await.map_err(io::Error::other)?;
        }
    }
    socket
        .close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))
        .await
        .map_err(io::Error::other)?;
    // What still comes is read, so that the close is not answered by a reset.
    while let Ok(Some(Ok(_))) = timeout_at(end + time, socket.next()).await {}
    Ok(())
}

/// Calls once; `at` is where the public host is found.
async fn called(story: &Story, at: SocketAddr) -> Option<Transcript> {
    let public =
        format!("https://{PUBLIC_HOST}{}", story.path).parse::<crate::probe::Url>().ok()?;
    let connector =
        Connector::new(None).ok()?.detour(public.clone(), format!("http://{at}/").parse().ok()?);
    let client = Client::new(connector, None).patience(PATIENCE);
    let pace = Duration::from_millis(20);
    let script = Script { frames: 20, pace, ..Script::default() };
    Some(Caller::new(client, script).call(public).await)
}

/// One row, and whether the caller was spoken to behind the guard.
pub(super) struct Told {
    pub line: String,
    pub was_spoken_to: bool,
}

/// Plays every story, first to the backend alone, then to the guard; one row each.
pub(super) async fn told(at: usize, backend: SocketAddr, guard: SocketAddr) -> Option<Told> {
    let story = STORIES.get(at)?;
    let alone = called(story, backend).await?;
    let guarded = called(story, guard).await?;
    let line = format!(
        "{} {} {}\n",
        fitted(story.says, SAYS),
        fitted(&shown(&alone), ALONE),
        shown(&guarded),
    );
    Some(Told { line, was_spoken_to: guarded.was_spoken_to() })
}

/// The heading of these rows.
pub(super) fn head() -> String {
    format!(
        "\nWhole calls, as a caller goes through them\n{:SAYS$} {:ALONE$} with the guard\n",
        "", "without the guard"
    )
}

fn shown(transcript: &Transcript) -> String {
    let codes: Vec<String> = transcript.codes().iter().map(u32::to_string).collect();
    let end = match transcript.ending() {
        Some(Ending::ApplicationError) => "application error".to_owned(),
        Some(Ending::HungUp(after)) => format!("ends after {after}"),
        Some(Ending::Silence) => "silence".to_owned(),
        Some(Ending::GivenUp(_)) | None => "in circles".to_owned(),
    };
    if codes.is_empty() { end } else { format!("{}: {end}", codes.join(" ")) }
}
