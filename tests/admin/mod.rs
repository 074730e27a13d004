//! The admin API over real sockets, before a guard that serves.

mod access;
mod calls;
mod command;
mod control;
mod incidents;
mod mode;
mod tail;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use twiml_guard::admin::{Admin, AdminHandle, Modes};
use twiml_guard::config::{AdminListener, Config, LogFormat};
use twiml_guard::incidents::recorder::{Recorder, RecorderHandle};
use twiml_guard::incidents::timeline::{Live, Step};
use twiml_guard::incidents::{Recording, instruments};
use twiml_guard::proxy::{Proxy, Summary};
use twiml_guard::shutdown::Shutdown;
use twiml_guard::telemetry::log::Log;
use twiml_guard::telemetry::metrics::Metrics;

use crate::support::backend::{Backend, answer};
use crate::support::client::{Answer, CALL, Client, ask, post};
use crate::support::guard::config;

const TOKEN: &str = "test-token-0123456789";
/// Longest that anything of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A guard with its store and its admin listener; stops when dropped.
struct Site {
    public: SocketAddr,
    admin: SocketAddr,
    metrics: Metrics,
    state: TempDir,
    shutdown: Shutdown,
    running: Option<JoinHandle<Summary>>,
    records: Option<RecorderHandle>,
    handle: Option<AdminHandle>,
    recorder: Recorder,
    /// What the guard is made to remember.
    remembered: Arc<Mutex<Vec<(String, Step)>>>,
}

impl Site {
    /// Before this backend.
    fn before(backend: SocketAddr) -> Self {
        Self::with(backend, |_| {})
    }

    /// Before this backend, with a configuration that is changed.
    fn with(backend: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = config(backend);
        config.state_dir = Some(state.path().join("state"));
        config.admin = listener(state.path());
        change(&mut config);
        let metrics = instruments().unwrap();
        let log = Log::to(LogFormat::Json, false, std::io::sink());
        let recording = Recording::start(&config, &metrics).unwrap();
        let (recorder, records) = Recorder::start(config.log, log, metrics.clone(), recording);
        let config = Arc::new(config);
        let proxy = Proxy::bind(Arc::clone(&config), recorder.clone(), metrics.clone()).unwrap();
        let remembered: Arc<Mutex<Vec<(String, Step)>>> = Arc::default();
        let own = Arc::clone(&remembered);
        let live = Live::new(move |sid| {
            let all = own.lock().unwrap();
            all.iter().filter(|(call, _)| call == sid).map(|(_, step)| step.clone()).collect()
        });
        let admin = Admin::bind(&config, Modes::new(&config, metrics.clone()), live);
        let admin = admin.unwrap().unwrap();
        let (public, address, shutdown) =
            (proxy.local_addr().unwrap(), admin.local_addr().unwrap(), Shutdown::new());
        let raised = shutdown.clone();
        Self {
            public,
            admin: address,
            metrics,
            state,
            shutdown,
            running: Some(thread::spawn(move || proxy.run(raised))),
            records: Some(records),
            handle: Some(admin.spawn().unwrap()),
            recorder,
            remembered,
        }
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.state.path().join("token")
    }

    /// Asks the admin listener, with the token.
    fn get(&self, path: &str) -> Answer {
        ask(self.admin, request("GET", path, ""))
    }

    /// The JSON of a good answer.
    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        parsed(&answer)
    }

    fn put(&self, json: &str) -> Answer {
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        ask(self.admin, request("PUT", "/api/mode", &head) + json)
    }

    /// Sends a webhook through the guard.
    fn call(&self, path: &str) -> Answer {
        ask(self.public, post(path, CALL))
    }

    /// The list of incidents, once there are so many.
    fn incidents(&self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let answer = self.get("/api/incidents?limit=1000");
            let found = parsed(&answer)["incidents"].as_array().cloned().unwrap_or_default();
            if found.len() >= count {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {count}", found.len());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The value of a metric's line.
    fn metric(&self, line: &str) -> Option<String> {
        let text = self.metrics.render();
        text.lines().find_map(|own| own.strip_prefix(line)?.strip_prefix(' ').map(str::to_owned))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.raise();
        if let Some(handle) = self.handle.take() {
            handle.stop();
        }
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
        if let Some(records) = self.records.take() {
            records.finish(Instant::now() + Duration::from_secs(2));
        }
    }
}

/// Any free address, with a token.
fn listener(folder: &Path) -> AdminListener {
    let token_file = folder.join("token");
    fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    AdminListener::Address {
        address: "127.0.0.1:0".parse().unwrap(),
        token_file,
        hosts: vec!["guard.internal".to_owned()],
    }
}

/// A backend whose every answer is this web page.
fn broken() -> Backend {
    Backend::always(answer(
        "500 Internal Server Error",
        "Content-Type: text/html\r\n",
        "<h1>Internal Server Error</h1>",
    ))
}

/// A request with the token; `more`: further header lines.
fn request(method: &str, path: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n"
    )
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// A request on an open connection.
fn on(client: &mut Client, request: &str) -> Answer {
    client.say(request);
    client.answer()
}
