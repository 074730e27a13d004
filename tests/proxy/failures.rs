//! Each way of not answering, seen through the whole guard: the record's error and the caller's
//! TwiML.

use twiml_guard::config::Upstream;

use crate::support::backend::Backend;
use crate::support::client::{Answer, CALL, ask, get, post};
use crate::support::guard::{Guard, config, nobody};

fn webhook(backend: &Backend) -> Answer {
    let guard = Guard::before(backend.address);
    ask(guard.address, post("/voice", CALL))
}

pub(super) fn assert_fallback(got: &Answer, error: &str, name: &str) {
    assert_eq!(got.status(), 200, "{name}: {}", got.head);
    assert!(got.text().contains("<Say"), "{name}: {}", got.text());
    let status = got.header("proxy-status").unwrap_or_default();
    assert!(status.contains(&format!("error={error};")), "{name}: {status}");
}

#[test]
fn nobody_listens() {
    let guard = Guard::before(nobody());
    let got = ask(guard.address, post("/voice", CALL));
    assert_fallback(&got, "connection_refused", "refused");
    let got = ask(guard.address, get("/page"));
    assert_eq!(got.status(), 502);
    assert!(got.text().contains("refused the connection"), "{}", got.text());
}

#[test]
fn a_name_that_does_not_resolve() {
    let mut config = config(nobody());
    let mut route = (*config.default_route).clone();
    route.upstream = Upstream::tcp("backend.invalid", 80);
    config.default_route = std::sync::Arc::new(route);
    let guard = Guard::with(config);
    let got = ask(guard.address, post("/voice", CALL));
    assert_fallback(&got, "destination_unavailable", "unresolved");
}

#[test]
fn a_listener_that_takes_no_connection_in_time() {
    // A full backlog of a listener that never accepts: the kernel drops further handshakes.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _held: Vec<_> = (0..3)
        .map(|_| {
            std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(100))
        })
        .collect();
    let guard = Guard::before(address);
    let got = ask(guard.address, post("/voice", CALL));
    assert_fallback(&got, "connection_timeout", "connect timeout");
    assert_eq!(ask(guard.address, get("/page")).status(), 504);
}

#[test]
fn closed_early() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Ty"] {
        assert_fallback(&webhook(&Backend::once(bytes)), "connection_terminated", bytes);
    }
}

#[test]
fn reset_before_an_answer() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.reset();
    });
    assert_fallback(&webhook(&backend), "connection_terminated", "reset");
}

#[test]
fn not_http() {
    let cases: &[&[u8]] = &[
        b"<html><body>nginx</body></html>",
        b"hello\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\nab",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
    ];
    for bytes in cases {
        let name = String::from_utf8_lossy(bytes);
        assert_fallback(&webhook(&Backend::once(*bytes)), "http_protocol_error", &name);
        let guard = Guard::before(Backend::once(*bytes).address);
        assert_eq!(ask(guard.address, get("/page")).status(), 502, "{name}");
    }
}

#[test]
fn interim_answers_without_end() {
    let backend = Backend::start(|connection| {
        connection.request();
        for _ in 0..100_000 {
            connection.say("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
        }
    });
    assert_fallback(&webhook(&backend), "http_protocol_error", "1xx flood");
}

#[test]
fn one_interim_answer_is_fine() {
    let backend = Backend::once(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\n\r\n<Response/>",
    );
    let got = webhook(&backend);
    assert_eq!(got.header("twiml-guard-incident"), None, "{}", got.head);
    assert_eq!(got.text(), "<Response/>");
}

#[test]
fn headers_too_late() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\n");
        connection.rest(3000);
    });
    assert_fallback(&webhook(&backend), "http_response_timeout", "headers");
}

#[test]
fn a_body_that_never_ends() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<Response>");
        connection.rest(3000);
    });
    assert_fallback(&webhook(&backend), "http_response_timeout", "body");
}

#[test]
fn a_body_that_is_cut() {
    for (name, bytes) in [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<Response>"),
        ("chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n<Response>"),
        (
            "no last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n<Response>\r\n",
        ),
        ("bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<Response>\r\n"),
    ] {
        assert_fallback(&webhook(&Backend::once(bytes)), "http_response_incomplete", name);
    }
}

#[test]
fn legacy_spellings_are_read() {
    let backend = Backend::once(
        "HTTP/1.1 200 OK\r\nContent-Type : text/xml\r\nX-Long: a\r\n b\r\nb@d name: 1\r\nContent-Length: 11\r\n\r\n<Response/>",
    );
    assert_eq!(webhook(&backend).text(), "<Response/>");
}

#[test]
fn a_page_cut_in_the_middle_never_looks_whole() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ] {
        let guard = Guard::before(Backend::once(bytes).address);
        let mut client = crate::support::client::Client::to(guard.address);
        client.say(get("/page"));
        let (got, _) = client.rest();
        let got = String::from_utf8_lossy(&got);
        assert!(got.contains("half"), "{got}");
        assert!(!got.ends_with("0\r\n\r\n"), "{got}");
    }
}
