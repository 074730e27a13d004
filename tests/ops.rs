//! The ops listener over real sockets: health, metrics, and nothing else.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use twiml_guard::admin::{Drain, Ops, OpsHandle, Ready};
use twiml_guard::config::{OpsDrain, OpsListener};
use twiml_guard::incidents::instruments;
use twiml_guard::telemetry::metrics::Metrics;

use crate::support::client::{Answer, Client, ask, get};

struct Running {
    address: SocketAddr,
    metrics: Metrics,
    ready: Ready,
    handle: OpsHandle,
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn start() -> Running {
    let (metrics, ready) = (instruments().unwrap(), Ready::default());
    let listener = OpsListener::Configured(anywhere());
    let ops = Ops::bind(listener, metrics.clone(), ready.clone()).unwrap().unwrap();
    let address = ops.local_addr();
    Running { address, metrics, ready, handle: ops.spawn().unwrap() }
}

fn path(running: &Running, path: &str) -> Answer {
    ask(running.address, get(path))
}

#[test]
fn readiness_follows_start_and_drain_and_liveness_does_not() {
    let running = start();
    let ready = |expected: u16, says: &str| {
        for name in ["/readyz", "/healthz"] {
            let answer = path(&running, name);
            assert_eq!((answer.status(), answer.text().as_str()), (expected, says));
        }
        assert_eq!(path(&running, "/livez").status(), 200);
    };
    ready(503, "starting\n");
    running.ready.set_ready();
    ready(200, "ok\n");
    running.ready.set_draining();
    ready(503, "draining\n");
    running.handle.stop();
}

#[test]
fn metrics_are_prometheus_text_and_count() {
    let running = start();
    let second = Duration::from_secs(1);
    running.metrics.answer("replaced", "voice", &["html-page"].into_iter(), second, second);
    let answer = path(&running, "/metrics");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    for line in [
        "twiml_guard_answers_total{outcome=\"replaced\",slot=\"voice\"} 1",
        "twiml_guard_answers_total{outcome=\"failed\",slot=\"messaging\"} 0",
        "twiml_guard_findings_total{cause=\"html-page\",outcome=\"replaced\"} 1",
        "twiml_guard_findings_total{cause=\"html-page\",outcome=\"failed\"} 0",
        "twiml_guard_answer_duration_seconds_bucket{slot=\"voice\",le=\"14\"} 1",
        "twiml_guard_incidents_dropped_total 0",
        "twiml_guard_upstream_phase_seconds_count{phase=\"first_byte\"} 0",
        "twiml_guard_queue_items{queue=\"store\"} 0",
        "twiml_guard_notify_total{outcome=\"failed\"} 0",
        "twiml_guard_otlp_total{outcome=\"sent\",signal=\"logs\"} 0",
        "twiml_guard_config_loaded_timestamp_seconds 0",
        &format!("twiml_guard_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|own| own == line), "{line}");
    }
    assert!(text.len() < 100_000, "{} bytes are a lot for every scrape", text.len());
    let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for name in names {
        let name = name.split(' ').next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
    running.handle.stop();
}

#[test]
fn nothing_is_stored_and_only_reading_is_allowed() {
    let running = start();
    for name in ["/livez", "/readyz", "/metrics", "/nowhere"] {
        let answer = path(&running, name);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    }
    assert_eq!(path(&running, "/nowhere").status(), 404);
    assert_eq!(path(&running, "/").status(), 404);
    assert_eq!(path(&running, "/livez?verbose").status(), 200);

    let mut client = Client::to(running.address);
    client.say("HEAD /livez HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200"));
    assert_eq!(client.rest().0, b"");

    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /livez HTTP/1.1\r\nHost: ops\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(running.address, request);
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")));
    }
    running.handle.stop();
}

#[test]
fn a_taken_default_address_is_passed_over_and_a_configured_one_is_an_error() {
    let taken = TcpListener::bind(anywhere()).unwrap();
    let address = taken.local_addr().unwrap();
    let bind = |listener| Ops::bind(listener, instruments().unwrap(), Ready::default());
    assert!(bind(OpsListener::Off).unwrap().is_none());
    assert!(bind(OpsListener::Default(address)).unwrap().is_none());
    let error = bind(OpsListener::Configured(address)).unwrap_err();
    assert_eq!(error.address, address);
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("--ops off"), "{text}");
}

#[test]
fn it_stops_at_once_with_connections_open_and_frees_the_port() {
    let running = start();
    let idle = TcpStream::connect(running.address).unwrap();
    let mut half = Client::to(running.address);
    half.say("GET /livez HTTP/1.1\r\nHost:");
    assert_eq!(path(&running, "/livez").status(), 200);
    let begun = Instant::now();
    running.handle.stop();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop((idle, half));
    TcpListener::bind(running.address).unwrap();
}

#[test]
fn silent_connections_keep_no_probe_waiting() {
    let running = start();
    let silent: Vec<_> = (0..80).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let begun = Instant::now();
    assert_eq!(path(&running, "/livez").status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(silent);
    running.handle.stop();
}

#[test]
fn what_is_no_http_harms_nobody() {
    let running = start();
    for bytes in [&b"\x16\x03\x01\x00\x2f"[..], b"\r\n\r\n\r\n", b"GET\0/ HTTP/9\r\n\r\n"] {
        let mut client = Client::to(running.address);
        client.say(bytes);
        drop(client);
    }
    assert_eq!(path(&running, "/livez").status(), 200);
    running.handle.stop();
}

#[test]
fn drain_is_for_whom_it_is_open() {
    let ready = Ready::default();
    ready.set_ready();
    let ask_with = |who: OpsDrain, request: String| {
        let listener = OpsListener::Configured(anywhere());
        let ops = Ops::bind(listener, instruments().unwrap(), ready.clone()).unwrap().unwrap();
        let address = ops.local_addr();
        let drain = Drain::new(ready.clone(), |_| {}, || 3);
        let handle = ops.draining(drain, who).spawn().unwrap();
        let answer = ask(address, request);
        handle.stop();
        (answer.status(), answer.text())
    };
    let (status, why) = ask_with(OpsDrain::Off, get("/drain"));
    assert_eq!(status, 403, "{why}");
    assert!(why.contains("ops.drain = \"off\""), "{why}");
    assert_eq!(ask_with(OpsDrain::Any, get("/drain").replace("GET", "PUT")).0, 405);
    assert_eq!(ready.why_not(), None);
    for who in [OpsDrain::Loopback, OpsDrain::Any] {
        assert_eq!(ask_with(who, get("/drain")), (200, "draining, 3 in flight\n".to_owned()));
        assert_eq!(ready.why_not(), Some("draining"));
    }
}
