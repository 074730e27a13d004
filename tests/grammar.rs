//! Grammar and links: every code that a document alone can bring has a cause, and nothing that
//! Twilio's SDK makes of valid values is warned about.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use twiml_guard::guard::causes::Stage;
use twiml_guard::guard::link::is_url;
use twiml_guard::guard::twiml::grammar::{self, Family};
use twiml_guard::guard::twiml::values::{self, Kind};
use twiml_guard::guard::{BodyEnd, CAUSES, judge};
use twiml_guard::twilio::{Slot, codes};

use crate::kit::ask::{exchange, policy, typed};
use crate::kit::spoil::documents;

/// Codes that no cause carries, and why a document alone can't tell.
const BEYOND: &[(&str, &[u32])] = &[
    ("Twilio's own trouble", &[12_400, 31_900, 31_960]),
    ("known from a file's bytes alone", &[12_301, 13_325, 13_420]),
    (
        "no bound or list of values is documented",
        &[12_101, 13_110, 13_111, 13_249, 13_250, 13_251, 13_330, 13_334, 13_513],
    ),
    (
        "depends on the account, its numbers, or where it may call",
        &[
            13_225, 13_226, 13_227, 13_236, 13_244, 13_245, 13_246, 13_255, 13_258, 13_299, 13_337,
            13_750, 13_803, 13_804, 13_805, 14_108, 14_111, 14_219, 14_226, 14_240, 14_241,
        ],
    ),
    (
        "depends on DNS or on what the call does",
        &[13_254, 13_340, 13_617, 13_618, 13_619, 13_620, 13_801, 13_802, 14_106, 14_107, 14_207],
    ),
    (
        "depends on what TaskRouter holds",
        &[14_217, 14_218, 14_222, 14_223, 14_234, 14_235, 14_238, 14_239],
    ),
    ("known from the WebSocket alone", &[31_910, 31_930, 31_931]),
    ("depends on connectors installed in the account", &[31_940, 31_942, 31_952]),
];

#[test]
fn every_code_that_a_document_alone_can_bring_has_a_cause() {
    let carried: BTreeSet<u32> = CAUSES.iter().flat_map(|cause| cause.codes).copied().collect();
    let beyond: BTreeSet<u32> = BEYOND.iter().flat_map(|(_, codes)| *codes).copied().collect();
    let family = (12_000..15_000).chain(31_900..32_000);
    let known: BTreeSet<u32> = family.filter(|code| codes::lookup(*code).is_some()).collect();
    let missing: Vec<_> =
        known.iter().filter(|c| !carried.contains(c) && !beyond.contains(c)).collect();
    assert!(missing.is_empty(), "no cause and no reason: {missing:?}");
    let twice: Vec<_> =
        beyond.iter().filter(|c| carried.contains(c) || !known.contains(c)).collect();
    assert!(twice.is_empty(), "carried by a cause, or no code: {twice:?}");
}

/// Findings of grammar and links on a document.
fn warnings(xml: &str, slot: Slot) -> Vec<String> {
    let body = xml.as_bytes().to_vec();
    let exchange = exchange(slot, 200, typed("text/xml", &body), body, BodyEnd::Complete);
    let findings = judge(&exchange, &policy()).findings.into_iter();
    findings
        .filter(|finding| matches!(finding.cause.stage, Stage::Grammar | Stage::Links))
        .map(|finding| format!("{}: {}", finding.cause.slug, finding.evidence))
        .collect()
}

#[test]
fn documents_of_the_sdk_are_silent() {
    let loud: Vec<_> = documents()
        .into_iter()
        .map(|document| (warnings(&document.xml, document.slot), document.name))
        .filter(|(warnings, _)| !warnings.is_empty())
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

/// A value that an attribute takes; `pick` chooses where there are several.
fn value(element: &str, attribute: &str, pick: usize) -> String {
    let of = |words: &[&str]| words[pick % words.len()].to_owned();
    if let Some(rule) = values::rules(element).find(|rule| rule.attribute == attribute) {
        return match rule.kind {
            Kind::Whole { least, most, word } => word.filter(|_| pick.is_multiple_of(3)).map_or(
                if pick.is_multiple_of(2) { least } else { most.min(3_000_000) }.to_string(),
                str::to_owned,
            ),
            Kind::OneOf(words) | Kind::AnyOf(words) => of(words),
            Kind::Keys => of(&["", "#", "*", "12"]),
            Kind::Tones => of(&["ww12#", "1", "W*"]),
            Kind::Language => of(&["en-US", "he-IL", "cmn-Hans-CN"]),
            Kind::Voice => of(&["alice", "Polly.Joanna", "Google.he-IL-Wavenet-A"]),
            Kind::Sid(head) => format!("{head}0123456789abcdef0123456789abcdef"),
        };
    }
    if matches!((element, attribute), ("Stream" | "ConversationRelay", "url")) {
        return "wss://media.example.com/ws".to_owned();
    }
    if is_url(attribute) {
        return of(&["/menu?a=1&amp;b=2", "https://pbx.example.com/a", "next.php"]);
    }
    match attribute {
        "callerId" | "to" | "from" => "+15550100002".to_owned(),
        _ => "x".to_owned(),
    }
}

fn words(element: &str) -> &'static str {
    match element {
        "Number" | "Sim" | "WhatsApp" => "+15550100003",
        "Sip" | "Uri" => "sip:desk@example.com",
        "Play" | "Media" | "Redirect" => "/a.mp3",
        "Task" => "{\"a\": 1}",
        _ => "Hello",
    }
}

/// Writes an element with attributes and children that it may have, as the picks say.
fn write(
    out: &mut String,
    name: &str,
    outer: &str,
    depth: usize,
    picks: &mut dyn Iterator<Item = Index>,
) {
    let Some(rule) = grammar::rule(name) else { panic!("{name}") };
    out.push('<');
    out.push_str(name);
    let mut pick = || picks.next().map_or(0, |index| index.index(97));
    for attribute in rule.attributes {
        // One track only is taken there, and two pairs exclude each other.
        let excluded = (outer, name, *attribute) == ("Connect", "Stream", "track")
            || matches!((name, *attribute), ("Record", "maxLength"));
        let number = pick();
        if number % 3 == 0 && !excluded {
            let value = value(name, attribute, pick());
            out.extend([" ", attribute, "=\"", &value, "\""]);
        }
    }
    out.push('>');
    let fitting: Vec<&str> = rule
        .children
        .iter()
        .copied()
        .filter(|child| {
            let foreign = grammar::rule(child).is_some_and(|rule| rule.family == Family::Messaging);
            !foreign && (name != "Dial" || *child != "Conference")
        })
        .collect();
    let count = if depth == 0 || fitting.is_empty() { 0 } else { pick() % 4 };
    let chosen: Vec<&str> = (0..count).map(|_| fitting[pick() % fitting.len()]).collect();
    if chosen.is_empty() && rule.text && name != "Dial" {
        out.push_str(words(name));
    }
    for child in chosen {
        write(out, child, name, depth - 1, picks);
    }
    out.extend(["</", name, ">"]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(600),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn valid_values_where_they_belong_are_silent(picks in prop::collection::vec(any::<Index>(), 20..400)) {
        let mut xml = String::new();
        let mut picks = picks.into_iter().cycle().take(4_000);
        write(&mut xml, "Response", "", 4, &mut picks);
        let found = warnings(&xml, Slot::Voice);
        prop_assert!(found.is_empty(), "{found:?}\n{xml}");
    }
}
