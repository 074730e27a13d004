//! Streams of Twilio's: watched, and the bytes as they were.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, accept, client};

use crate::kit::stream::frame;
use crate::support::backend::{Backend, answer};
use crate::support::binary::{Running, run, stdout};
use crate::support::client::{CALL, Client, ask, post};
use crate::support::guard::{Guard, config, nobody, route};

const HANDSHAKE: &str = "GET /ws/twilio-media?room=7 HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: Twilio.TmeWs/1.0\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const PAGE: &str =
    "HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Type: text/html\r\n\r\n<h1>500</h1>";

const CLOSE_1011: &[u8] = b"\x88\x02\x03\xf3";
const CLOSE_1001: &[u8] = b"\x88\x02\x03\xe9";

fn open(guard: &Guard) -> Client {
    let mut client = Client::to(guard.address);
    client.say(HANDSHAKE);
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("sec-websocket-protocol"), "{head}");
    client
}

/// Switches, then says this and waits for the other side to leave.
fn saying(bytes: Vec<u8>) -> Backend {
    Backend::start(move |connection| {
        connection.request();
        connection.say([SWITCH.as_bytes(), &bytes].concat());
        while connection.exactly(1).is_some() {}
    })
}

#[test]
fn garbage_behind_the_101_is_stopped_and_closed_with_1011() {
    for garbage in [PAGE.as_bytes(), b"Traceback (most", b"\x83\x00", b"\xc1\x00", b"\x81\x80abcd"]
    {
        let backend = saying(garbage.to_vec());
        let guard = Guard::before(backend.address);
        assert_eq!(open(&guard).rest(), (CLOSE_1011.to_vec(), true), "{garbage:?}");
    }
}

#[test]
fn a_page_in_the_middle_is_stopped_at_the_frames_border() {
    let good = frame(0x81, b"{\"event\":\"clear\"}", false);
    // The frame's own payload may hold anything.
    let quoted = frame(0x81, PAGE.as_bytes(), false);
    let before = [good, quoted].concat();
    let backend = saying([&before, PAGE.as_bytes()].concat());
    let guard = Guard::before(backend.address);
    assert_eq!(open(&guard).rest(), ([&before, CLOSE_1011].concat(), true));
}

#[test]
fn other_garbage_in_the_middle_passes() {
    let bytes = [&frame(0x81, b"hi", false)[..], b"\x09\x00Hello"].concat();
    let sent = bytes.clone();
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say([SWITCH.as_bytes(), &sent].concat());
    });
    let guard = Guard::before(backend.address);
    assert_eq!(open(&guard).rest().0, bytes);
}

#[test]
fn websockets_that_are_no_streams_are_not_watched() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say([SWITCH, PAGE].concat());
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(HANDSHAKE.replace("Twilio.TmeWs", "Browser"));
    client.head();
    assert_eq!(client.rest().0, PAGE.as_bytes());
}

#[test]
fn the_handshake_goes_on_as_it_came() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection
            .say(SWITCH.replace("Accept:", "Protocol: audio.twilio.com\r\nSec-WebSocket-Accept:"));
    });
    let mut config = config(backend.address);
    route(&mut config, "/ws/twilio-media", "stream", |_| {});
    let guard = Guard::with(config);
    let mut client = Client::to(guard.address);
    client.say(
        HANDSHAKE.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: audio.twilio.com, x\r\n\r\n"),
    );
    let head = client.head();
    assert!(head.contains("\r\nSec-WebSocket-Protocol: audio.twilio.com\r\n"), "{head}");
    let seen = &backend.requests()[0];
    assert!(seen.starts_with("GET /ws/twilio-media?room=7 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nSec-WebSocket-Protocol: audio.twilio.com, x\r\n"), "{seen}");
    assert!(seen.contains("\r\nUpgrade: websocket\r\n"), "{seen}");
}

#[test]
fn one_direction_may_end_before_the_other() {
    let last = frame(0x81, b"{\"event\":\"mark\"}", false);
    let answer = last.clone();
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say(SWITCH);
        while connection.exactly(1).is_some() {}
        connection.rest(100);
        connection.say(&answer);
    });
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    client.say(frame(0x81, b"{\"event\":\"connected\"}", true));
    client.socket().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), (last, true));
}

#[test]
fn ten_megabytes_pass_both_ways_as_they_are() {
    const MESSAGES: usize = 160;
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say(SWITCH);
        let mut socket = connection.socket().try_clone().unwrap();
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        let writer = thread::spawn(move || {
            for block in receiver {
                socket.write_all(&block).unwrap();
            }
        });
        let length = frame(0x81, &vec![0; 65_536], true).len();
        for number in 0..MESSAGES {
            let mut payload = vec![0; length];
            connection.socket().read_exact(&mut payload).unwrap();
            assert_eq!(payload, message(number, true));
            sender.send(message(number, false)).unwrap();
        }
        drop(sender);
        writer.join().unwrap();
    });
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    let mut socket = client.socket().try_clone().unwrap();
    let writer = thread::spawn(move || {
        for number in 0..MESSAGES {
            socket.write_all(&message(number, true)).unwrap();
        }
    });
    for number in 0..MESSAGES {
        let expected = message(number, false);
        assert_eq!(client.exactly(expected.len()), expected);
    }
    writer.join().unwrap();
}

/// A text message of 64 KiB that differs from every other.
fn message(number: usize, is_masked: bool) -> Vec<u8> {
    let text = format!("{{\"event\":\"media\",\"number\":{number},").repeat(3_000);
    frame(0x81, &text.as_bytes()[..65_536], is_masked)
}

#[test]
fn who_does_not_read_is_not_read_for() {
    const ENOUGH: usize = 64 * 1024 * 1024;
    let (sender, receiver) = mpsc::channel();
    let block = frame(0x81, &vec![b'a'; 65_000], false);
    let one = block.clone();
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say(SWITCH);
        let socket = connection.socket();
        socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let (mut written, mut at) = (0, 0);
        while written < ENOUGH {
            match socket.write(&one[at..]) {
                Ok(length) => {
                    written += length;
                    at = (at + length) % one.len();
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                    break;
                }
            }
        }
        sender.send(written).unwrap();
    });
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    let written = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    // What the kernel's buffers take of both connections, and nothing besides.
    assert!(written < ENOUGH / 2, "{written} bytes");
    let (rest, _) = client.rest();
    assert_eq!(rest.len(), written);
    assert!(rest.chunks(block.len()).all(|chunk| block.starts_with(chunk)));
}

#[test]
fn a_refusal_goes_to_twilio_as_it_is() {
    let backend = Backend::always(answer("403 Forbidden", "X-Own: 1\r\n", "not you"));
    let guard = Guard::before(backend.address);
    let refused = ask(guard.address, HANDSHAKE);
    assert_eq!((refused.status(), refused.text().as_str()), (403, "not you"));
    assert_eq!(refused.header("x-own"), Some("1"));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(refused.header("twiml-guard-incident"), None);
    assert_eq!(guard.stop().untouched, 1);
}

#[test]
fn a_dead_backend_gives_502_with_the_incident() {
    let guard = Guard::before(nobody());
    let answer = ask(guard.address, HANDSHAKE);
    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("WebSocket"), "{}", answer.text());
    let status = answer.header("proxy-status").unwrap();
    assert!(status.contains("connection_refused") && status.contains("stream-unreachable"));
}

#[test]
fn a_stream_route_answers_get_without_upgrade_with_426() {
    let backend = Backend::always(answer("200 OK", "Content-Type: text/html\r\n", "<html>"));
    let mut config = config(backend.address);
    route(&mut config, "/ws/twilio-media", "stream", |_| {});
    let guard = Guard::with(config);
    let plain = "GET /ws/twilio-media HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n".to_owned();
    let stripped = HANDSHAKE.replace("Upgrade: websocket\r\nConnection: Upgrade\r\n", "");
    for (request, lost) in [(plain, None), (stripped, Some("stream-upgrade-lost"))] {
        let answer = ask(guard.address, request);
        assert_eq!(answer.status(), 426, "{answer:?}");
        assert_eq!(answer.header("upgrade"), Some("websocket"));
        assert_eq!(answer.header("connection"), Some("Upgrade, close"));
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        let status = answer.header("proxy-status");
        assert_eq!(lost, lost.filter(|slug| status.is_some_and(|status| status.contains(slug))));
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_get_elsewhere_is_no_streams() {
    let backend = Backend::always(answer("200 OK", "", "plain"));
    let guard = Guard::before(backend.address);
    let request = "GET /ws/twilio-media HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n";
    assert_eq!(ask(guard.address, request).text(), "plain");
}

/// Hands out `/ws` as a stream; what opens it is switched and closed at once.
fn agent() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            match request.split(' ').nth(1) {
                Some("/voice") => connection.say(answer(
                    "200 OK",
                    "Content-Type: text/xml\r\n",
                    "<Response><Connect action=\"/ended\"><Stream url=\"wss://pbx.example.com/ws\"/></Connect></Response>",
                )),
                Some("/ws") if !request.contains("Upgrade: websocket") => {
                    connection.say(answer("200 OK", "Content-Type: text/html\r\n", "<html>"));
                }
                Some("/ws") => {
                    connection.say(SWITCH);
                    // Twilio's `connected` and `start`.
                    connection.exactly(started().len());
                    connection.say(b"\x88\x02\x03\xe8");
                    while connection.exactly(1).is_some() {}
                    return;
                }
                _ => connection.say("HTTP/1.1 204 No Content\r\n\r\n"),
            }
        }
    })
}

/// What Twilio says first on the stream of the call in [`CALL`].
fn started() -> Vec<u8> {
    let start = "{\"event\":\"start\",\"streamSid\":\"MZ0123456789abcdef0123456789abcdef\",\"start\":{\"callSid\":\"CA0123456789abcdef0123456789abcdef\"}}";
    [frame(0x81, b"{\"event\":\"connected\"}", true), frame(0x81, start.as_bytes(), true)].concat()
}

fn on_path(path: &str) -> String {
    HANDSHAKE.replace("/ws/twilio-media?room=7", path)
}

#[test]
fn a_learnt_path_answers_get_without_upgrade_with_426() {
    let guard = Guard::before(agent().address);
    let plain = "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\nUser-Agent: Twilio.TmeWs/1.0\r\n\r\n";
    assert_eq!(ask(guard.address, plain).text(), "<html>");
    assert!(ask(guard.address, post("/voice", CALL)).text().contains("<Stream"));
    assert_eq!(ask(guard.address, plain).status(), 426);
    // What is not Twilio's may be a page of the same path.
    assert_eq!(ask(guard.address, plain.replace("Twilio.TmeWs", "Browser")).text(), "<html>");
}

#[test]
fn an_upgrade_on_an_auto_route_is_watched_where_it_is_twilios() {
    let backend = saying(PAGE.as_bytes().to_vec());
    let mut config = config(backend.address);
    route(&mut config, "/ws/twilio-media", "auto", |_| {});
    let guard = Guard::with(config);
    assert_eq!(open(&guard).rest(), (CLOSE_1011.to_vec(), true));
    let mut client = Client::to(guard.address);
    client.say(HANDSHAKE.replace("Twilio.TmeWs", "Browser"));
    client.head();
    assert_eq!(client.exactly(PAGE.len()), PAGE.as_bytes());
}

/// The real guard before a backend; its folder goes with it.
fn real(backend: &Backend) -> (Running, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("guard.toml"), folder.path().join("state"));
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nstate_dir = \"{}\"\ndrain_timeout = \"1s\"\n[ops]\nlisten = \"off\"\n[log]\nformat = \"json\"\n",
        backend.address,
        state.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut guard = Running::start(&["serve", "--config", file.to_str().unwrap()]);
    let address = guard.address();
    (guard, address, folder)
}

#[test]
fn a_dead_stream_and_the_action_behind_it_are_told_as_events() {
    let backend = agent();
    let (mut guard, address, _folder) = real(&backend);
    assert!(ask(address, post("/voice", CALL)).text().contains("<Stream"));
    let mut client = Client::to(address);
    client.say(on_path("/ws"));
    client.head();
    client.say(started());
    client.rest();
    let form = CALL.replace("CallStatus=ringing", "CallStatus=in-progress");
    let action = ask(address, post("/ended", &form));
    assert!(action.text().contains("<Say"), "{}", action.text());
    guard.signal("TERM");
    let (_, said) = guard.end();
    let events: Vec<serde_json::Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &serde_json::Value| event.get("cause").is_some())
        .collect();
    let [stream, action] = &events[..] else { panic!("{said}") };
    assert_eq!(stream["message"], "stream failed", "{stream}");
    assert_eq!(
        (&stream["slot"], &stream["cause"]),
        (&"stream".into(), &"stream-died-at-once".into())
    );
    let summary = stream["summary"].as_str().unwrap();
    assert!(summary.contains("closed 1000 by the backend"), "{summary}");
    assert_eq!(action["message"], "replaced", "{action}");
    assert_eq!(
        (&action["cause"], &action["twilio.code"]),
        (&"no-content".into(), &"12100,12300".into())
    );
    let causes = serde_json::json!(["no-content", "stream-died-at-once"]);
    assert_eq!(action["causes"], causes, "{action}");
    let summary = action["summary"].as_str().unwrap();
    for part in [
        "12100 averted: POST /ended is the action of <Connect> from POST /voice",
        "0 audio out",
        "the caller is still on the line",
    ] {
        assert!(summary.contains(part), "{summary}");
    }
}

#[test]
fn a_stream_that_the_drain_cuts_is_a_step_of_its_call() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("POST") {
                // From its first fault on the steps of a call are kept.
                connection.say(answer("500 Oops", "Content-Type: text/html\r\n", "<h1>"));
                continue;
            }
            connection.say(SWITCH);
            while connection.exactly(1).is_some() {}
            return;
        }
    });
    let (mut guard, address, folder) = real(&backend);
    assert!(ask(address, post("/voice", CALL)).text().contains("<Say"));
    let mut client = Client::to(address);
    client.say(on_path("/ws"));
    client.head();
    client.say(started());
    thread::sleep(Duration::from_millis(200));
    guard.signal("TERM");
    let (_, said) = guard.end();
    assert!(said.contains("the drain deadline is over"), "{said}");
    let state = folder.path().join("state");
    let story = run(&[
        "incidents",
        "call",
        "CA0123456789abcdef0123456789abcdef",
        "--state-dir",
        state.to_str().unwrap(),
    ]);
    let story = stdout(&story).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        story.contains("2 frames in") && story.contains("cut by the end of the guard"),
        "{story}"
    );
}

#[test]
fn real_libraries_talk_through_it() {
    let guard = Guard::before(library_backend());
    let stream = std::net::TcpStream::connect(guard.address).unwrap();
    let mut request: http::Request<()> = http::Request::default();
    *request.uri_mut() = "ws://pbx.example.com/ws/twilio-media".parse().unwrap();
    for (name, value) in [
        ("host", "pbx.example.com"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("user-agent", "Twilio.TmeWs/1.0"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = client(request, stream).unwrap();
    for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        let text = "x".repeat(length);
        socket.send(Message::text(text.clone())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    socket.send(Message::text("close")).unwrap();
    let close = CloseFrame { code: CloseCode::Library(4000), reason: "as asked".into() };
    assert_eq!(socket.read().unwrap(), Message::Close(Some(close)));
}

/// Echoes, and closes with 4000 when told to.
fn library_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut socket = accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = socket.read() {
            if message == Message::text("close") {
                let reason = "as asked".into();
                let frame = CloseFrame { code: CloseCode::Library(4000), reason };
                socket.close(Some(frame)).unwrap();
            } else if message.is_text() {
                socket.send(message).unwrap();
            }
        }
    });
    address
}

/// Switches, says the beginning of a frame and, once the guard stops, its end; then sends what it
/// is told to the test.
fn drained(text: &'static str, cut: usize) -> (Vec<u8>, bool, Vec<u8>) {
    let whole = frame(0x81, text.as_bytes(), false);
    let (sender, told) = mpsc::channel();
    let sent = whole.clone();
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say([SWITCH.as_bytes(), &sent[..cut]].concat());
        connection.rest(900);
        connection.say(&sent[cut..]);
        let mut heard = Vec::new();
        let _ = connection.socket().read_to_end(&mut heard);
        let _ = sender.send(heard);
    });
    let mut config = config(backend.address);
    config.drain_timeout = Duration::from_millis(300);
    let guard = Guard::with(config);
    let mut client = open(&guard);
    assert_eq!(client.exactly(cut), whole[..cut]);
    guard.begin_stop();
    let (rest, is_clean) = client.rest();
    drop(client);
    assert_eq!(guard.stop().lost_at_deadline, 1);
    (rest, is_clean, told.recv_timeout(Duration::from_secs(5)).unwrap())
}

#[test]
fn what_the_drain_cuts_is_closed_with_1001_both_ways() {
    let whole = frame(0x81, b"{\"event\":\"clear\"}", false).len();
    let (rest, is_clean, heard) = drained("{\"event\":\"clear\"}", whole);
    assert_eq!((&rest[..], is_clean), (CLOSE_1001, true));
    assert_eq!(heard, b"\x88\x82\0\0\0\0\x03\xe9");
}

#[test]
fn it_is_so_at_the_border_of_a_frame_only() {
    let text = "{\"event\":\"clear\"}";
    let whole = frame(0x81, text.as_bytes(), false);
    let (rest, is_clean, heard) = drained(text, 6);
    assert_eq!((rest, is_clean), ([&whole[6..], CLOSE_1001].concat(), true));
    assert_eq!(heard, b"\x88\x82\0\0\0\0\x03\xe9");
}
