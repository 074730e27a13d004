//! The tests that `incidents export --as pytest` writes, held against every case: an answer that
//! the judge leaves alone passes them, one that it does not fails them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use twiml_guard::guard::call::Authenticity;
use twiml_guard::guard::policy::{PlainText, Repairs};
use twiml_guard::guard::twiml::grammar;
use twiml_guard::guard::{
    AttemptReason, BodyEnd, Exchange, Judgement, Oddities, Outcome, Verdict, judge,
};
use twiml_guard::twilio::Slot;

use crate::kit::{case, witness};

/// Cases in which plain Python does not see what the judge sees.
const UNSEEN: [&str; 15] = [
    "charset-doubled/hebrew-read-as-western.case",
    "charset-doubled/single-sequence-within-a-word.case",
    "declaration-untrue/version-1-1-with-a-bracket-before-the-end-of-cdata.case",
    "declaration-untrue/version-1-1-with-a-control-character.case",
    "declaration-untrue/version-1-1-with-an-instruction-at-the-edge-of-a-buffer.case",
    "name-prefixed/schema-without-declaration.case",
    "not-well-formed/name-longer-than-parsers-take.case",
    "not-well-formed/namespace-name-written-with-a-reference.case",
    "not-well-formed/prefix-that-is-no-name.case",
    "prose/not-a-greeting-with-a-gap.case",
    "prose/not-an-apology-of-a-framework.case",
    "unauthorized/challenge-after-credentials.case",
    "wrapped-encoded/packed-within.case",
    "wrapped-encoded/slice.case",
    "wrapped-encoded/twice.case",
];

#[test]
fn exported_tests_tell_good_answers_from_bad_ones() {
    let mut lines = String::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for cause in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if !cause.is_dir() {
            continue;
        }
        for file in fs::read_dir(&cause).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(case) = case::read(&file) else { continue };
            let Outcome::Answered(answer) = &case.exchange.outcome else { continue };
            let is_plain = answer.end == BodyEnd::Complete
                && answer.odd == Oddities::default()
                && case.exchange.attempts.iter().all(|a| a.reason == AttemptReason::First)
                && case.policy.repairs == Repairs::All
                && case.policy.plain_text == PlainText::Pass;
            if !is_plain {
                continue;
            }
            let judgement = judge(&case.exchange, &case.policy);
            if is_left_out(&case.exchange, &judgement) {
                continue;
            }
            let headers: Vec<_> = answer
                .headers
                .iter()
                .map(|(name, value)| {
                    (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()))
                })
                .collect();
            let origin = case.policy.public_origin.clone().unwrap_or_else(|| {
                let host = case.exchange.request.host.as_deref().unwrap_or("localhost");
                format!("https://{host}")
            });
            let entry = serde_json::json!({
                "name": file.strip_prefix(cause.parent().unwrap()).unwrap().display().to_string(),
                "slot": case.exchange.slot.name(),
                "grammar": {
                    "elements": grammar::rules().iter().map(|rule| rule.name).collect::<Vec<_>>(),
                    "attributes": grammar::rules().iter().flat_map(|rule| rule.attributes).collect::<Vec<_>>(),
                },
                "url": format!("{origin}{}", case.exchange.request.target),
                "target": case.exchange.request.target,
                "body": String::from_utf8_lossy(&case.exchange.request.body),
                "status": answer.status.as_u16(),
                "headers": headers,
                "body_base64": witness::base64(&answer.body),
                "is_good": is_good(&judgement),
                "causes": judgement.findings.iter().map(|f| f.cause.slug).collect::<Vec<_>>(),
            });
            writeln!(lines, "{entry}").unwrap();
        }
    }
    assert!(lines.lines().count() > 250, "{} cases", lines.lines().count());
    witness::run("tests/oracle/exported.py", &UNSEEN, lines).unwrap();
}

/// What `incidents export` leaves out, and what makes no incident: a refusal of what Twilio never
/// signed.
fn is_left_out(exchange: &Exchange, judgement: &Judgement) -> bool {
    let is_unsigned =
        matches!(exchange.call.signature, Authenticity::Forged | Authenticity::Unsigned);
    exchange.slot == Slot::Stream
        || judgement.findings.first().is_some_and(|f| f.cause.slug == "callback-slow")
        || is_unsigned && judgement.verdict == Verdict::Untouched
}

fn is_good(judgement: &Judgement) -> bool {
    judgement.verdict == Verdict::Untouched
}
