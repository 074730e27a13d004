//! What lives on while the configuration changes, and how a guard leaves the load.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use twiml_guard::twilio::Params;
use twiml_guard::twilio::signature::AuthToken;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::binary::{PATIENCE, Running, code, run, stdout};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::nobody;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The real guard and the folder of its files.
struct Site {
    folder: TempDir,
    backend: SocketAddr,
    guard: Running,
    address: SocketAddr,
}

impl Site {
    /// `rest`: of the configuration, with tables at its end.
    fn start(backend: &Backend, rest: &str) -> Self {
        Self::of(tempfile::tempdir().unwrap(), backend, rest)
    }

    fn of(folder: TempDir, backend: &Backend, rest: &str) -> Self {
        write(&folder.path().join("guard.toml"), backend.address, rest);
        let file = folder.path().join("guard.toml");
        let state = folder.path().join("state");
        let mut guard = Running::start(&[
            "serve",
            "--config",
            file.to_str().unwrap(),
            "--state-dir",
            state.to_str().unwrap(),
            "--log-format",
            "json",
        ]);
        let address = guard.address();
        Self { folder, backend: backend.address, guard, address }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes the configuration; what holds it is looked at often.
    fn change(&self, rest: &str) {
        write(&self.path("guard.toml"), self.backend, rest);
    }

    fn run(&self, arguments: &[&str]) -> String {
        let state = self.path("state");
        let output = run(&[arguments, &["--state-dir", state.to_str().unwrap()]].concat());
        assert_eq!(code(&output), Some(0), "{output:?}");
        stdout(&output)
    }

    fn end(mut self) -> String {
        self.guard.signal("TERM");
        let (code, said) = self.guard.end();
        assert_eq!(code, Some(0), "{said}");
        said
    }
}

fn write(file: &Path, backend: SocketAddr, rest: &str) {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://{backend}\"\nreload_every = \"50ms\"\n{rest}"
    );
    fs::write(file, text).unwrap();
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn says(address: SocketAddr, wanted: &str) -> bool {
    ask(address, post("/voice", CALL)).text().contains(wanted)
}

#[test]
fn a_websocket_lives_across_reloads() {
    let backend = Backend::start(|connection| {
        let Some(head) = connection.request() else { return };
        if !head.starts_with("GET /ws") {
            return connection.say(answer("503 Service Unavailable", "", "down"));
        }
        connection.say(SWITCH);
        while let Some(block) = connection.exactly(4) {
            connection.say(block);
        }
    });
    let fallback = |n: usize| {
        format!(
            "[ops]\nlisten = \"off\"\n[fallback]\nvoice = \"<Response><Say>no {n}</Say></Response>\"\n"
        )
    };
    let site = Site::start(&backend, &fallback(0));
    let mut stream = Client::to(site.address);
    stream.say(HANDSHAKE);
    assert!(stream.head().starts_with("HTTP/1.1 101 "));
    for n in 1..=5 {
        site.change(&fallback(n));
        until("the next generation serves", || says(site.address, &format!("no {n}")));
        stream.say(format!("{n:04}"));
        assert_eq!(stream.exactly(4), format!("{n:04}").as_bytes());
    }
    drop(stream);
    let said = site.end();
    assert_eq!(said.matches("configuration reloaded").count(), 5, "{said}");
}

#[test]
fn a_mode_that_was_switched_survives_a_reload() {
    let backend = Backend::always(answer("500 Internal Server Error", "", "broken"));
    let rest = |words: &str| {
        format!(
            "[ops]\nlisten = \"off\"\n[fallback]\nvoice = \"<Response><Say>{words}</Say></Response>\"\n"
        )
    };
    let site = Site::start(&backend, &rest("old"));
    assert!(says(site.address, "old"));
    site.run(&["mode", "observe"]);
    assert!(says(site.address, "broken"));
    site.change(&rest("new"));
    sleep(Duration::from_millis(600));
    assert!(says(site.address, "broken"));
    site.run(&["mode", "reset"]);
    assert!(says(site.address, "new"));
    assert!(site.end().contains("configuration reloaded"));
}

#[test]
fn a_rotated_token_is_read_from_its_file() {
    let backend = Backend::always(twiml("hi"));
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    fs::write(folder.path().join("token"), old).unwrap();
    let rest = format!(
        "public_url = \"https://pbx.example.com\"\nsignature = \"enforce\"\n[ops]\nlisten = \"off\"\n[twilio]\nauth_token_file = {:?}\n[[route]]\npath = \"/voice\"\nslot = \"voice\"\n",
        folder.path().join("token")
    );
    let site = Site::of(folder, &backend, &rest);
    let signed = |token: &str| {
        let params = Params::from_form(CALL.as_bytes());
        let token = AuthToken::new(token).unwrap();
        let signature = token.sign("https://pbx.example.com/voice", params.iter());
        let length = CALL.len();
        let request = format!(
            "POST /voice HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n{CALL}"
        );
        ask(site.address, request).status()
    };
    assert_eq!((signed(old), signed(new)), (200, 403));
    fs::write(site.path("token"), format!("{old}\n{new}\n")).unwrap();
    until("the second token is taken too", || signed(new) == 200);
    assert_eq!(signed(old), 200);
    fs::write(site.path("token"), new).unwrap();
    until("the first token is refused", || signed(old) == 403);
    assert_eq!(signed(new), 200);
    site.end();
}

#[test]
fn in_the_grace_it_is_not_ready_but_answers_and_closes() {
    let backend = Backend::always(twiml("hi"));
    let ops = nobody();
    let rest = format!("drain_grace = \"2s\"\n[ops]\nlisten = \"{ops}\"\n");
    let site = Site::start(&backend, &rest);
    until("ready", || ask(ops, get("/readyz")).status() == 200);
    let start = Instant::now();
    site.guard.signal("TERM");
    until("not ready", || ask(ops, get("/readyz")).status() == 503);
    let reply = ask(site.address, post("/voice", CALL));
    assert!(reply.text().contains("hi"));
    assert_eq!(reply.header("connection"), Some("close"));
    until("nobody accepts after the grace", || TcpStream::connect(site.address).is_err());
    assert!(start.elapsed() >= Duration::from_millis(1900), "{:?}", start.elapsed());
    let Site { mut guard, .. } = site;
    assert_eq!(guard.end().0, Some(0));
}
