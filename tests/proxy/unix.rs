//! Clients on a Unix socket.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use twiml_guard::config::{Config, Listen};
use twiml_guard::incidents::instruments;
use twiml_guard::incidents::recorder::Recorder;
use twiml_guard::proxy::Proxy;

use crate::support::backend::Backend;
use crate::support::client::{CALL, get, post};
use crate::support::guard::{Guard, config};
use crate::support::io::{ask, both, head, talk};

fn on(path: &Path, backend: &Backend) -> Config {
    let mut config = config(backend.address);
    config.listen = Listen::Unix(path.to_owned());
    config
}

fn bind(config: Config) -> Result<Proxy, String> {
    let metrics = instruments().unwrap();
    let recorder = Recorder::without_writer(instruments().unwrap());
    Proxy::bind(Arc::new(config), recorder, metrics).map_err(|error| error.to_string())
}

#[test]
fn webhooks_and_websockets_come_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let backend = both();
    let guard = Guard::with(on(&path, &backend));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut client = UnixStream::connect(&path).unwrap();
    for _ in 0..3 {
        let answer = ask(&mut client, &post("/voice", CALL));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hi"), "{answer}");
    }
    let forwarded = get("/").replace(
        "\r\n\r\n",
        "\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n",
    );
    ask(&mut client, &forwarded);
    talk(&mut UnixStream::connect(&path).unwrap());
    let seen = backend.requests();
    let seen = |n: usize| seen[n].to_ascii_lowercase();
    assert!(!seen(0).contains("x-forwarded-for"), "{}", seen(0));
    assert!(seen(3).contains("\r\nx-forwarded-for: 203.0.113.9\r\n"), "{}", seen(3));
    assert!(seen(3).contains("\r\nx-forwarded-proto: https\r\n"), "{}", seen(3));
    drop(guard);
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn a_dead_ones_socket_is_replaced_and_a_live_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let backend = both();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let guard = Guard::with(on(&path, &backend));
    let error = bind(on(&path, &backend)).unwrap_err();
    assert!(error.contains("found another twiml-guard"), "{error}");
    assert!(ask(&mut UnixStream::connect(&path).unwrap(), &post("/voice", CALL)).contains("hi"));
    drop(guard);
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = bind(on(&path, &backend)).unwrap_err();
    assert!(error.contains("another program"), "{error}");
}

#[test]
fn slow_clients_end_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let mut config = on(&path, &both());
    config.clients.head_timeout = std::time::Duration::from_millis(500);
    let _guard = Guard::with(config);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"GET / HT").unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 408 "));
}
