//! Reads the source tree and holds the structure: who may use whom, how long files get.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, tests at its foot not counted.
const MAX_LINES: usize = 400;

/// Per module: modules of this crate that it never uses, and crates that it never uses.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (
        "guard",
        &[
            "admin",
            "calls",
            "cli",
            "clock",
            "config",
            "incidents",
            "probe",
            "proxy",
            "shutdown",
            "telemetry",
        ],
        &["anyhow", "clap", "hyper", "hyper_util", "prometheus", "socket2", "tokio", "tracing"],
    ),
    (
        "twilio",
        &[
            "admin",
            "calls",
            "cli",
            "clock",
            "config",
            "guard",
            "incidents",
            "probe",
            "proxy",
            "shutdown",
            "telemetry",
        ],
        &[
            "anyhow",
            "clap",
            "hyper",
            "hyper_util",
            "prometheus",
            "quick_xml",
            "serde",
            "socket2",
            "tokio",
            "tracing",
        ],
    ),
    ("config", &["admin", "calls", "cli", "incidents", "probe", "proxy"], &["hyper", "tokio"]),
    ("calls", &["admin", "cli", "probe", "proxy"], &["hyper"]),
    ("proxy", &["admin", "cli", "probe"], &["anyhow", "clap"]),
    ("incidents", &["admin", "calls", "cli", "probe", "proxy"], &["anyhow", "clap", "hyper"]),
    ("admin", &["calls", "cli", "guard", "probe", "proxy", "twilio"], &["anyhow", "clap"]),
    (
        "probe",
        &["admin", "calls", "cli", "config", "incidents", "proxy", "telemetry"],
        &["anyhow", "clap"],
    ),
    (
        "telemetry",
        &["admin", "calls", "cli", "config", "guard", "incidents", "probe", "proxy", "twilio"],
        &["clap", "hyper"],
    ),
    (
        "unix_socket",
        &["admin", "calls", "cli", "config", "guard", "incidents", "probe", "proxy", "twilio"],
        &["clap", "hyper"],
    ),
    (
        "clock",
        &["admin", "calls", "cli", "config", "guard", "incidents", "probe", "proxy", "twilio"],
        &["clap", "hyper"],
    ),
    (
        "shutdown",
        &["admin", "calls", "cli", "config", "guard", "incidents", "probe", "proxy", "twilio"],
        &["clap", "hyper"],
    ),
];

fn sources(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code above the tests at a file's foot, comments left out.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The module at the top level that a file belongs to.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(src()).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_use_only_what_they_may() {
    let mut broken = Vec::new();
    for path in sources(&src()) {
        let module = module(&path);
        let Some((_, modules, crates)) = RULES.iter().find(|(name, ..)| *name == module) else {
            continue;
        };
        let code = code(&fs::read_to_string(&path).unwrap());
        for other in *modules {
            if code.contains(&format!("crate::{other}::"))
                || code.contains(&format!("crate::{other};"))
                || code.contains(&format!("crate::{other},"))
            {
                broken.push(format!("{} uses crate::{other}", path.display()));
            }
        }
        for other in *crates {
            let used = |mark: &str| {
                code.match_indices(mark)
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            };
            if used(&format!("{other}::")) || used(&format!("use {other};")) {
                broken.push(format!("{} uses the crate {other}", path.display()));
            }
        }
        if code.contains("use crate::{") {
            broken.push(format!("{} imports several modules in one `use`: one line each, so that this test sees them", path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_has_a_rule() {
    for path in sources(&src()) {
        let module = module(&path);
        let known = matches!(module.as_str(), "lib" | "main" | "cli")
            || RULES.iter().any(|(name, ..)| *name == module);
        assert!(known, "{} belongs to no module of the design", path.display());
    }
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = sources(&src())
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            let lines = text[..end].lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn every_cause_has_its_own_file_and_every_file_its_cause() {
    let folder = src().join("guard/causes");
    let files: Vec<String> = sources(&folder)
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().replace('_', "-"))
        .collect();
    assert_eq!(files.len(), twiml_guard::guard::CAUSES.len());
    for cause in twiml_guard::guard::CAUSES {
        assert!(files.iter().any(|file| file == cause.slug), "{} has no file", cause.slug);
    }
}
