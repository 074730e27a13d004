//! The built program where open files are few.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, twiml};
use crate::support::client::{CALL, Client, get, post};

/// The guard as a process with few open files; ends with its holder.
struct Confined {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Confined {
    /// With at most 64 open files.
    fn before(backend: SocketAddr) -> Self {
        Self::with_files(64, backend)
    }

    fn with_files(files: usize, backend: SocketAddr) -> Self {
        let confine = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        let mut process = Command::new("/bin/sh")
            .args(["-c", &confine, env!("CARGO_BIN_EXE_twiml-guard")])
            .args(["serve", "--listen", "127.0.0.1:0", "--ops", "off", "--log-format", "json"])
            .args(["--upstream", &format!("http://{backend}")])
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the guard says where it listens").unwrap();
            if line.contains("\"listener\":\"public\"") {
                let (_, rest) = line.split_once("\"server.address\":\"").unwrap();
                break rest.split('"').next().unwrap().parse().unwrap();
            }
        };
        let log = Arc::<Mutex<Vec<String>>>::default();
        let all = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                all.lock().unwrap().push(line);
            }
        });
        Self { process, address, log }
    }
}

impl Confined {
    /// Open files that it may have more.
    fn files_left(&self, limit: usize) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count();
        limit.saturating_sub(open)
    }

    /// Time that it kept a processor busy, in hundredths of a second.
    fn busy(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let ticks = |n: usize| rest.split(' ').nth(n).unwrap().parse::<u64>().unwrap();
        ticks(11) + ticks(12)
    }

    fn told(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn answered_within(address: SocketAddr, limit: Duration) {
    let start = Instant::now();
    let mut client = Client::to(address);
    client.say(post("/voice", CALL));
    let text = client.answer().text();
    assert!(text.contains("hi"), "{text}");
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
}

#[test]
fn idle_clients_make_room_for_a_webhook() {
    let backend = Backend::always(twiml("hi"));
    let guard = Confined::before(backend.address);
    let mut idle = Vec::new();
    for _ in 0..16 {
        let mut client = Client::to(guard.address);
        client.say(get("/"));
        client.answer();
        idle.push(client);
    }
    std::thread::sleep(Duration::from_millis(1100));
    answered_within(guard.address, Duration::from_secs(1));
}

#[test]
fn half_heads_make_room_for_a_webhook() {
    let backend = Backend::always(twiml("hi"));
    let guard = Confined::before(backend.address);
    let mut half = Vec::new();
    for _ in 0..16 {
        let mut client = Client::to(guard.address);
        client.say("POST /voice HTTP/1.1\r\nHo");
        half.push(client);
    }
    std::thread::sleep(Duration::from_millis(100));
    answered_within(guard.address, Duration::from_secs(4));
}

#[test]
fn a_burst_beyond_the_room_is_answered_in_turn() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(50);
            connection.say(twiml("hi"));
        }
    });
    let guard = Confined::before(backend.address);
    let address = guard.address;
    let callers: Vec<_> = (0..80)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::to(address);
                // A slow network: the request comes after the connection.
                std::thread::sleep(Duration::from_millis(100));
                client.say(post("/voice", CALL));
                client.answer().text().contains("hi")
            })
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
}

#[test]
fn out_of_open_files_it_pauses_and_recovers() {
    const FILES: usize = 34;
    let backend = Backend::always(twiml("hi"));
    let guard = Confined::with_files(FILES, backend.address);
    // Every file is taken by half a head, which nothing can end at once.
    let mut half = Vec::new();
    while guard.files_left(FILES) > 0 {
        assert!(half.len() < FILES);
        let mut client = Client::to(guard.address);
        client.say("POST /voice HTTP/1.1\r\nHo");
        half.push(client);
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut waiting = Client::to(guard.address);
    waiting.say(post("/voice", CALL));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(guard.told("no connection can be accepted"), 1);
    let before = guard.busy();
    std::thread::sleep(Duration::from_secs(1));
    let busy = guard.busy() - before;
    assert!(busy < 20, "{busy} % of a processor");
    drop(half);
    let start = Instant::now();
    // It may have got the last file, and the way to the backend none: it is answered all the same.
    let answer = waiting.answer();
    assert!(answer.text().contains("<Response>"), "{answer:?}");
    assert!(start.elapsed() < Duration::from_millis(700), "{:?}", start.elapsed());
    answered_within(guard.address, Duration::from_secs(1));
    assert_eq!(guard.told("no connection can be accepted"), 1, "told once");
    assert_eq!(guard.told("connections are accepted again"), 1);
}

#[test]
fn idle_clients_make_room_where_open_files_run_out() {
    const FILES: usize = 34;
    let backend = Backend::always(twiml("hi"));
    let guard = Confined::with_files(FILES, backend.address);
    let mut idle = Vec::new();
    while guard.files_left(FILES) > 0 {
        assert!(idle.len() < FILES);
        idle.push(Client::to(guard.address));
        std::thread::sleep(Duration::from_millis(10));
    }
    let start = Instant::now();
    loop {
        let text = crate::support::client::ask(guard.address, post("/voice", CALL)).text();
        assert!(text.contains("<Response>"), "{text}");
        assert!(start.elapsed() < Duration::from_secs(4), "{text} {:?}", guard.log.lock().unwrap());
        if text.contains("hi") {
            return;
        }
    }
}
