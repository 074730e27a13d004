//! The built program where open files are few.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, twiml};
use crate::support::client::{CALL, Client, get, post};

/// The guard as a process with at most 64 open files; ends with its holder.
struct Confined {
    process: Child,
    address: SocketAddr,
}

impl Confined {
    fn before(backend: SocketAddr) -> Self {
        let mut process = Command::new("/bin/sh")
            .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_twiml-guard")])
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
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
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
