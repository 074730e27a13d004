//! The configuration read anew by the real binary, under load.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::incidents::instruments;
use twiml_guard::incidents::recorder::Recorder;
use twiml_guard::proxy::Proxy;
use twiml_guard::shutdown::Shutdown;

use crate::support::backend::{Backend, twiml};
use crate::support::binary::{PATIENCE, Running, code, command, post, run, stdout};
use crate::support::guard::config;

const CALL: &str = "CallSid=CA00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001&CallStatus=ringing";

fn start(config: &Path) -> Running {
    let config = config.to_str().unwrap();
    Running::start(&["serve", "--config", config, "--ops", "off", "--log-format", "json"])
}

fn write(file: &Path, backend: std::net::SocketAddr, rest: &str) {
    let text = format!("listen = \"127.0.0.1:0\"\nupstream = \"http://{backend}\"\n{rest}");
    fs::write(file, text).unwrap();
}

/// Asks until the answer holds this.
fn until(address: std::net::SocketAddr, wanted: &str) {
    let start = Instant::now();
    loop {
        let answer = post(address, "/voice", CALL);
        if answer.contains(wanted) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn five_reloads_under_load_fail_no_request() {
    let backends: Vec<_> =
        (0..6).map(|n| Backend::always(twiml(&format!("backend {n}")))).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guard.toml");
    write(&file, backends[0].address, "reload_every = \"0s\"\n");
    let mut guard = start(&file);
    let address = guard.address();
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut asked = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = post(address, "/voice", CALL);
                    assert!(answer.contains("<Say>backend "), "{answer}");
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    for (n, backend) in backends.iter().enumerate().skip(1) {
        write(&file, backend.address, "reload_every = \"0s\"\n");
        guard.signal("HUP");
        until(address, &format!("backend {n}"));
    }
    stop.store(true, Ordering::Relaxed);
    let asked: u64 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    assert!(asked > 20, "{asked}");
    guard.signal("TERM");
    assert_eq!(guard.end().0, Some(0));
}

#[test]
fn a_changed_file_is_noticed_and_a_broken_one_is_told_once_and_changes_nothing() {
    let (first, second) = (Backend::always(twiml("first")), Backend::always(twiml("second")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guard.toml");
    write(&file, first.address, "reload_every = \"100ms\"\n");
    let mut guard = start(&file);
    let address = guard.address();
    until(address, "first");
    write(&file, second.address, "reload_every = \"100ms\"\nbudget = 5\nbugdet = \"5s\"\n");
    thread::sleep(Duration::from_millis(800));
    until(address, "first");
    fs::remove_file(&file).unwrap();
    thread::sleep(Duration::from_millis(500));
    until(address, "first");
    write(&file, second.address, "reload_every = \"100ms\"\nworkers = 2\n");
    until(address, "second");
    guard.signal("TERM");
    let (code, said) = guard.end();
    assert_eq!(code, Some(0));
    let count = |what: &str| said.lines().filter(|line| line.contains(what)).count();
    assert_eq!(count("a mistake in the configuration"), 3, "{said}");
    assert_eq!(count("did you mean"), 1, "{said}");
    assert_eq!(count("expected a readable configuration file"), 1, "{said}");
    assert_eq!(count("\"keys\":\"workers\""), 1, "{said}");
}

#[test]
fn it_is_taken_out_of_the_load_and_back_in_while_it_answers() {
    let backend = Backend::always(twiml("hi"));
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let file = folder.path().join("guard.toml");
    let free = crate::support::guard::nobody().to_string();
    let rest =
        format!("state_dir = {state:?}\nreload_every = \"0s\"\n[ops]\nlisten = \"{free}\"\n");
    write(&file, backend.address, &rest);
    let named = ["--config", file.to_str().unwrap()];
    let asked = |arguments: &[&str]| run(&[arguments, &named].concat());
    assert_eq!(code(&asked(&["healthcheck"])), Some(69));
    let mut guard = Running::start(&["serve", named[0], named[1], "--log-format", "json"]);
    let address = guard.address();
    until(address, "hi");
    assert_eq!(code(&asked(&["healthcheck"])), Some(0));
    let drained = asked(&["drain", "--wait", "5s"]);
    assert_eq!(
        (code(&drained), stdout(&drained)),
        (Some(0), "drained, nothing in flight\n".to_owned())
    );
    let unready = asked(&["healthcheck"]);
    assert_eq!((code(&unready), stdout(&unready)), (Some(1), "draining\n".to_owned()));
    assert_eq!(code(&asked(&["healthcheck", "--live"])), Some(0));
    let answer = post(address, "/voice", CALL).to_lowercase();
    assert!(answer.contains("connection: close") && answer.contains("hi"), "{answer}");
    assert_eq!(code(&asked(&["drain", "--undo"])), Some(0));
    assert_eq!(code(&asked(&["healthcheck"])), Some(0));
    fs::write(&file, "budget = 5").unwrap();
    assert_eq!(code(&run(&["healthcheck", "--ops", &free, named[0], named[1]])), Some(0));
    guard.signal("TERM");
    assert_eq!(guard.end().0, Some(0));
}

/// What a service manager hears of a guard.
struct Manager {
    socket: UnixDatagram,
    signs_of_life: usize,
}

impl Manager {
    /// The next message that is no mere sign of life.
    fn heard(&mut self) -> String {
        loop {
            let mut said = [0; 1024];
            let length = self.socket.recv(&mut said).unwrap();
            let said = String::from_utf8(said[..length].to_vec()).unwrap();
            if said.trim() != "WATCHDOG=1" {
                return said;
            }
            self.signs_of_life += 1;
        }
    }
}

#[test]
fn the_service_manager_is_told_of_start_life_reload_and_stop_and_nothing_after_that() {
    let backend = Backend::always(twiml("hi"));
    let folder = tempfile::tempdir().unwrap();
    let (file, socket) = (folder.path().join("guard.toml"), folder.path().join("notify"));
    write(&file, backend.address, "reload_every = \"0s\"\ndrain_grace = \"500ms\"\nworkers = 2\n");
    let mut manager = Manager { socket: UnixDatagram::bind(&socket).unwrap(), signs_of_life: 0 };
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = file.to_str().unwrap();
    let mut guard = Running::of(
        command(&["serve", "--config", config, "--ops", "off", "--log-format", "json"])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "1200000"),
    );
    assert!(manager.heard().contains("READY=1"));
    thread::sleep(Duration::from_secs(3));
    guard.signal("HUP");
    let reloading = manager.heard();
    let has = |what: &str| reloading.contains(what);
    assert!(has("RELOADING=1") && has("MONOTONIC_USEC="), "{reloading}");
    assert!((2..=5).contains(&manager.signs_of_life), "{}", manager.signs_of_life);
    assert!(manager.heard().contains("READY=1"));
    guard.signal("TERM");
    assert!(manager.heard().contains("STOPPING=1"));
    guard.signal("HUP");
    assert_eq!(guard.end().0, Some(0));
    manager.socket.set_nonblocking(true).unwrap();
    let mut said = [0; 1024];
    while let Ok(length) = manager.socket.recv(&mut said) {
        assert_eq!(&said[..length], b"WATCHDOG=1\n");
    }
}

#[test]
fn a_configuration_that_comes_before_the_workers_are_up_is_served() {
    let (first, second) = (Backend::always(twiml("first")), Backend::always(twiml("second")));
    let metrics = instruments().unwrap();
    let recorder = Recorder::without_writer(metrics.clone());
    let proxy = Proxy::bind(Arc::new(config(first.address)), recorder, metrics).unwrap();
    proxy.configs().send_replace(Arc::new(config(second.address)));
    let (address, shutdown) = (proxy.local_addr().unwrap(), Shutdown::new());
    let raised = shutdown.clone();
    let running = thread::spawn(move || proxy.run(raised));
    let answer = post(address, "/voice", CALL);
    shutdown.raise();
    running.join().unwrap();
    assert!(answer.contains("second"), "{answer}");
}
