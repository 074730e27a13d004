//! The fast path against the full judge: what it takes is judged the same, and it takes what is fit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use twiml_guard::guard::{
    BodyEnd, Exchange, Outcome, Policy, RequestFacts, Seen, Verdict, fit, handed_out,
    handed_out_by, judge, judge_by_reading, policy::Repairs,
};
use twiml_guard::twilio::Slot;

use crate::kit::ask::{exchange, policy, typed};
use crate::kit::case;
use crate::kit::fit::{document, mutated, mutations};
use crate::kit::same::differing;
use crate::kit::spoil::{
    Document, documents, ends, header_lines, pieces, spoils, spoilt, statuses,
};

static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(documents);

const TYPE: &str = "text/xml; charset=utf-8";

fn asked(slot: Slot, body: Vec<u8>) -> Exchange {
    let headers = typed(TYPE, &body);
    exchange(slot, 200, headers, body, BodyEnd::Complete)
}

fn same(exchange: &Exchange, policy: &Policy) -> Result<(), TestCaseError> {
    let why = differing(exchange, policy);
    prop_assert!(why.is_none(), "{}\nfrom {exchange:?}", why.unwrap_or_default());
    Ok(())
}

fn is_untouched(exchange: &Exchange, policy: &Policy) -> bool {
    let judgement = judge_by_reading(exchange, policy);
    judgement.verdict == Verdict::Untouched && judgement.findings.is_empty()
}

fn slots() -> impl Strategy<Value = Slot> {
    prop::sample::select(Slot::ALL.to_vec())
}

/// One document with what stands in these, in turn, so often.
fn repeated(documents: &[&str], times: usize) -> String {
    const END: &str = "</Response>";
    let inner = |xml: &&str| {
        let start = xml.find("<Response")?;
        let start = start + xml.get(start..)?.find('>')? + 1;
        xml.get(start..xml.rfind(END)?).map(str::to_owned)
    };
    let all: String = documents.iter().filter_map(inner).collect();
    format!("<Response>{}{END}", all.repeat(times))
}

fn policies() -> impl Strategy<Value = Policy> {
    let bare = Policy { own_hosts: Vec::new(), public_origin: None, ..policy() };
    prop_oneof![3 => Just(policy()), 1 => Just(bare)]
}

/// What stands before a document and is no part of it.
fn marks() -> impl Strategy<Value = Vec<u8>> {
    let marks: [&[u8]; 7] = [
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf",
        b"\xef\xbb\xbf\r\n ",
        b"\xff\xfe",
        b"\xfe\xff\xef\xbb\xbf",
        b"\r\n\xef\xbb\xbf",
        b"1a\r\n\xef\xbb\xbf",
    ];
    prop::sample::select(marks.map(<[u8]>::to_vec).to_vec())
}

/// These, and such as repair little or only watch.
fn careful_policies() -> impl Strategy<Value = Policy> {
    let repairs = prop::sample::select(vec![Repairs::All, Repairs::Lossless]);
    (policies(), repairs, any::<bool>()).prop_map(|(policy, repairs, observe)| Policy {
        repairs,
        observe,
        ..policy
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_fit_documents_are_judged_the_same(
        (slot, xml) in slots().prop_flat_map(|slot| (Just(slot), document(slot))),
        mutations in mutations(), policy in policies(),
    ) {
        same(&asked(slot, mutated(xml.into_bytes(), &mutations)), &policy)?;
    }

    #[test]
    fn documents_that_repeat_themselves_are_judged_the_same(
        (slot, xml, other) in slots().prop_flat_map(|slot| (Just(slot), document(slot), document(slot))),
        times in 2..4usize, mutations in mutations(), policy in policies(),
    ) {
        let body = repeated(&[&xml, &other], times).into_bytes();
        same(&asked(slot, body.clone()), &policy)?;
        same(&asked(slot, mutated(body, &mutations)), &policy)?;
    }

    #[test]
    fn what_was_seen_before_is_taken_as_at_first(
        documents in prop::collection::vec(slots().prop_flat_map(document), 1..4),
        asked_for in prop::collection::vec(
            (any::<prop::sample::Index>(), slots(), policies(), prop::sample::select(vec!["a.example.com", "pbx.example.com"])),
            1..60,
        ),
    ) {
        let mut seen = Seen::default();
        for (at, slot, policy, host) in asked_for {
            let mut exchange = asked(slot, at.get(&documents).clone().into_bytes());
            Arc::make_mut(&mut exchange.request).host = Some(host.to_owned());
            let expected = format!("{:?}", fit(&exchange, &policy));
            prop_assert_eq!(format!("{:?}", seen.fit(&exchange, &policy)), expected);
        }
    }

    #[test]
    fn mutated_documents_of_the_sdk_are_judged_the_same(
        at in any::<prop::sample::Index>(), mutations in mutations(), policy in policies(),
    ) {
        let document = at.get(&DOCUMENTS);
        same(&asked(document.slot, mutated(document.xml.clone().into_bytes(), &mutations)), &policy)?;
    }

    #[test]
    fn spoilt_documents_are_judged_the_same(
        at in any::<prop::sample::Index>(), slot in slots(), status in statuses(),
        headers in header_lines(), spoils in spoils(), end in ends(),
    ) {
        let body = spoilt(at.get(&DOCUMENTS).xml.clone().into_bytes(), &spoils);
        same(&exchange(slot, status, headers, body, end), &policy())?;
    }

    #[test]
    fn marked_documents_are_judged_the_same(
        (slot, xml) in slots().prop_flat_map(|slot| (Just(slot), document(slot))),
        mark in marks(), mutations in prop_oneof![Just(Vec::new()), mutations().boxed()],
        policy in careful_policies(),
    ) {
        let body = [mark, mutated(xml.into_bytes(), &mutations)].concat();
        same(&asked(slot, body), &policy)?;
    }

    #[test]
    fn spoilt_marked_documents_are_judged_the_same(
        at in any::<prop::sample::Index>(), slot in slots(), status in statuses(), mark in marks(),
        headers in header_lines(), spoils in spoils(), end in ends(), policy in careful_policies(),
    ) {
        let document = at.get(&DOCUMENTS).xml.clone().into_bytes();
        let whole = [mark.clone(), document.clone()].concat();
        same(&exchange(slot, status, headers.clone(), whole.clone(), end.clone()), &policy)?;
        for body in [[mark, spoilt(document, &spoils)].concat(), spoilt(whole, &spoils)] {
            same(&exchange(slot, status, headers.clone(), body, end.clone()), &policy)?;
        }
    }

    #[test]
    fn pieces_of_markup_are_judged_the_same(slot in slots(), body in pieces()) {
        same(&asked(slot, body), &policy())?;
    }
}

#[test]
fn nearly_all_fit_documents_take_the_fast_path() {
    let mut runner = TestRunner::deterministic();
    let (mut fast, mut fit_ones, mut all) = (0, 0, 0);
    let mut left = Vec::new();
    for slot in [Slot::Voice, Slot::Action, Slot::Messaging, Slot::Whisper, Slot::ConferenceWait] {
        let strategy = document(slot);
        for _ in 0..400 {
            let xml = strategy.new_tree(&mut runner).unwrap().current();
            let exchange = asked(slot, xml.clone().into_bytes());
            all += 1;
            if !is_untouched(&exchange, &policy()) {
                continue;
            }
            fit_ones += 1;
            if fit(&exchange, &policy()).is_some() {
                fast += 1;
            } else {
                left.push(xml);
            }
        }
    }
    assert!(fit_ones * 10 > all * 9, "only {fit_ones} of {all} generated documents are fit");
    assert!(fast * 100 >= fit_ones * 98, "{fast} of {fit_ones} fit documents: {left:#?}");
}

#[test]
fn every_fit_document_of_the_sdk_takes_the_fast_path() {
    let mut left = Vec::new();
    let mut taken = 0;
    for document in documents() {
        let exchange = asked(document.slot, document.xml.clone().into_bytes());
        assert_eq!(differing(&exchange, &policy()), None);
        if fit(&exchange, &policy()).is_some() {
            taken += 1;
        } else if is_untouched(&exchange, &policy()) {
            left.push(document.name);
        }
    }
    assert!(left.is_empty(), "{taken} taken, left to the full reader: {left:?}");
    assert!(taken > 100, "{taken}");
}

#[test]
fn fit_documents_behind_a_mark_spare_the_full_reader() {
    for document in documents() {
        let xml = document.xml.into_bytes();
        if fit(&asked(document.slot, xml.clone()), &policy()).is_none() {
            continue;
        }
        let marked = asked(document.slot, [b"\xef\xbb\xbf", xml.as_slice()].concat());
        let judgement = judge(&marked, &policy());
        assert_eq!(judgement.verdict, Verdict::Repaired, "{}", document.name);
        assert_eq!(judgement.delivery.body, xml, "{}", document.name);
        assert!(judgement.spans.is_some(), "{}", document.name);
        assert_eq!(differing(&marked, &policy()), None);
        let observing = Policy { observe: true, ..policy() };
        assert!(judge(&marked, &observing).spans.is_none(), "{}", document.name);
    }
}

#[test]
fn forms_that_people_write_take_the_fast_path() {
    for (name, xml) in [
        ("no declaration", "<Response><Say>Hi</Say></Response>"),
        ("blank lines before", "\n\r\n  <Response/>\n"),
        (
            "single quotes",
            "<?xml version='1.0' encoding='utf-8'?>\n<Response><Say voice='alice'>Hi</Say></Response>",
        ),
        ("standalone", "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?><Response/>"),
        (
            "comments",
            "<!-- a --><Response><!-- <Say>old</Say> --><Say>Hi</Say></Response><!-- b -->\n",
        ),
        ("blanks in tags", "<Response >\n<Say\n  voice=\"alice\"\t>Hi</Say\n></Response >\n"),
        (
            "Hebrew",
            "<Response><Say language=\"he-IL\">שלום, הגעתם. נא להמתין: נחזור</Say></Response>",
        ),
        (
            "French",
            "<Response><Say language=\"fr-FR\">Bonjour, vous êtes arrivé à la société.</Say></Response>",
        ),
        ("typographic", "<Response><Say>It’s the café — “hello” to naïve people</Say></Response>"),
        ("an emoji", "<Response><Message>Thanks 👋 café &amp; co</Message></Response>"),
        ("references", "<Response><Say>a &amp; b &#x5d0; &lt;</Say></Response>"),
        (
            "pages",
            "<Response><Redirect method=\"POST\">/ivr/voice.php?a=1&amp;b=%20c#rc=2</Redirect></Response>",
        ),
        (
            "media",
            "<Response><Play loop=\"2\">https://cdn.example.net/a/b.mp3</Play><Pause/><Hangup/></Response>",
        ),
        (
            "SSML",
            "<Response><Say voice=\"Polly.Joanna\">a <break time=\"1s\"/><say-as interpret-as=\"date\">1</say-as> b</Say></Response>",
        ),
        (
            "text and media",
            "<Response><Message>Hi<Media>https://cdn.example.net/a.png</Media></Message></Response>",
        ),
        (
            "a stream",
            "<Response><Connect><Stream url=\"wss://pbx.example.com/ws\" track=\"inbound_track\"><Parameter name=\"a\" value=\"null\"/></Stream></Connect></Response>",
        ),
    ] {
        let slot = if xml.contains("<Message") { Slot::Messaging } else { Slot::Voice };
        let exchange = asked(slot, xml.as_bytes().to_vec());
        assert_eq!(differing(&exchange, &policy()), None);
        assert!(fit(&exchange, &policy()).is_some(), "{name}: {xml}");
    }
}

#[test]
fn what_came_before_is_looked_at_where_it_stands() {
    for (name, xml) in [
        (
            "too deep",
            "<Response><Say>a</Say><Gather><Say>b</Say></Gather><Say><Say>c</Say></Say></Response>",
        ),
        (
            "an empty one",
            "<Response><Say language=\"en-US\">a</Say><Say language=\"en-US\"/></Response>",
        ),
        ("no host", "<Response><Play>https:///b</Play></Response>"),
        (
            "a socket",
            "<Response><Play>https://cdn.example.net/a</Play><Play>wss://cdn.example.net/a</Play></Response>",
        ),
    ] {
        let exchange = asked(Slot::Voice, xml.as_bytes().to_vec());
        assert_eq!(differing(&exchange, &policy()), None, "{name}");
        assert!(fit(&exchange, &policy()).is_none(), "{name}: {xml}");
    }
}

#[test]
fn what_only_the_full_reader_may_say_is_left_to_it() {
    for (name, xml) in [
        ("a DOCTYPE", "<!DOCTYPE x><Response/>"),
        ("an instruction", "<Response><?x y?></Response>"),
        ("a CDATA section", "<Response><Say><![CDATA[Hi]]></Say></Response>"),
        ("a namespace", "<Response xmlns=\"u\"/>"),
        ("an unknown verb", "<Response><Sai>Hi</Sai></Response>"),
        ("an unknown attribute", "<Response><Say speed=\"1\">Hi</Say></Response>"),
        ("a mark", "\u{feff}<Response/>"),
        ("a C1 control", "<Response><Say>a\u{85}b\u{81}</Say></Response>"),
        ("no character", "<Response><Say>a\u{ffff}</Say></Response>"),
        ("doubled UTF-8", "<Response><Say>GrÃ¼Ã\u{9f}e</Say></Response>"),
        ("a quoted root", "<!-- <Response> --><Response/>"),
        ("a comment of hyphens", "<!-- a -- b --><Response/>"),
        ("another encoding", "<?xml version=\"1.0\" encoding=\"latin1\"?><Response/>"),
        ("version 1.1", "<?xml version=\"1.1\"?><Response/>"),
        ("two roots", "<Response/><Response/>"),
        ("text behind", "<Response/>x"),
        ("an open root", "<Response><Say>x</Say>"),
        ("the wrong end", "<Response><Say>x</Response></Say>"),
        ("an attribute twice", "<Response><Say loop=\"1\" loop=\"1\">x</Say></Response>"),
        (
            "a notice of PHP",
            "<Response><Gather hints=\"Notice: x in /a.php on line 3\"/></Response>",
        ),
    ] {
        let exchange = asked(Slot::Voice, xml.as_bytes().to_vec());
        assert_eq!(differing(&exchange, &policy()), None);
        assert!(fit(&exchange, &policy()).is_none(), "{name}: {xml}");
    }
    let headers = HeaderMap::new();
    let exchange = exchange(Slot::Voice, 200, headers, b"<Response/>".to_vec(), BodyEnd::Complete);
    assert!(fit(&exchange, &policy()).is_none(), "no Content-Type");
}

#[test]
fn every_case_is_judged_the_same() {
    let mut seen: BTreeMap<bool, usize> = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for file in path.is_dir().then(|| fs::read_dir(&path).unwrap()).into_iter().flatten() {
            let path = file.unwrap().path();
            let case = case::read(&path).unwrap();
            let is_fast = fit(&case.exchange, &case.policy).is_some();
            *seen.entry(is_fast).or_default() += 1;
            if let Some(why) = differing(&case.exchange, &case.policy) {
                panic!("{}: {why}", path.display());
            }
        }
    }
    assert!(seen[&false] > 170, "{seen:?}");
}

#[test]
fn headers_can_be_taken_out_of_the_answer() {
    let exchange = asked(Slot::Voice, b"<Response><Redirect>/a</Redirect></Response>".to_vec());
    let Outcome::Answered(mut answer) = exchange.outcome.clone() else { panic!() };
    let copied = judge(&exchange, &policy());
    let taken = fit(&exchange, &policy()).unwrap().take_from(&mut answer);
    assert_eq!(taken.delivery.headers, copied.delivery.headers);
    assert_eq!(taken.delivery.body, copied.delivery.body);
    assert!(answer.headers.is_empty() && !taken.delivery.headers.contains_key("content-length"));
    let read =
        handed_out(&exchange.request, Slot::Voice, &taken.delivery, &policy(), "POST /voice");
    let known = handed_out_by(&exchange.request, Slot::Voice, &taken, &policy(), "POST /voice");
    assert_eq!((known.len(), known.to_vec()), (1, read));
}

#[test]
fn what_a_document_hands_out_is_remembered_for_the_same_question_only() {
    let body =
        b"<Response><Gather><Say>a</Say></Gather><Gather action=\"/a\"><Say>b</Say></Gather>\
        <Redirect>https://pbx.example.com/b</Redirect></Response>";
    let exchange = asked(Slot::Voice, body.to_vec());
    let judgement = judge(&exchange, &policy());
    assert!(judgement.spans.is_some(), "{judgement:?}");
    let first = RequestFacts::clone(&exchange.request);
    let second = |change: fn(&mut RequestFacts)| {
        let mut request = first.clone();
        change(&mut request);
        request
    };
    let requests = [
        first.clone(),
        second(|request| request.host = Some("b.example.com".to_owned())),
        second(|request| request.host = None),
        second(|request| request.target = "/x/y?z=1".to_owned()),
    ];
    let policies = [
        policy(),
        Policy { own_hosts: vec!["b.example.com".to_owned()], ..policy() },
        Policy { public_origin: Some("https://b.example.com".to_owned()), ..policy() },
    ];
    // Each question after each other one, the same twice too.
    let mut questions = Vec::new();
    for request in &requests {
        for policy in &policies {
            for slot in [Slot::Voice, Slot::Whisper] {
                questions.extend(["POST /voice", "GET /"].map(|own| (request, policy, slot, own)));
            }
        }
    }
    let handed = |(request, policy, slot, parent): (&RequestFacts, &Policy, Slot, &str)| {
        let read = handed_out(request, slot, &judgement.delivery, policy, parent);
        let known = handed_out_by(request, slot, &judgement, policy, parent);
        assert_eq!(known.to_vec(), read, "{request:?} {policy:?} {slot} {parent}");
        known
    };
    for &one in &questions {
        for &other in &questions {
            handed(one);
            let (now, again) = (handed(other), handed(other));
            assert!(Arc::ptr_eq(&now, &again));
        }
    }
}
