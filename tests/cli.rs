//! The real binary: exit codes, what it prints, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use twiml_guard::guard::CAUSES;

use crate::support::binary::{Running, code, command, fed, post, run, stderr, stdout};

/// A backend that answers every request with the same bytes.
fn backend(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut asked = [0; 4096];
                while stream.read(&mut asked).is_ok_and(|read| read > 0) {
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

const CALL: &str = "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing&From=%2B15555550123&To=%2B15555550199";

#[test]
fn help_and_version_are_no_errors_and_a_wrong_flag_is_usage() {
    let help = run(&["--help"]);
    assert_eq!(code(&help), Some(0));
    assert!(stdout(&help).contains("Examples:"));
    let version = run(&["--version"]);
    assert_eq!(stdout(&version), format!("twiml-guard {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(code(&run(&["--no-such-flag"])), Some(2));
    assert_eq!(code(&run(&["no-such-command"])), Some(2));
}

#[test]
fn a_good_answer_is_explained_in_one_line() {
    let good =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Response><Say>Hello.</Say></Response>";
    let output = fed(&["explain"], good);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("Twilio takes this answer as it is.\n"));
}

#[test]
fn an_error_page_is_explained_with_its_code_its_fix_and_what_is_delivered() {
    let page = b"HTTP/2 500 \ncontent-type: text/html\n\n<!doctype html>\n<title>500</title>\n<h1>Internal Server Error</h1>\n";
    let output = fed(&["explain", "-"], page);
    let text = stdout(&output);
    assert_eq!(code(&output), Some(1), "{text}");
    assert!(text.contains("fix: "), "{text}");
    assert!(text.contains("Twilio logs 1"), "{text}");
    assert!(text.contains("fallback `voice`"), "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe gets no colours");
}

#[test]
fn a_broken_document_is_drawn_where_it_breaks() {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Response>\n  <Redirect>/menu?a=1&b=2</Redirect>\n</Response>";
    let output = fed(&["explain"], broken);
    let text = stdout(&output);
    assert_eq!(code(&output), Some(1), "{text}");
    let source =
        text.lines().position(|line| line.contains("| ") && line.contains("/menu?a=1&b=2"));
    let source = source.unwrap_or_else(|| panic!("{text}"));
    let lines: Vec<_> = text.lines().collect();
    let caret = lines[source + 1].find('^').unwrap_or_else(|| panic!("{text}"));
    assert_eq!(lines[source].as_bytes()[caret], b'&', "{text}");
    assert!(text.contains("/menu?a=1&amp;b=2"), "{text}");
    assert!(text.contains("line 2"), "{text}");
}

#[test]
fn invisible_bytes_are_drawn() {
    let bom = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n\u{feff}<Response/>";
    let text = stdout(&fed(&["explain"], bom.as_bytes()));
    assert!(!text.contains('\u{feff}'), "{text}");
    assert!(text.to_uppercase().contains("FEFF") || text.contains("BOM"), "{text}");
}

#[test]
fn the_slot_decides() {
    let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
    assert!(stdout(&fed(&["explain"], empty)).contains("fallback `voice`"));
    assert!(!stdout(&fed(&["explain", "--slot", "messaging"], empty)).contains("fallback `"));
    assert_eq!(code(&fed(&["explain", "--slot", "sms"], empty)), Some(2));
}

#[test]
fn what_curl_says_without_an_answer_is_explained() {
    let refused = b"curl: (7) Failed to connect to 127.0.0.1 port 5000 after 0 ms: Couldn't connect to server\n";
    let output = fed(&["explain"], refused);
    assert_eq!(code(&output), Some(1));
    assert!(stdout(&output).contains("127.0.0.1:5000"), "{}", stdout(&output));
}

#[test]
fn a_saved_file_is_read_and_a_missing_one_is_usage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("answer.txt");
    std::fs::write(&path, "HTTP/1.1 200 OK\n\n").unwrap();
    assert_eq!(code(&run(&["explain", path.to_str().unwrap()])), Some(1));
    let missing = run(&["explain", "no-such-file"]);
    assert_eq!(code(&missing), Some(2));
    assert!(stderr(&missing).contains("neither a file nor a cause"));
    assert_eq!(code(&run(&["explain", directory.path().to_str().unwrap()])), Some(74));
}

#[test]
fn nothing_at_all_is_usage() {
    let output = fed(&["explain"], b"");
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).contains("curl -i"));
}

#[test]
fn json_is_one_object_with_the_same_verdict() {
    let output = fed(&["explain", "--json"], b"HTTP/1.1 200 OK\n\n<Response/>");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["found"], code(&output) == Some(1));
    assert_eq!(object["slot"], "voice");
}

#[test]
fn every_cause_has_a_page_and_a_near_miss_is_suggested() {
    assert!(!CAUSES.is_empty());
    for cause in CAUSES {
        let output = run(&["explain", cause.slug]);
        assert_eq!(code(&output), Some(0));
        assert!(stdout(&output).starts_with(cause.slug));
    }
    let slug = CAUSES[0].slug;
    let misspelt = run(&["explain", &format!("{slug}x")]);
    assert!(stderr(&misspelt).contains(&format!("did you mean the cause `{slug}`?")));
    assert_eq!(stdout(&run(&["explain", "--list"])).lines().count(), CAUSES.len());
}

#[test]
fn the_readme_has_the_catalogues_table() {
    const BEGIN: &str = "<!-- causes:begin -->\n";
    const END: &str = "<!-- causes:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (inside, after) = rest.split_once(END).unwrap();
    let table = stdout(&run(&["explain", "--markdown"]));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    let stale = inside.lines().zip(table.lines()).find(|(is, should)| is != should);
    assert!(
        inside == table,
        "README.md is behind the catalogue ({stale:?}); run this test with UPDATE=1"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["explain", "--markdown"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_wrong_configuration_ends_with_78_and_says_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, "lissten = \"127.0.0.1:0\"\nbudget = \"never\"\n").unwrap();
    for command in [&["serve"][..], &[], &["config", "check"]] {
        let args = [command, &["--config", path.to_str().unwrap()]].concat();
        let output = run(&args);
        assert_eq!(code(&output), Some(78), "{args:?}");
        let said = stderr(&output) + &stdout(&output);
        assert!(said.contains("lissten") && said.contains("budget"), "{said}");
    }
}

#[test]
fn a_taken_address_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address, "--ops", "off"]);
    assert_eq!(code(&output), Some(74));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn serving_ends_with_a_signal_and_one_summary() {
    let backend = backend(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 35\r\n\r\n<Response><Say>Hi.</Say></Response>",
    );
    for signal in ["TERM", "INT"] {
        let upstream = format!("http://{backend}");
        let mut guard =
            Running::start(&["--listen", "127.0.0.1:0", "--ops", "off", "--upstream", &upstream]);
        let address = guard.address();
        let answer = post(address, "/voice", CALL);
        assert!(answer.ends_with("<Response><Say>Hi.</Say></Response>"), "{answer}");
        guard.signal(signal);
        let (code, log) = guard.end();
        assert_eq!(code, Some(0), "{log}");
        let summary: Vec<_> = log.lines().filter(|line| line.contains("stopped")).collect();
        let [summary] = summary[..] else { panic!("{log}") };
        let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
        assert_eq!(summary["answers"], 1, "{summary}");
        assert_eq!(summary["untouched"], 1, "{summary}");
    }
}

#[cfg(unix)]
#[test]
fn observing_says_what_enforcing_would_have_saved() {
    let backend =
        backend(b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<h1>");
    let upstream = format!("http://{backend}");
    let mut guard = Running::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ops",
        "off",
        "--upstream",
        &upstream,
        "--observe",
    ]);
    let address = guard.address();
    let answer = post(address, "/voice", CALL);
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    guard.signal("TERM");
    let (code, log) = guard.end();
    assert_eq!(code, Some(0), "{log}");
    let summary =
        log.lines().find(|line| line.contains("stopped")).unwrap_or_else(|| panic!("{log}"));
    let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
    assert_eq!(summary["would_have_saved"], 1, "{summary}");
}

#[cfg(unix)]
#[test]
fn what_is_learnt_is_printed_as_a_configuration_that_is_fine() {
    const CONNECT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 135\r\n\r\n\
        <Response><Connect action=\"/calls/CA0123456789abcdef0123456789abcdef/ended\"><Stream url=\"wss://pbx.example.com/ws\"/></Connect></Response>";
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let learn = || run(&["config", "learn", "--state-dir", &state]);
    let nothing = learn();
    assert_eq!(code(&nothing), Some(0), "{}", stderr(&nothing));
    assert!(stdout(&nothing).contains("nothing learnt yet"), "{}", stdout(&nothing));
    let upstream = format!("http://{}", backend(CONNECT));
    let listen = ["serve", "--listen", "127.0.0.1:0", "--ops", "off"];
    let mut guard =
        Running::start(&[&listen[..], &["--upstream", &upstream, "--state-dir", &state]].concat());
    let address = guard.address();
    for _ in 0..2 {
        let answer = post(address, "/voice", CALL);
        assert!(answer.ends_with("</Response>"), "{answer}");
    }
    guard.signal("TERM");
    let (ended, log) = guard.end();
    assert_eq!(ended, Some(0), "{log}");
    let told = learn();
    let text = stdout(&told);
    assert_eq!(code(&told), Some(0), "{}", stderr(&told));
    let tables: toml::Table = toml::from_str(&text).unwrap();
    let routes: Vec<_> = tables["route"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| ["method", "path", "slot"].map(|key| route[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        routes,
        [
            ["POST", "/voice", "voice"],
            ["GET", "/ws", "stream"],
            ["POST", "/calls/{id}/ended", "action"]
        ]
    );
    assert!(text.contains("# action of <Connect> from POST /voice\n# seen 2 times"), "{text}");
    let config = folder.path().join("config.toml");
    std::fs::write(&config, text).unwrap();
    let checked = run(&["config", "check", "--config", &config.display().to_string()]);
    assert_eq!(code(&checked), Some(0), "{}", stderr(&checked));
}

#[cfg(unix)]
#[test]
fn the_steps_of_a_faulty_call_outlive_the_guard() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().display().to_string();
    let upstream = format!("http://{}", backend(b"HTTP/1.1 204 No Content\r\n\r\n"));
    let listen = ["serve", "--listen", "127.0.0.1:0", "--ops", "off"];
    let mut guard =
        Running::start(&[&listen[..], &["--upstream", &upstream, "--state-dir", &state]].concat());
    let address = guard.address();
    // First a step without a fault.
    post(address, "/status", &format!("{CALL}&CallbackSource=call-progress-events"));
    post(address, "/voice", CALL);
    guard.signal("TERM");
    let (ended, log) = guard.end();
    assert_eq!(ended, Some(0), "{log}");
    let sid = "CA0123456789abcdef0123456789abcdef";
    let told = run(&["incidents", "call", sid, "--state-dir", &state, "--json"]);
    let text = stdout(&told);
    assert_eq!(code(&told), Some(0), "{text}{}", stderr(&told));
    let [status, voice] = ["\"/status\"", "\"/voice\""].map(|path| text.find(path));
    assert!(status.is_some() && status < voice, "{text}");
    assert!(text.contains("no-content"), "{text}");
}

#[test]
fn the_demo_walks_once_and_every_delivery_is_accepted() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = command(&["demo", "--once", "--listen", "127.0.0.1:0"]);
    let output = demo.env("XDG_STATE_HOME", state.path()).output().unwrap();
    let text = stdout(&output);
    assert_eq!(code(&output), Some(0), "{text}{}", stderr(&output));
    let (walk, on_record) = text.split_once("\nOn record").unwrap_or_else(|| panic!("{text}"));
    assert!(walk.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("Twilio accepts every one."), "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe gets no colours");
    assert_eq!(stderr(&output), "", "the walk makes no noise");
    let commands: Vec<_> = on_record.lines().skip(1).collect();
    assert_eq!(commands.len(), 3, "{on_record}");
    for (command, says) in commands.iter().zip(["html-page", "{+amp;+}", "/voice/*"]) {
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        assert_eq!(code(&output), Some(0), "{command}: {}", stderr(&output));
        assert!(stdout(&output).contains(says), "{command}: {}", stdout(&output));
    }
}

/// Rows without their last column, which is never the same.
fn rows(text: &str) -> Vec<&str> {
    text.lines()
        .skip_while(|line| !line.starts_with("route "))
        .take_while(|line| !line.starts_with("On record") && !line.starts_with("```"))
        .filter(|line| !line.is_empty())
        .map(|line| match line.rsplit_once(' ') {
            Some((row, last)) if line.starts_with('/') && last.parse::<f64>().is_ok() => {
                row.trim_end()
            }
            _ => line.trim_end(),
        })
        .collect()
}

#[test]
fn the_readme_shows_the_demo_as_it_is() {
    const BEGIN: &str = "<!-- demo:begin -->\n";
    const END: &str = "<!-- demo:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (inside, after) = rest.split_once(END).unwrap();
    let walk = stdout(&run(&["demo", "--once", "--listen", "127.0.0.1:0"]));
    if std::env::var_os("UPDATE").is_some() {
        // Where it was recorded is another place on each machine.
        let walk = walk.split("\nOn record").next().unwrap();
        let closing = walk.lines().last().unwrap();
        let summary = format!("<details><summary>The walk: {closing}</summary>");
        let block = format!("{summary}\n\n```text\n{}\n```\n\n</details>\n", walk.trim_end());
        std::fs::write(&path, [before, BEGIN, &block, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(rows(inside), rows(&walk), "run this test with UPDATE=1");
}

#[cfg(unix)]
#[test]
fn the_demo_keeps_serving_until_it_is_stopped() {
    let mut demo = Running::start(&["demo", "--listen", "127.0.0.1:0"]);
    let mut lines = BufReader::new(demo.child.stdout.take().unwrap()).lines();
    let first = lines.nth(1).unwrap().unwrap();
    let guard =
        first.split("guard http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let guard: SocketAddr = guard.parse().unwrap();
    assert!(lines.any(|line| line.unwrap().starts_with("Still serving")));
    let answer = post(guard, "/voice/html-500", CALL);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<Say"), "{answer}");
    demo.signal("INT");
    // The pipe is read on: nothing may block on it.
    let rest = lines.count();
    let (code, log) = demo.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(rest > 0);
}
