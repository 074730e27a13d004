//! Whatever comes in: no panic, the contract holds, a second judgement changes nothing.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use twiml_guard::guard::{BodyEnd, DeliveryKind, Exchange, Verdict, judge};
use twiml_guard::twilio::Slot;

use crate::kit::ask::{exchange, policy, typed};
use crate::kit::spoil::{
    Document, documents, ends, header_lines, mildly_spoilt, pieces, spoils, spoilt, statuses,
};
use crate::kit::{contract, witness};

/// Judges and holds the result against the contract.
fn held(exchange: &Exchange) -> Result<(), TestCaseError> {
    let policy = policy();
    let judgement = judge(exchange, &policy);
    let why = contract::hold(exchange, &policy, &judgement).err();
    let findings: Vec<_> = judgement.findings.iter().map(|f| f.cause.slug).collect();
    prop_assert!(
        why.is_none(),
        "{} in {}: {} {findings:?} {:?}",
        why.unwrap_or_default(),
        exchange.slot,
        judgement.verdict.name(),
        judgement.delivery
    );
    Ok(())
}

fn slots() -> impl Strategy<Value = Slot> {
    prop::sample::select(Slot::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for more.
        cases: ProptestConfig::default().cases.max(600),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_bytes_meet_the_contract(
        slot in slots(), status in statuses(), headers in header_lines(),
        body in prop::collection::vec(any::<u8>(), 0..400), end in ends(),
    ) {
        held(&exchange(slot, status, headers, body, end))?;
    }

    #[test]
    fn pieces_of_markup_meet_the_contract(
        slot in slots(), status in statuses(), headers in header_lines(), body in pieces(), end in ends(),
    ) {
        held(&exchange(slot, status, headers, body, end))?;
    }

    #[test]
    fn spoilt_documents_meet_the_contract(
        at in any::<prop::sample::Index>(), slot in slots(), status in statuses(),
        headers in header_lines(), spoils in spoils(), end in ends(),
    ) {
        let documents = documents();
        let body = at.get(&documents).xml.clone().into_bytes();
        held(&exchange(slot, status, headers, spoilt(body, &spoils), end))?;
    }
}

#[test]
fn what_leaves_of_spoilt_documents_is_taken_by_parsers_that_are_not_ours() {
    let mut runner = TestRunner::deterministic();
    let strategy = mildly_spoilt();
    let mut leaving = Vec::new();
    for number in 0..6000 {
        let (xml, spoils) = strategy.new_tree(&mut runner).unwrap().current();
        let body = spoilt(xml.into_bytes(), &spoils);
        let headers = typed("text/xml; charset=utf-8", &body);
        let exchange = exchange(Slot::Voice, 200, headers, body, BodyEnd::Complete);
        let judgement = judge(&exchange, &policy());
        let document = witness::Document {
            name: format!(
                "{number} {} {:?}",
                judgement.verdict.name(),
                String::from_utf8_lossy(&judgement.delivery.body)
            ),
            content_type: judgement.delivery.headers["content-type"].to_str().unwrap().to_owned(),
            body: judgement.delivery.body.to_vec(),
        };
        if matches!(judgement.delivery.kind, DeliveryKind::Original | DeliveryKind::Repaired) {
            leaving.push(document);
        }
    }
    assert!(leaving.len() > 2000, "only {} of 6000 left", leaving.len());
    witness::ask(&leaving).unwrap();
}

#[test]
fn fit_documents_leave_byte_for_byte() {
    for Document { name, slot, xml } in documents() {
        // What answers a call's action may answer the call, and the other way round.
        let slots = match slot {
            Slot::Voice | Slot::Action => vec![Slot::Voice, Slot::Action],
            other => vec![other],
        };
        for slot in slots {
            for content_type in [
                "text/xml",
                "application/xml",
                "text/xml; charset=utf-8",
                "application/xml; charset=UTF-8",
                "Text/XML;charset=\"utf-8\"",
            ] {
                let body = xml.clone().into_bytes();
                let headers = typed(content_type, &body);
                let exchange = exchange(slot, 200, headers, body, BodyEnd::Complete);
                let judgement = judge(&exchange, &policy());
                let causes: Vec<_> = judgement.findings.iter().map(|f| f.cause.slug).collect();
                assert_eq!(judgement.verdict, Verdict::Untouched, "{name} {slot} {causes:?}");
                assert_eq!(judgement.delivery.body, xml, "{name}");
            }
        }
    }
}

#[test]
fn a_document_cut_before_its_end_tag_is_never_completed() {
    let end = BodyEnd::Truncated { detail: "closed".to_owned() };
    for (count, document) in documents().into_iter().enumerate() {
        let Some(root_end) = document.xml.rfind("</Response>") else { continue };
        // Every cut of some short documents, some cuts of every document.
        let cuts = if count % 10 == 0 { 700 } else { 60 };
        let step = root_end.div_ceil(cuts);
        for cut in (0..root_end).step_by(step).chain([root_end, root_end + 1]) {
            let body = document.xml.as_bytes()[..cut].to_vec();
            let mut headers = typed("text/xml", &body);
            headers.insert("content-length", document.xml.len().into());
            let exchange = exchange(document.slot, 200, headers, body, end.clone());
            let judgement = judge(&exchange, &policy());
            let left =
                matches!(judgement.delivery.kind, DeliveryKind::Fallback(_) | DeliveryKind::Empty);
            assert!(
                left && judgement.verdict == Verdict::Replaced,
                "{} cut at {cut}: {}",
                document.name,
                String::from_utf8_lossy(&judgement.delivery.body)
            );
        }
    }
}

#[test]
fn a_document_whose_root_arrived_is_whole_whatever_the_framing_says() {
    for document in documents() {
        let Some(root_end) = document.xml.rfind("</Response>") else { continue };
        for cut in [root_end + 2, root_end + 5, document.xml.len() - 1, document.xml.len()] {
            let body = document.xml.as_bytes()[..cut].to_vec();
            for end in [BodyEnd::TooLate, BodyEnd::Truncated { detail: "closed".to_owned() }] {
                let headers = typed("text/xml", &body);
                let exchange = exchange(document.slot, 200, headers, body.clone(), end);
                let judgement = judge(&exchange, &policy());
                assert_eq!(judgement.verdict, Verdict::Repaired, "{} at {cut}", document.name);
                assert_eq!(judgement.delivery.body, document.xml.trim_end(), "{}", document.name);
            }
        }
    }
}
