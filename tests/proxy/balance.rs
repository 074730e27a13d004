//! Several backends: the next one is asked where one can't be connected to, and nothing twice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::config::Config;
use twiml_guard::config::upstreams::{Balance, Patience};

use crate::support::backend::{Backend, answer, twiml};
use crate::support::binary::{Running, post as posted, run, stdout};
use crate::support::client::{Answer, CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config, nobody, upstreams};

const EJECTED: &str = "twiml_guard_upstream_ejected";

fn before(backends: &[SocketAddr], balance: Balance) -> Guard {
    let mut config = quick(backends[0]);
    upstreams(&mut config, backends, balance);
    Guard::with(config)
}

/// Back soon after it was left out.
fn quick(backend: SocketAddr) -> Config {
    let patience = Patience { first_out: Duration::from_millis(200), ..Patience::default() };
    Config { patience, ..config(backend) }
}

fn call(n: usize) -> String {
    format!("{CALL}&Digits={n}")
}

fn webhook(guard: &Guard, n: usize) -> Answer {
    ask(guard.address, post("/voice", &call(n)))
}

/// How often each webhook arrived, over all backends.
fn arrivals(backends: &[&Backend], n: usize) -> usize {
    let mark = format!("&Digits={n}");
    let requests = backends.iter().flat_map(|backend| backend.requests());
    requests.filter(|request| request.ends_with(&mark)).count()
}

#[test]
fn a_dead_first_backend_loses_no_webhook_and_none_arrives_twice() {
    let (dead, alive) = (nobody(), Backend::always(twiml("hi")));
    let guard = before(&[dead, alive.address], Balance::Order);
    for n in 0..50 {
        let got = webhook(&guard, n);
        assert!(got.text().contains("hi<"), "{n}: {}", got.text());
        assert_eq!(got.header("twiml-guard-incident"), None);
    }
    (0..50).for_each(|n| assert_eq!(arrivals(&[&alive], n), 1, "{n}"));
    assert_eq!(guard.of_backend(EJECTED, dead), 1);
    assert_eq!(guard.of_backend(EJECTED, alive.address), 0);
}

#[test]
fn pages_uploads_and_websockets_move_on_too() {
    let alive = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("pgrade: websocket") {
                connection.say(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                );
                let echo = connection.exactly(4).unwrap_or_default();
                connection.say(echo);
                return;
            }
            connection.say(answer("200 OK", "Content-Type: text/plain\r\n", "page"));
        }
    });
    let guard = before(&[nobody(), alive.address], Balance::Order);
    assert_eq!(ask(guard.address, get("/page")).text(), "page");
    let upload = "x".repeat(300_000);
    let put = format!(
        "PUT /file HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{upload}",
        upload.len()
    );
    assert_eq!(ask(guard.address, put).text(), "page");
    assert!(alive.requests().iter().any(|request| request.ends_with(&upload)));
    let mut client = Client::to(guard.address);
    client.say(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(client.head().starts_with("HTTP/1.1 101"));
    client.say("ping");
    assert_eq!(client.exactly(4), b"ping");
}

#[test]
fn each_has_its_turn() {
    let backends: Vec<_> = (0..3).map(|_| Backend::always(twiml("hi"))).collect();
    let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let guard = before(&addresses, Balance::RoundRobin);
    for n in 0..90 {
        assert!(webhook(&guard, n).text().contains("hi<"));
    }
    for backend in &backends {
        assert_eq!(backend.requests().len(), 30);
    }
    let guard = before(&addresses, Balance::Order);
    (0..9).for_each(|n| drop(webhook(&guard, n)));
    assert_eq!(backends[0].requests().len(), 39);
}

#[test]
fn where_all_fail_all_are_tried() {
    let (one, other) = (nobody(), nobody());
    let guard = before(&[one, other], Balance::Order);
    for n in 0..5 {
        let got = webhook(&guard, n);
        assert!(got.text().contains("<Say"), "{}", got.text());
        let status = got.header("proxy-status").unwrap_or_default().to_owned();
        assert!(status.contains("error=connection_refused"), "{status}");
    }
    assert_eq!((guard.of_backend(EJECTED, one), guard.of_backend(EJECTED, other)), (1, 1));
    let _back = Flapping::at(other);
    assert!(webhook(&guard, 6).text().contains("hi<"), "asked although it is left out");
    assert_eq!(guard.of_backend(EJECTED, other), 0, "an answer brings it back");
    assert_eq!(ask(guard.address, get("/page")).status(), 200);
}

#[test]
fn one_alone_is_never_left_out() {
    let dead = nobody();
    let guard = Guard::with(quick(dead));
    (0..5).for_each(|n| assert!(webhook(&guard, n).text().contains("<Say")));
    assert_eq!(guard.of_backend(EJECTED, dead), 0);
}

/// A backend on a given address that comes and goes.
struct Flapping {
    is_up: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Flapping {
    /// Answers webhooks on this address while it is up; nobody listens while it is not.
    fn at(address: SocketAddr) -> Self {
        let (is_up, seen) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let (up, all) = (Arc::downgrade(&is_up), Arc::clone(&seen));
        let (said, ready) = mpsc::channel();
        thread::spawn(move || {
            let state = || up.upgrade().map(|is_up| is_up.load(SeqCst));
            while let Some(is_up) = state() {
                if !is_up {
                    thread::sleep(Duration::from_millis(2));
                    continue;
                }
                let listener = TcpListener::bind(address).unwrap();
                listener.set_nonblocking(true).unwrap();
                let _ = said.send(());
                while state() == Some(true) {
                    let Ok((stream, _)) = listener.accept() else {
                        thread::sleep(Duration::from_millis(2));
                        continue;
                    };
                    let all = Arc::clone(&all);
                    thread::spawn(move || answer_one(stream, &all));
                }
            }
        });
        ready.recv_timeout(Duration::from_secs(5)).unwrap();
        Self { is_up, seen }
    }
}

/// Reads one request, notes its body, answers and closes.
fn answer_one(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut is_request) = (String::new(), 0, false);
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        is_request = true;
        line.clear();
    }
    let mut body = vec![0; length];
    // Whether it takes connections is tried without a request.
    if is_request && reader.read_exact(&mut body).is_ok() {
        if length > 0 {
            seen.lock().unwrap().push(String::from_utf8(body).unwrap());
        }
        let answer = twiml("hi").replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let _ = reader.get_mut().write_all(answer.as_bytes());
    }
}

#[test]
fn one_that_takes_connections_again_is_asked_again() {
    let (first, other) = (nobody(), Backend::always(twiml("other")));
    let guard = before(&[first, other.address], Balance::Order);
    (0..3).for_each(|n| assert!(webhook(&guard, n).text().contains("other")));
    assert_eq!(guard.of_backend(EJECTED, first), 1);
    let _back = Flapping::at(first);
    let start = Instant::now();
    while guard.of_backend(EJECTED, first) == 1 {
        assert!(start.elapsed() < Duration::from_secs(8), "never tried");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(webhook(&guard, 4).text().contains("hi<"));
}

#[test]
fn a_flapping_backend_leaves_no_webhook_without_twiml_and_none_arrives_twice() {
    let (address, steady) = (nobody(), Backend::always(twiml("steady")));
    let flapping = Flapping::at(address);
    let mut sent = 0;
    for backends in [vec![address], vec![address, steady.address]] {
        for balance in [Balance::Order, Balance::RoundRobin] {
            let guard = before(&backends, balance);
            let (start, first) = (Instant::now(), sent);
            let mut real = 0;
            while start.elapsed() < Duration::from_millis(1_500) {
                flapping.is_up.store(start.elapsed().as_millis() / 60 % 2 == 0, SeqCst);
                let got = webhook(&guard, sent);
                assert_eq!(got.status(), 200, "{}", got.head);
                assert!(got.text().contains("<Response"), "{}", got.text());
                real += usize::from(!got.text().contains("sorry"));
                sent += 1;
            }
            let tried = sent - first;
            // What was sent to one that goes down that very moment is lost.
            let expected = if backends.len() > 1 { tried * 9 / 10 } else { 1 };
            assert!(tried > 50 && real >= expected, "{real} of {tried}");
        }
    }
    let mut arrived: Vec<_> = steady.requests();
    arrived.extend(flapping.seen.lock().unwrap().iter().cloned());
    let mut marks: Vec<_> =
        arrived.iter().map(|request| request.rsplit_once("&Digits=").unwrap().1).collect();
    let all = marks.len();
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks.len(), all, "none arrives twice");
}

#[test]
fn one_that_takes_no_connection_leaves_time_for_the_next() {
    // A full backlog of a listener that never accepts: the kernel drops further handshakes.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let full = socket.local_addr().unwrap().as_socket().unwrap();
    let _held: Vec<_> =
        (0..3).map(|_| TcpStream::connect_timeout(&full, Duration::from_millis(100))).collect();
    let alive = Backend::always(twiml("hi"));
    let guard = before(&[full, alive.address], Balance::Order);
    let start = Instant::now();
    let got = webhook(&guard, 1);
    assert!(got.text().contains("hi<"), "{}", got.text());
    // connect_timeout is 500 ms, shared by two.
    assert!(start.elapsed() < Duration::from_millis(450), "{:?}", start.elapsed());
}

#[test]
fn what_was_sent_goes_to_nobody_else() {
    let resets = Backend::start(|connection| {
        connection.request();
        connection.reset();
    });
    let other = Backend::always(twiml("hi"));
    let guard = before(&[resets.address, other.address], Balance::Order);
    for n in 0..3 {
        let got = webhook(&guard, n);
        assert!(got.text().contains("<Say") && !got.text().contains("hi<"), "{}", got.text());
    }
    assert_eq!(other.requests().len(), 0);
    (0..3).for_each(|n| assert_eq!(arrivals(&[&resets, &other], n), 1));
    assert!(webhook(&guard, 3).text().contains("hi<"), "left out after three failures");
}

#[test]
fn the_record_names_the_backend_that_was_asked() {
    let broken = Backend::always(answer("500 Oops", "Content-Type: text/html\r\n", "<html>"));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("balance-record");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\nupstreams = [\"http://{}\", \"http://{}\"]\nstate_dir = \"{}\"\nops.listen = \"off\"\nlog.format = \"json\"\n",
        nobody(),
        broken.address,
        folder.display()
    );
    std::fs::write(&file, config).unwrap();
    let mut guard = Running::start(&["serve", "--config", file.to_str().unwrap()]);
    let address = guard.address();
    let got = posted(address, "/voice", CALL);
    let id = got
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("twiml-guard-incident: ").map(str::to_owned)
        })
        .unwrap();
    guard.signal("TERM");
    guard.end();
    let shown =
        run(&["incidents", "show", id.trim(), "--json", "--config", file.to_str().unwrap()]);
    let shown: serde_json::Value = serde_json::from_str(&stdout(&shown)).unwrap();
    assert_eq!(shown["record"]["upstream"], broken.address.to_string(), "{shown}");
}
