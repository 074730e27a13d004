//! The real binary: runs it, feeds it, ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest that any command of these tests may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The binary with these arguments, in a folder and an environment that say nothing.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twiml-guard"));
    command.args(args).env_remove("NO_COLOR").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TWIML_GUARD_") {
            command.env_remove(name);
        }
    }
    // No `./config.toml` may slip in, and nothing is recorded among anybody's own incidents.
    let folder = env!("CARGO_TARGET_TMPDIR");
    command.current_dir(folder).env_remove("STATE_DIRECTORY");
    command.env("XDG_STATE_HOME", format!("{folder}/state"));
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// Runs it to its end with this on standard input.
pub fn fed(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = child.stdin.take().unwrap().write_all(input);
    // A command that refuses its flags may be gone before it was fed.
    assert!(written.is_ok() || child.wait().unwrap().code() == Some(2));
    child.wait_with_output().unwrap()
}

/// Its exit code.
pub fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// What it printed.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it complained of.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A child that is ended with the test.
pub struct Running {
    pub child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Running {
    /// Starts it, its output in pipes.
    pub fn start(args: &[&str]) -> Self {
        Self::of(&mut command(args))
    }

    /// The same for a command of one's own.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// The address in the first line that announces the public listener.
    pub fn address(&mut self) -> SocketAddr {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "ended before it listened");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "listening" && event["listener"] == "public" {
                return event["server.address"].as_str().unwrap().parse().unwrap();
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end; gives the exit code and the rest of its complaints.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (status.code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts a form as Twilio does; gives the answer as it came.
pub fn post(to: SocketAddr, path: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: pbx.example.com\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
