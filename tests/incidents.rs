//! `incidents`: the real binary reads what the real binary recorded.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use unicode_width::UnicodeWidthStr;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::binary::{PATIENCE, Running, code, command, post, run, stderr, stdout};

const FIRST: &str = "+15550100123";
const SECOND: &str = "+15550100456";

/// A backend that breaks on some paths.
fn backend() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let path = request.split([' ', '?']).nth(1).unwrap_or_default();
            connection.say(match path {
                "/voice" => answer(
                    "500 Oops",
                    "Content-Type: text/html; charset=utf-8\r\nX-Odd: \u{a0}x\r\n",
                    &format!(
                        "<!doctype html>\n<title>Oper\u{1b}[31mationalError</title>\n<p>שלום 🙂🙂🙂 \u{202e}\u{2028}{}</p>\n<pre>{}</pre>",
                        "wide ".repeat(60),
                        "x".repeat(300),
                    ),
                ),
                "/menu" => answer(
                    "200 OK",
                    "Content-Type: text/xml\r\nServer: x\r\n",
                    "<Response>\n  <Say>Tom & Jerry</Say>\n  <Redirect>/next?a=1&b=2</Redirect>\n</Response>",
                ),
                path if path.starts_with("/bom") || path.starts_with("/long-") => answer(
                    "200 OK",
                    "Content-Type: text/xml\r\n",
                    "\u{feff}<Response><Say>Hi</Say></Response>",
                ),
                "/watched" => answer("200 OK", "Content-Type: text/html\r\n", "<h1>Oops</h1>"),
                _ => twiml("Hello"),
            });
        }
    })
}

/// A route with a name far longer than a line.
fn long_path() -> String {
    "/long-name-of-a-route".repeat(9)
}

/// A path as unpleasant as a path can be.
fn odd_path() -> String {
    format!("/bom/{}/%1b%e2%80%ae", "a".repeat(150))
}

fn config(backend: &Backend, folder: &Path) -> PathBuf {
    let path = folder.join("config.toml");
    let text = format!(
        "upstream = \"http://{}\"\n\
         [[route]]\npath = \"/voice\"\n\
         [[route]]\npath = \"/menu\"\n\
         [[route]]\npath = \"/watched\"\nobserve = true\n\
         [[route]]\npath = \"{}\"\n",
        backend.address,
        long_path(),
    );
    fs::write(&path, text).unwrap();
    path
}

fn call(number: &str, sid: u8) -> String {
    format!(
        "CallSid=CA{sid:032x}&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing&From=%2B{}&To=%2B15550100999",
        number.trim_start_matches('+')
    )
}

/// A guard that records into a folder.
fn guard(backend: &Backend, folder: &Path) -> Running {
    let config = config(backend, folder);
    let state = folder.join("state");
    Running::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ops",
        "off",
        "--config",
        config.to_str().unwrap(),
        "--state-dir",
        state.to_str().unwrap(),
    ])
}

fn stop(mut guard: Running) {
    guard.signal("TERM");
    let (code, log) = guard.end();
    assert_eq!(code, Some(0), "{log}");
}

/// What a guard recorded that was stopped since.
struct Recorded {
    folder: TempDir,
}

impl Recorded {
    /// Read by many tests, changed by none.
    fn shared() -> &'static Self {
        static ONE: OnceLock<Recorded> = OnceLock::new();
        ONE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = backend();
        let mut guard = guard(&backend, folder.path());
        let to = guard.address();
        for _ in 0..3 {
            post(to, "/voice?token=hush", &call(FIRST, 1));
        }
        post(to, "/voice", &call(SECOND, 2));
        post(to, "/menu", &call(FIRST, 1));
        post(to, "/bom", &call(SECOND, 2));
        post(to, "/watched", &call(SECOND, 3));
        for _ in 0..2 {
            post(to, "/fine", &call(FIRST, 4));
        }
        post(to, &long_path(), &call(FIRST, 4));
        post(to, &odd_path(), &call(FIRST, 4));
        stop(guard);
        Self { folder }
    }

    fn state(&self) -> String {
        self.folder.path().join("state").to_str().unwrap().to_owned()
    }

    fn ask(&self, args: &[&str]) -> Output {
        let state = self.state();
        let (first, rest) = match args.first() {
            Some(word) if !word.starts_with('-') => args.split_at(1),
            _ => args.split_at(0),
        };
        run(&[&["incidents"], first, &["--state-dir", &state], rest].concat())
    }

    fn text(&self, args: &[&str]) -> String {
        let output = self.ask(args);
        assert_eq!(code(&output), Some(0), "{args:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{args:?}");
        stdout(&output)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[args, &["--json"]].concat())).unwrap()
    }

    /// The id of the latest incident under a filter.
    fn id(&self, filter: &[&str]) -> String {
        let found = self.json(&[&["--each"], filter].concat());
        found["incidents"][0]["id"].as_str().unwrap().to_owned()
    }
}

/// The causes of outbreaks, or of incidents.
fn causes(found: &Value, list: &str) -> Vec<String> {
    let all = found[list].as_array().unwrap();
    all.iter().map(|one| one["cause"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn open_outbreaks_are_listed_the_latest_on_top() {
    let recorded = Recorded::shared();
    let found = recorded.json(&[]);
    assert_eq!(
        causes(&found, "outbreaks"),
        ["byte-order-mark", "byte-order-mark", "html-page", "bare-ampersand", "html-page"]
    );
    let page = &found["outbreaks"][4];
    assert_eq!((&page["count"], &page["callers"]), (&4.into(), &2.into()));
    assert_eq!((&page["route"], &page["open"]), (&"/voice".into(), &true.into()));
    assert_eq!(found["outbreaks"][2]["observed"], 1);
    let text = recorded.text(&[]);
    let line =
        text.lines().find(|line| line.contains("/voice")).unwrap_or_else(|| panic!("{text}"));
    for part in ["11200", "html-page", " 4 ", " 2 ", "Z "] {
        assert!(line.contains(part), "{part}: {text}");
    }
    assert!(text.starts_with("5 open outbreaks"), "{text}");
    assert!(text.contains("fix: "), "{text}");
}

#[test]
fn the_json_of_an_outbreak_has_these_fields() {
    let found = Recorded::shared().json(&[]);
    let fields: Vec<_> = found["outbreaks"][0].as_object().unwrap().keys().cloned().collect();
    let mut known = [
        "id", "route", "cause", "codes", "explain", "remedy", "since", "last", "closed", "open",
        "reopened", "count", "callers", "observed", "summary",
    ];
    known.sort_unstable();
    assert_eq!(fields, known);
    readme_lists(&known);
}

#[test]
fn the_json_of_an_incident_has_these_fields() {
    let recorded = Recorded::shared();
    let found = recorded.json(&["--each"]);
    assert!(found["next"].is_null());
    let fields: Vec<_> = found["incidents"][0].as_object().unwrap().keys().cloned().collect();
    let mut known = [
        "id",
        "outbreak",
        "whole",
        "time",
        "time_ms",
        "route",
        "slot",
        "method",
        "path",
        "call_sid",
        "belief",
        "call_status",
        "signature",
        "summary",
        "outcome",
        "observe",
        "cause",
        "causes",
        "codes",
        "explain",
        "remedy",
        "upstream_ms",
        "budget_left_ms",
    ];
    known.sort_unstable();
    assert_eq!(fields, known);
    readme_lists(&known);
    // Where there are some.
    readme_lists(&["role", "parent", "stream"]);
    let shown = recorded.json(&["show", &recorded.id(&[])]);
    let record = shown["record"].as_object().unwrap();
    readme_lists(&record.keys().map(String::as_str).collect::<Vec<_>>());
}

/// What programs may rely on is written down.
fn readme_lists(fields: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).unwrap();
    for field in fields {
        assert!(readme.contains(&format!("`{field}`")), "README.md lacks the field {field}");
    }
}

#[test]
fn each_filter_takes_what_it_names() {
    let recorded = Recorded::shared();
    let each =
        |filter: &[&str]| causes(&recorded.json(&[&["--each"], filter].concat()), "incidents");
    assert_eq!(each(&[]).len(), 9);
    assert_eq!(each(&["--route", "/menu"]), ["bare-ampersand"]);
    assert_eq!(each(&["--cause", "byte-order-mark"]), ["byte-order-mark"; 3]);
    assert_eq!(each(&["--code", "11200"]).len(), 4);
    assert_eq!(each(&["--call", &format!("CA{:032x}", 3)]), ["html-page"]);
    assert_eq!(each(&["--number", FIRST]).len(), 6);
    assert_eq!(each(&["--number", "001 555-010-0123"]).len(), 6);
    assert_eq!(each(&["--number", "+15550100999"]).len(), 9);
    assert_eq!(each(&["--since", "1h"]).len(), 9);
    assert_eq!(each(&["--until", "1h"]).len(), 0);
    assert_eq!(each(&["--since", "2020-01-01", "--until", "2020-01-02T00:00Z"]).len(), 0);
    assert_eq!(each(&["--number", FIRST, "--route", "/voice"]).len(), 3);
    assert_eq!(each(&["--limit", "2"]).len(), 2);
    let outbreaks = |filter: &[&str]| causes(&recorded.json(filter), "outbreaks");
    assert_eq!(outbreaks(&["--cause", "server-error"]), ["html-page"]);
    assert_eq!(outbreaks(&["--limit", "1"]).len(), 1);
}

#[test]
fn pages_follow_one_another() {
    let recorded = Recorded::shared();
    let first = recorded.json(&["--each", "--limit", "3"]);
    let next = first["next"].as_str().unwrap();
    let rest = recorded.json(&["--each", "--before", next]);
    assert_eq!(rest["incidents"].as_array().unwrap().len(), 6);
    assert!(rest["next"].is_null());
    assert!(recorded.text(&["--each", "--limit", "3"]).contains(next));
}

#[test]
fn one_caller_is_shown_with_every_incident() {
    let recorded = Recorded::shared();
    let found = recorded.json(&["--number", SECOND]);
    assert_eq!(causes(&found, "outbreaks").len(), 3);
    assert_eq!(causes(&found, "incidents"), ["html-page", "byte-order-mark", "html-page"]);
    let text = recorded.text(&["--number", SECOND]);
    assert!(text.contains("would replace") && text.contains("POST /bom"), "{text}");
    assert!(!text.contains("15550100"), "{text}");
}

#[test]
fn nothing_to_show_is_a_sentence_or_an_empty_list() {
    let recorded = Recorded::shared();
    let sentence = recorded.text(&["--code", "99999"]);
    assert!(sentence.starts_with("No outbreak is open") && sentence.ends_with(".\n"), "{sentence}");
    let empty = recorded.json(&["--code", "99999"]);
    assert_eq!(empty, serde_json::json!({ "outbreaks": [] }));
    let near = recorded.text(&["--cause", "html-pge"]);
    assert!(near.contains("did you mean `html-page`?"), "{near}");
    let route = recorded.text(&["--route", "voice"]);
    assert!(route.contains("`/voice`"), "{route}");
}

#[test]
fn the_whole_story_is_on_one_page() {
    let recorded = Recorded::shared();
    let id = recorded.id(&["--route", "/menu"]);
    let page = recorded.text(&["show", &id]);
    let mut lines = page.lines();
    assert!(lines.next().unwrap().starts_with("repaired: a bare `&`"), "{page}");
    assert!(lines.next().unwrap().starts_with("fix: "), "{page}");
    assert!(lines.next().unwrap().starts_with("in:  "), "{page}");
    assert!(
        lines.next().unwrap().starts_with("who: 12100 averted: POST /menu (voice, by"),
        "{page}"
    );
    for part in [
        id.as_str(),
        "Twilio    12100",
        "role      voice (inferred)",
        "ringing",
        "signature unchecked",
        "request came: POST /menu",
        "first byte: 200 text/xml",
        "answer complete",
        "delivered the repaired document",
        "left of the budget",
        "From        +1555…0123  (masked)",
        "<Say>Tom &{+amp;+} Jerry</Say>",
        "/next?a=1&{+amp;+}b=2",
        "~ content-type: text/xml -> text/xml; charset=utf-8",
        "The same call",
        "POST /voice",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let at = page.lines().position(|line| line.contains("| ") && line.contains("Tom & Jerry"));
    let lines: Vec<_> = page.lines().collect();
    let at = at.unwrap_or_else(|| panic!("{page}"));
    let mark = lines[at + 1].find('^').unwrap_or_else(|| panic!("{page}"));
    assert_eq!(lines[at].as_bytes()[mark], b'&', "{page}");
}

#[test]
fn a_replaced_answer_stands_above_its_fallback() {
    let recorded = Recorded::shared();
    let page = recorded.text(&["show", &recorded.id(&["--route", "/voice"])]);
    assert!(page.starts_with("replaced: a web page instead of TwiML"), "{page}");
    let answer = page.find("<!doctype html>").unwrap();
    let fallback = page.rfind("<Say").unwrap();
    assert!(answer < fallback, "{page}");
    assert!(page.contains("~ status: 500 -> 200"), "{page}");
    assert!(page.contains("no other exchange") || page.contains("The same call"), "{page}");
    let full = recorded.text(&["show", &recorded.id(&["--route", "/voice"]), "--full"]);
    assert!(full.len() >= page.len());
}

#[test]
fn observing_shows_what_would_have_been_delivered() {
    let recorded = Recorded::shared();
    let page = recorded.text(&["show", &recorded.id(&["--route", "/watched"])]);
    assert!(page.starts_with("would replace: "), "{page}");
    assert!(page.contains("enforcing would have delivered fallback `voice`"), "{page}");
    assert!(page.contains("Would have been delivered: fallback `voice`"), "{page}");
}

#[test]
fn a_beginning_is_enough_where_it_is_one_incident() {
    let recorded = Recorded::shared();
    let id = recorded.id(&["--route", "/menu"]);
    let listed = recorded.text(&[]);
    let short = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|word| id.starts_with(word));
    let short = short.unwrap_or_else(|| panic!("{listed}"));
    assert!(recorded.text(&["show", short]).contains(&id));
    assert!(recorded.text(&["show", &id.replace('-', "")]).contains(&id));
    let ambiguous = recorded.ask(&["show", &id[..4]]);
    assert_eq!(code(&ambiguous), Some(2));
    assert!(stderr(&ambiguous).contains(&id), "{}", stderr(&ambiguous));
    for wrong in ["ffffffff", "abc", "x".repeat(36).as_str()] {
        let output = recorded.ask(&["show", wrong]);
        assert_eq!(code(&output), Some(2), "{wrong}");
        assert!(stderr(&output).contains("expected"), "{}", stderr(&output));
    }
}

/// A call in which several things were wrong.
#[test]
fn one_call_is_told_step_by_step_and_ends_in_who_is_to_blame() {
    let recorded = Recorded::shared();
    let sid = format!("CA{:032x}", 1);
    let page = recorded.text(&["call", &sid]);
    let mut lines = page.lines();
    assert!(lines.next().unwrap().starts_with(&format!("{sid}: 4 steps, 4 incidents, since ")));
    assert!(lines.next().unwrap().starts_with("No guard runs: "), "{page}");
    assert!(
        page.contains("\n   +0.0 s  POST /voice (voice, inferred), ringing: 500; replaced"),
        "{page}"
    );
    let order: Vec<_> = ["s  POST /voice ", "s  POST /menu ", "\ntime (UTC)", "\nto blame: "]
        .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}: {page}")))
        .to_vec();
    assert!(order.is_sorted(), "{order:?} {page}");
    assert!(page.contains("\nto blame: 11200 averted: POST /voice ("), "{page}");
    let story = recorded.json(&["call", &sid]);
    assert_eq!((&story["live"], &story["sid"]), (&false.into(), &sid.as_str().into()));
    assert_eq!(story["steps"].as_array().unwrap().len(), 4);
    assert_eq!(story["summary"], story["incidents"][0]["summary"]);
    let fields: Vec<_> = story.as_object().unwrap().keys().map(String::as_str).collect();
    readme_lists(&fields);
    let step: Vec<_> = story["steps"][0].as_object().unwrap().keys().map(String::as_str).collect();
    readme_lists(&step);
}

#[test]
fn a_piece_of_a_sid_is_enough_where_one_call_has_it() {
    let recorded = Recorded::shared();
    let sid = format!("CA{:032x}", 3);
    for piece in ["0003", "CA…0003", &sid[20..], &format!(" {sid} ")] {
        let page = recorded.text(&["call", piece]);
        assert!(page.starts_with(&sid), "{piece}: {page}");
    }
    let several = recorded.ask(&["call", "CA00"]);
    assert_eq!(code(&several), Some(2));
    assert!(stderr(&several).contains(&sid), "{}", stderr(&several));
    let unknown = recorded.ask(&["call", "CAffffffff"]);
    assert_eq!(code(&unknown), Some(1));
    let complaint = stderr(&unknown);
    assert!(
        complaint.contains("no guard runs") && complaint.contains("`CAffffffff`"),
        "{complaint}"
    );
    assert_eq!(code(&recorded.ask(&["call", "CA1"])), Some(2));
    let copied = PathBuf::from(recorded.state()).join("incidents.db");
    let output = run(&["incidents", "call", "0003", "--db", copied.to_str().unwrap()]);
    assert!(stdout(&output).starts_with(&sid) && !stdout(&output).contains("No guard runs"));
}

#[test]
fn a_running_guard_is_asked_for_the_call_too() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend();
    let mut running = guard(&backend, folder.path());
    let to = running.address();
    post(to, "/menu", &call(FIRST, 1));
    let recorded = Recorded { folder };
    let sid = format!("CA{:032x}", 1);
    let start = Instant::now();
    let story = loop {
        let output = recorded.ask(&["call", &sid, "--json"]);
        if code(&output) == Some(0) {
            break serde_json::from_slice::<Value>(&output.stdout).unwrap();
        }
        let complaint = stderr(&output);
        assert!(complaint.contains("nor the running guard knows"), "{complaint}");
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!((&story["live"], &story["steps"][0]["path"]), (&true.into(), &"/menu".into()));
    stop(running);
}

#[test]
fn statistics_count_every_answer() {
    let recorded = Recorded::shared();
    let stats = recorded.json(&["stats", "--since", "1h"]);
    assert_eq!(stats["total"]["answers"], 11);
    assert_eq!(stats["total"]["untouched"], 2);
    assert_eq!(stats["total"]["would_have"], 1);
    let voice = stats["routes"].as_array().unwrap().iter().find(|own| own["route"] == "/voice");
    let voice = voice.unwrap();
    assert_eq!((&voice["answers"], &voice["replaced"]), (&4.into(), &4.into()));
    assert!(voice["p50_ms"].as_u64().unwrap() <= voice["p99_ms"].as_u64().unwrap());
    let first = &stats["causes"][0];
    assert_eq!((&first["cause"], &first["count"]), (&"html-page".into(), &4.into()));
    let counts: u64 = first["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counts, 4);
    let text = recorded.text(&["stats"]);
    assert!(text.contains("enforcing would have saved 1 answer."), "{text}");
    assert!(text.contains('█'), "{text}");
    let one = recorded.json(&["stats", "--route", "/menu"]);
    assert_eq!((&one["total"]["answers"], &one["total"]["repaired"]), (&1.into(), &1.into()));
    let known: Vec<_> = stats["total"].as_object().unwrap().keys().cloned().collect();
    readme_lists(&known.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(recorded.text(&["stats", "--route", "/none"]).starts_with("No answer is on record"));
}

#[test]
fn no_line_is_wider_than_100_columns_and_none_is_forged() {
    let recorded = Recorded::shared();
    let all = recorded.json(&["--each"]);
    let mut pages = vec![
        recorded.text(&[]),
        recorded.text(&["--all"]),
        recorded.text(&["--each"]),
        recorded.text(&["--number", FIRST]),
        recorded.text(&["stats"]),
    ];
    for sid in 1..=4_u8 {
        pages.push(recorded.text(&["call", &format!("CA{sid:032x}")]));
    }
    for incident in all["incidents"].as_array().unwrap() {
        let id = incident["id"].as_str().unwrap();
        pages.push(recorded.text(&["show", id]));
        pages.push(recorded.text(&["show", id, "--full"]));
    }
    for page in pages {
        for line in page.lines() {
            assert!(line.width() <= 100, "{} columns: {line}\n{page}", line.width());
        }
        let steers =
            |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{2029}".contains(c));
        assert!(!page.contains(steers), "{page:?}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let recorded = Recorded::shared();
    let state = recorded.state();
    let mut forced = command(&["incidents", "--state-dir", &state]);
    let output = forced.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(stdout(&output).contains('\u{1b}'));
    let output = forced.env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1").output().unwrap();
    assert!(!stdout(&output).contains('\u{1b}'));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let state = Recorded::shared().state();
    for args in [&["incidents"][..], &["incidents", "stats"], &["incidents", "tail", "-n", "5"]] {
        let args = [args, &["--state-dir", &state]].concat();
        let mut child =
            command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), Some(0), "{args:?} {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}

#[test]
fn a_copied_file_is_read_alone_and_by_number_with_its_key() {
    let recorded = Recorded::shared();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copied.db");
    let state = PathBuf::from(recorded.state());
    fs::copy(state.join("incidents.db"), &copy).unwrap();
    let copy = copy.to_str().unwrap();
    let output = run(&["incidents", "--db", copy, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["outbreaks"].as_array().unwrap().len(), 5);
    let output = run(&["incidents", "--db", copy, "--number", FIRST]);
    assert_eq!(code(&output), Some(69));
    assert!(stderr(&output).contains("`key` beside the store"), "{}", stderr(&output));
    fs::copy(state.join("key"), folder.path().join("key")).unwrap();
    let output = run(&["incidents", "--db", copy, "--number", FIRST, "--each", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["incidents"].as_array().unwrap().len(), 6, "{}", stderr(&output));
    let both = run(&["incidents", "--db", copy, "--state-dir", "x"]);
    assert_eq!(code(&both), Some(2));
}

#[test]
fn a_store_that_can_not_be_used_is_told_with_69() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("incidents.db");
    let state = folder.path().to_str().unwrap();
    let fails = |says: &str| {
        for command in [&["incidents"][..], &["incidents", "show", "0123"], &["incidents", "stats"]]
        {
            let output = run(&[command, &["--state-dir", state]].concat());
            assert_eq!(code(&output), Some(69), "{command:?}: {}", stderr(&output));
            assert!(stderr(&output).contains(says), "{command:?}: {}", stderr(&output));
        }
    };
    fails("found none");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE t(x)").unwrap();
    fails("another database");
    db.execute_batch("PRAGMA application_id = 0x74776764; PRAGMA user_version = 9999").unwrap();
    fails("9999");
    drop(db);
    fs::write(&path, "no database at all, but long enough to be taken for one").unwrap();
    fails("damaged");
}

#[test]
fn a_broken_configuration_keeps_nobody_from_reading() {
    let recorded = Recorded::shared();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, format!("lissten = 1\nstate_dir = \"{}\"\n[[route", recorded.state()))
        .unwrap();
    let config = config.to_str().unwrap();
    let output = run(&["incidents", "--config", config]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("warning: "), "{}", stderr(&output));
    assert!(stdout(&output).contains("/voice"), "{}", stdout(&output));
    let output = command(&["incidents"]).env("TWIML_GUARD_STATE_DIR", recorded.state()).output();
    assert!(stdout(&output.unwrap()).contains("/voice"));
}

#[test]
fn what_is_typed_wrong_is_usage() {
    let recorded = Recorded::shared();
    for wrong in [
        &["--since", "yesterday"][..],
        &["--call", "CA…cdef"],
        &["--number", "+1555…0123"],
        &["--number", ""],
        &["--code", "abc"],
        &["--limit", "0"],
        &["--before", "0123"],
        &["no-such-command"],
    ] {
        assert_eq!(code(&recorded.ask(wrong)), Some(2), "{wrong:?}");
    }
}

/// Reads lines as they come.
struct Lines(std::io::Lines<BufReader<std::process::ChildStdout>>);

impl Lines {
    fn of(running: &mut Running) -> Self {
        Self(BufReader::new(running.child.stdout.take().unwrap()).lines())
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.0.next().unwrap().unwrap()).unwrap()
    }
}

#[test]
fn new_incidents_are_followed_and_a_new_store_too() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut tail = Running::start(&[
        "incidents",
        "tail",
        "--json",
        "--cause",
        "bare-ampersand",
        "--state-dir",
        state.to_str().unwrap(),
    ]);
    let mut lines = Lines::of(&mut tail);
    // There is no store yet: it is waited for.
    let backend = backend();
    let mut first = guard(&backend, folder.path());
    let to = first.address();
    post(to, "/voice", &call(FIRST, 1));
    post(to, "/menu", &call(FIRST, 1));
    assert_eq!(lines.next()["route"], "/menu");
    post(to, "/menu", &call(FIRST, 2));
    assert_eq!(lines.next()["call_sid"], format!("CA{:032x}", 2));
    stop(first);
    // Moved away and back: nothing is told twice.
    let moved = folder.path().join("away");
    fs::rename(&state, &moved).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    fs::rename(&moved, &state).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    // Moved away, and made anew.
    fs::rename(&state, folder.path().join("moved")).unwrap();
    let mut second = guard(&backend, folder.path());
    let to = second.address();
    post(to, "/menu", &call(FIRST, 3));
    assert_eq!(lines.next()["call_sid"], format!("CA{:032x}", 3));
    tail.signal("INT");
    let (code, complaints) = tail.end();
    assert_eq!(code, Some(0), "{complaints}");
    assert!(complaints.contains("waiting: expected a store"), "{complaints}");
    stop(second);
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let state = Recorded::shared().state();
    let mut tail = Running::start(&["incidents", "tail", "-n", "2", "--state-dir", &state]);
    let mut lines = BufReader::new(tail.child.stdout.take().unwrap()).lines();
    // The head, then the latest two, each with the line that blames under it.
    assert!(lines.next().unwrap().unwrap().starts_with("time"));
    assert!(lines.next().unwrap().unwrap().contains(" byte-order-mark "));
    assert!(lines.next().unwrap().unwrap().starts_with("  12100 averted: POST"));
    assert!(lines.any(|line| line.unwrap().contains(" byte-order-mark ")));
    drop(lines);
    let (code, complaints) = tail.end();
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
}

#[test]
fn one_number_is_forgotten_and_nobody_else() {
    let recorded = Recorded::new();
    let unasked = recorded.ask(&["forget", "--number", FIRST]);
    assert_eq!(code(&unasked), Some(2));
    assert!(stderr(&unasked).contains("--yes"), "{}", stderr(&unasked));
    assert_eq!(recorded.json(&["--each"])["incidents"].as_array().unwrap().len(), 9);
    let told = recorded.text(&["forget", "--number", FIRST, "--yes"]);
    assert!(told.starts_with("6 incidents deleted."), "{told}");
    assert_eq!(recorded.json(&["forget", "--number", FIRST, "--yes"])["forgotten"], 0);
    assert_eq!(recorded.json(&["--each"])["incidents"].as_array().unwrap().len(), 3);
    // The incident that opened the outbreak is gone; the outbreak still leads to one.
    let found = recorded.json(&["--route", "/voice"]);
    let id = found["outbreaks"][0]["id"].as_str().unwrap();
    assert!(recorded.text(&["show", id]).contains("POST /voice"));
}

#[test]
fn only_a_short_row_leads_to_the_nearest_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend();
    let mut running = guard(&backend, folder.path());
    let to = running.address();
    for _ in 0..8 {
        post(to, "/menu", &call(FIRST, 1));
    }
    stop(running);
    let recorded = Recorded { folder };
    let each = recorded.json(&["--each"]);
    let each = each["incidents"].as_array().unwrap();
    assert_eq!((&each[0]["whole"], &each[3]["whole"]), (&false.into(), &true.into()));
    let id = each[0]["id"].as_str().unwrap();
    let nearest = each[3]["id"].as_str().unwrap();
    let page = recorded.text(&["show", id]);
    assert!(page.contains("Only this much was kept") && page.contains(nearest), "{page}");
    let shown = recorded.json(&["show", id]);
    assert_eq!(shown["nearest_whole"], nearest);
    assert!(shown.get("record").is_none());
}

#[test]
fn a_record_that_can_not_be_read_hides_the_rest_from_nobody() {
    let recorded = Recorded::new();
    let db = rusqlite::Connection::open(PathBuf::from(recorded.state()).join("incidents.db"));
    db.unwrap().execute("UPDATE record SET json = x'00'", []).unwrap();
    let id = recorded.id(&["--route", "/menu"]);
    let page = recorded.text(&["show", &id]);
    assert!(page.starts_with("repaired: a bare `&`"), "{page}");
    assert!(page.contains("The whole record can't be shown: "), "{page}");
    assert!(recorded.json(&["show", &id]).get("record").is_none());
}

#[test]
fn a_running_guard_is_read_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend();
    let mut running = guard(&backend, folder.path());
    let to = running.address();
    post(to, "/menu", &call(FIRST, 1));
    let recorded = Recorded { folder };
    let start = Instant::now();
    while recorded.ask(&["--json"]).stdout.is_empty()
        || recorded.json(&["--each"])["incidents"].as_array().unwrap().is_empty()
    {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    stop(running);
}
