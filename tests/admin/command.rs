//! `twiml-guard mode` with the real binary: what it says, how it ends, what the log says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::{TOKEN, broken};
use crate::support::backend::Backend;
use crate::support::binary::{command, run, stderr, stdout};
use crate::support::client::{CALL, ask, post};

/// A guard as its own process; ends with the test.
struct Serving {
    child: Child,
    public: SocketAddr,
    admin: Option<SocketAddr>,
    log: thread::JoinHandle<Vec<Value>>,
    folder: TempDir,
    _backend: Backend,
}

impl Serving {
    /// With `[[route]]` /voice (observed) and /other; `more` goes before them.
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = broken();
        let token = folder.path().join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
        let file = folder.path().join("config.toml");
        let config = format!(
            "listen = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nstate_dir = \"{}\"\n[ops]\nlisten = \"off\"\n{}\n[[route]]\npath = \"/voice\"\nobserve = true\n[[route]]\npath = \"/other\"\nmethod = \"POST\"\n",
            backend.address,
            folder.path().join("state").display(),
            more.replace("TOKEN", &token.display().to_string())
        );
        fs::write(&file, config).unwrap();
        let mut child = command(&["serve", "--config", file.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut public, mut admin, mut events) = (None, None, Vec::new());
        while public.is_none() || (admin.is_none() && more.contains("127.0.0.1")) {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "ended before it listened");
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let address = || event["server.address"].as_str().unwrap().parse().ok();
            match event["listener"].as_str() {
                Some("public") => public = address(),
                Some("admin") => admin = address(),
                _ => {}
            }
            events.push(event);
        }
        let log = thread::spawn(move || {
            let mut rest = String::new();
            lines.read_to_string(&mut rest).unwrap();
            events.extend(rest.lines().filter_map(|line| serde_json::from_str(line).ok()));
            events
        });
        Self { child, public: public.unwrap(), admin, log, folder, _backend: backend }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// `mode` with these arguments, over the control socket.
    fn mode(&self, args: &[&str]) -> Output {
        let state = self.state();
        run(&[&["mode", "--state-dir", state.to_str().unwrap()], args].concat())
    }

    fn status(&self, path: &str) -> u16 {
        ask(self.public, post(path, CALL)).status()
    }

    /// Ends it; gives its log.
    fn end(mut self) -> Vec<Value> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        std::mem::replace(&mut self.log, thread::spawn(Vec::new)).join().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Route and current mode of each line of a table.
fn rows(output: &Output) -> Vec<(String, String)> {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let table = stdout(output);
    let lines = table.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let route = words.next().unwrap().to_owned();
            (route, words.last().unwrap().to_owned())
        })
        .collect()
}

fn row(route: &str, mode: &str) -> (String, String) {
    (route.to_owned(), mode.to_owned())
}

#[test]
fn the_running_guard_is_switched_and_its_log_says_by_whom() {
    let guard = Serving::start("");
    assert_eq!(
        rows(&guard.mode(&[])),
        [row("/voice", "observe"), row("/other", "enforce"), row("*", "enforce")]
    );
    assert_eq!((guard.status("/voice"), guard.status("/other")), (500, 200));
    let switched = guard.mode(&["enforce", "--route", "/voice"]);
    assert_eq!(rows(&switched), [row("/voice", "enforce")]);
    assert!(stdout(&switched).contains("when the guard restarts"));
    assert_eq!((guard.status("/voice"), guard.status("/other")), (200, 200));
    guard.mode(&["observe"]);
    assert_eq!((guard.status("/voice"), guard.status("/other")), (500, 500));
    let reset = guard.mode(&["reset", "--json"]);
    let modes: Value = serde_json::from_slice(&reset.stdout).unwrap();
    assert_eq!(
        modes["routes"][1],
        serde_json::json!({ "route": "/other", "method": "POST", "configured": "enforce", "current": "enforce" })
    );
    assert_eq!((guard.status("/voice"), guard.status("/other")), (500, 200));
    let events = guard.end();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["message"].as_str().unwrap_or_default().starts_with("mode switched"))
        .map(|event| {
            assert_eq!(event["level"], "WARN");
            assert!(event["by"].as_str().unwrap().starts_with("uid "), "{event}");
            format!("{} {}", event["http.route"].as_str().unwrap(), event["mode"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "/voice enforce",
            "/voice observe",
            "/other observe",
            "* observe",
            "/other enforce",
            "* enforce"
        ]
    );
    let stopped = events.iter().find(|event| event["message"] == "stopped").unwrap();
    assert_eq!(stopped["would_have_saved"], 4);
}

#[test]
fn an_unknown_route_is_told_with_the_known_ones() {
    let guard = Serving::start("");
    for args in [&["observe", "--route", "/voise"][..], &["--route", "/voise"]] {
        let output = guard.mode(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(
            said.contains("found `/voise`") && said.contains("\n  /voice\n  /other\n  *\n"),
            "{said}"
        );
    }
    assert_eq!(rows(&guard.mode(&["--route", "/voice"])), [row("/voice", "observe")]);
    assert_eq!(guard.mode(&["disable"]).status.code(), Some(2));
}

#[test]
fn the_admin_address_takes_the_token_and_nothing_else() {
    let guard = Serving::start("[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"TOKEN\"\n");
    let url = format!("http://{}", guard.admin.unwrap());
    let token = guard.folder.path().join("token");
    let mode = |file: &Path, args: &[&str]| {
        let named = ["mode", "--admin", &url, "--token-file", file.to_str().unwrap()];
        run(&[&named, args].concat())
    };
    assert_eq!(rows(&mode(&token, &["enforce", "--route", "/voice"])), [row("/voice", "enforce")]);
    assert_eq!(guard.status("/voice"), 200);
    let wrong = guard.folder.path().join("wrong");
    fs::write(&wrong, "0123456789abcdef").unwrap();
    let refused = mode(&wrong, &["observe"]);
    assert_eq!(refused.status.code(), Some(69));
    let said = stderr(&refused);
    assert!(
        said.contains("401") && said.contains("token_file") && !said.contains("0123456789"),
        "{said}"
    );
    assert_eq!(run(&["mode", "--admin", &url]).status.code(), Some(2));
    assert_eq!(guard.status("/voice"), 200);
    let events = guard.end();
    let warned = |part: &str| {
        events.iter().any(|event| event["message"].as_str().unwrap_or_default().contains(part))
    };
    assert!(warned("a wrong token"), "{events:#?}");
    assert!(warned("others may read the admin token"), "{events:#?}");
    assert!(!events.iter().any(|event| event.to_string().contains(TOKEN)));
}

#[test]
fn no_running_guard_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let nobody = crate::support::guard::nobody();
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let (url, token) = (format!("http://{nobody}"), token.to_str().unwrap());
    for args in [
        &["mode", "--state-dir", state][..],
        &["mode", "observe", "--state-dir", state],
        &["mode", "--admin", &url, "--token-file", token],
        &["mode", "--admin", "unix:/nonexistent/admin.sock"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(69), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    let homeless = command(&["mode"]).env_clear().output().unwrap();
    assert_eq!(homeless.status.code(), Some(69));
    assert!(stderr(&homeless).contains("--state-dir"), "{}", stderr(&homeless));
    // A guard that died leaves its socket; the next one takes its place.
    let mut guard = Serving::start("");
    guard.child.kill().unwrap();
    guard.child.wait().unwrap();
    assert!(guard.state().join("control.sock").exists());
    assert_eq!(guard.mode(&[]).status.code(), Some(69));
    let file = guard.folder.path().join("config.toml");
    let mut again = command(&["serve", "--config", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while guard.mode(&[]).status.code() != Some(0) {
        assert!(begun.elapsed() < super::PATIENCE, "the stale socket was not replaced");
        thread::sleep(std::time::Duration::from_millis(50));
    }
    again.kill().unwrap();
    again.wait().unwrap();
}
