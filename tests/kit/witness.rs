//! The witnesses that are not ours: libxml2 and the JDK's Xerces, asked through Python.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// One document as it would leave.
pub struct Document {
    pub name: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Asks both parsers; the message names every document that one of them refuses.
pub fn ask(documents: &[Document]) -> Result<(), String> {
    let mut lines = String::new();
    for document in documents {
        let entry = serde_json::json!({
            "name": document.name,
            "content_type": document.content_type,
            "body_base64": base64(&document.body),
        });
        let _ = writeln!(lines, "{entry}");
    }
    run("tests/oracle/judge_file.py", &[], lines)
}

/// Shows lines to a script of this repository; the message is what it says on standard error when
/// it fails. Without `TWIML_GUARD_PYTHON` (an interpreter with tests/e2e/requirements.txt) nobody
/// is asked, which is said on stderr and, with `TWIML_GUARD_REQUIRE_ALL=1`, is a failure.
#[allow(clippy::print_stderr)]
pub fn run(script: &str, arguments: &[&str], lines: String) -> Result<(), String> {
    let Some(python) = std::env::var_os("TWIML_GUARD_PYTHON") else {
        if std::env::var_os("TWIML_GUARD_REQUIRE_ALL").is_some_and(|value| value == "1") {
            return Err("TWIML_GUARD_PYTHON is not set and nothing may be skipped".to_owned());
        }
        eprintln!(
            "skipped: {} answers were not shown to {script} (set TWIML_GUARD_PYTHON, or use tests/run)",
            lines.lines().count()
        );
        return Ok(());
    };
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start {script}: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let written = writer.join().map_err(|_| "the writer panicked")?;
    if output.status.success() && written.is_ok() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let all = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let bits = all[0] << 16 | all[1] << 8 | all[2];
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
