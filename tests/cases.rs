//! Runs `tests/cases/<cause>/<claim>.case`; `tests/cases/README.md` tells how they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use twiml_guard::guard::{CAUSES, Delivery, Judgement, judge};

use crate::kit::contract::{self, Left};
use crate::kit::{case, show, witness};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// Every case, by cause and claim.
fn all() -> Vec<(String, String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert_eq!(
                path.file_name().unwrap(),
                "README.md",
                "cases belong into a cause's folder"
            );
            continue;
        }
        let cause = path.file_name().unwrap().to_string_lossy().into_owned();
        for file in fs::read_dir(&path).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(file.extension().unwrap(), "case", "{}", file.display());
            let claim = file.file_stem().unwrap().to_string_lossy().into_owned();
            found.push((cause.clone(), claim, file));
        }
    }
    found.sort();
    found
}

fn updating() -> bool {
    std::env::var_os("TWIML_GUARD_UPDATE_CASES").is_some_and(|value| value == "1")
}

fn enforced(judgement: &Judgement) -> &Delivery {
    judgement.withheld.as_ref().unwrap_or(&judgement.delivery)
}

#[test]
fn every_case_is_judged_as_written() {
    let mut broken = Vec::new();
    let mut documents = Vec::new();
    for (cause, claim, path) in all() {
        let name = format!("{cause}/{claim}");
        let case = match case::read(&path) {
            Ok(case) => case,
            Err(why) => {
                broken.push(format!("{name}: {why}"));
                continue;
            }
        };
        let judgement = judge(&case.exchange, &case.policy);
        let shown = show::shown(&case.exchange, &case.policy, &judgement);
        if shown != case.expected {
            if updating() {
                fs::write(&path, format!("{}{shown}", case.given)).unwrap();
            } else {
                broken.push(format!("{name}: expected\n{}\nfound\n{shown}", case.expected));
            }
        }
        match contract::hold(&case.exchange, &case.policy, &judgement) {
            Ok(Left::Twiml) => {
                let delivery = enforced(&judgement);
                let content_type = delivery.headers["content-type"].to_str().unwrap().to_owned();
                let body = delivery.body.to_vec();
                documents.push(witness::Document { name, content_type, body });
            }
            Ok(Left::Other | Left::Refusal) => {}
            Err(why) => broken.push(format!("{name}: {why}")),
        }
    }
    assert!(documents.len() > 100, "only {} deliveries of TwiML", documents.len());
    if let Err(why) = witness::ask(&documents) {
        broken.push(why);
    }
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n\n"));
}

#[test]
fn every_cause_has_a_case_that_fires_and_one_that_stays_silent() {
    let mut fires: BTreeMap<String, usize> = BTreeMap::new();
    let mut silent = BTreeSet::new();
    let mut broken = Vec::new();
    let known: BTreeSet<&str> = CAUSES.iter().map(|cause| cause.slug).collect();
    for (cause, claim, path) in all() {
        if !known.contains(cause.as_str()) {
            broken.push(format!("{cause}/{claim}: no such cause"));
            continue;
        }
        let Ok(case) = case::read(&path) else { continue };
        let judgement = judge(&case.exchange, &case.policy);
        let found: BTreeSet<&str> = judgement.findings.iter().map(|f| f.cause.slug).collect();
        for slug in &found {
            *fires.entry((*slug).to_owned()).or_default() += 1;
        }
        for slug in &case.silent {
            if !known.contains(slug.as_str()) {
                broken.push(format!("{cause}/{claim}: `silent: {slug}` names no cause"));
            } else if found.contains(slug.as_str()) {
                broken.push(format!("{cause}/{claim}: {slug} does not stay silent"));
            }
            silent.insert(slug.clone());
        }
        if !found.contains(cause.as_str()) && !case.silent.contains(&cause) {
            broken.push(format!("{cause}/{claim}: neither fires nor says `silent: {cause}`"));
        }
    }
    for slug in known {
        if !fires.contains_key(slug) {
            broken.push(format!("{slug}: no case fires"));
        }
        if !silent.contains(slug) {
            broken.push(format!("{slug}: no case says `silent: {slug}`"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn cases_are_many_and_no_two_are_the_same() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (cause, claim, path) in all() {
        let Ok(case) = case::read(&path) else { continue };
        let given: String = case
            .given
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("silent:"))
            .collect();
        if let Some(other) = seen.insert(given, format!("{cause}/{claim}")) {
            panic!("{cause}/{claim} gives the judge the same as {other}");
        }
    }
    assert!(seen.len() >= 170, "{} cases", seen.len());
}
