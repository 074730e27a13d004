//! What people paste, and what `explain` says of it: the samples in `tests/explain`.
//!
//! `NAME.paste` is fed to the command; `NAME.expect` has one claim a line: `exit: 1`, `first:` (the
//! first line begins so), `says:` and `not:` (anywhere in the report), `json: POINTER VALUE`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use twiml_guard::guard::Policy;
use twiml_guard::guard::explain::{Asked, explain, paste};

use crate::support::binary::{code, fed, run, stderr, stdout};

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "paste"))
        .collect();
    found.sort();
    found
}

/// What a claim misses; `None` if it holds.
fn missed(claim: &str, exit: Option<i32>, report: &str, object: &Value) -> Option<String> {
    let (what, value) = claim.split_once(": ").unwrap_or((claim, ""));
    let holds = match what {
        "exit" => exit.map(|exit| exit.to_string()).as_deref() == Some(value),
        "first" => report.lines().next().is_some_and(|line| line.starts_with(value)),
        "says" => report.contains(value),
        "not" => !report.contains(value),
        "json" => {
            let (pointer, expected) = value.split_once(' ').unwrap();
            let expected: Value = serde_json::from_str(expected).unwrap();
            object.pointer(pointer) == Some(&expected)
        }
        other => panic!("no claim is called `{other}`"),
    };
    (!holds).then(|| claim.to_owned())
}

#[test]
fn every_sample_is_explained_as_expected() {
    let samples = samples();
    assert!(samples.len() >= 50, "{} samples", samples.len());
    let mut broken = Vec::new();
    for path in samples {
        let paste = fs::read(&path).unwrap();
        let claims = fs::read_to_string(path.with_extension("expect")).unwrap();
        let told = fed(&["explain"], &paste);
        let (report, exit) = (stdout(&told), code(&told));
        let counted = fed(&["explain", "--json"], &paste);
        let object: Value = serde_json::from_slice(&counted.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", path.display(), stderr(&counted)));
        assert_eq!(code(&counted), exit, "{}", path.display());
        assert_eq!(object["found"], exit == Some(1), "{}", path.display());
        assert!(!report.contains('\u{1b}'), "{}: colours in a pipe", path.display());
        assert!(claims.lines().count() > 0, "{} claims nothing", path.display());
        for claim in claims.lines() {
            if let Some(claim) = missed(claim, exit, &report, &object) {
                broken.push(format!("{}: {claim}\n{report}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n---\n"));
}

#[test]
fn the_help_names_every_field_of_the_json() {
    let help = stdout(&run(&["explain", "--help"]));
    let object: Value =
        serde_json::from_slice(&fed(&["explain", "--json"], b"<Response/>").stdout).unwrap();
    let listed = help.split_once("--json prints one object:").unwrap().1;
    let named: BTreeSet<&str> = listed
        .lines()
        .filter(|line| line.starts_with("  ") && line.len() > 18)
        .flat_map(|line| line[..18].split([' ', ',']))
        .filter(|word| !word.is_empty())
        .collect();
    let given: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(named, given);
}

#[test]
fn garbage_and_huge_pastes_are_explained_too() {
    let huge = b"{\"error_code\":".repeat(100_000);
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let line = [&b"HTTP/1.1 200 OK\nX: "[..], &vec![b'a'; 4_000_000]].concat();
    let noise: Vec<u8> =
        (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for paste in [huge, deep, line, noise] {
        let output = fed(&["explain"], &paste);
        assert_eq!(code(&output), Some(1), "{}", stderr(&output));
        assert!(!stdout(&output).trim().is_empty());
    }
}

#[test]
fn a_url_that_is_none_is_usage() {
    let output = fed(&["explain", "--url", "/voice"], b"<Response/>");
    assert_eq!(code(&output), Some(2));
    assert!(stderr(&output).contains("expected a whole URL"), "{}", stderr(&output));
}

#[test]
fn spoilt_samples_are_explained_without_a_panic() {
    let mut state = 0x2545_f491_u32;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % limit.max(1)
    };
    for path in samples() {
        let sample = fs::read(&path).unwrap();
        for round in 0..60 {
            let mut spoilt = sample.clone();
            let (from, to) = (below(spoilt.len()), below(spoilt.len()));
            match round % 4 {
                0 => spoilt.truncate(from),
                1 => spoilt[from] = !spoilt[from],
                2 => drop(spoilt.drain(from.min(to)..from.max(to))),
                _ => spoilt.extend_from_within(from.min(to)..from.max(to)),
            }
            let paste = paste::read(&spoilt);
            let asked = Asked::of(&paste, None, None).unwrap();
            let told = explain(&paste, &asked, &Policy::default());
            assert!(!told.sentence.trim().is_empty(), "{}, round {round}", path.display());
        }
    }
}
