//! Whatever comes in: no panic, the contract holds, a second judgement changes nothing.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use twiml_guard::guard::{
    Answer, BodyEnd, CallFacts, DeliveryKind, Exchange, Outcome, Policy, RequestFacts, Verdict,
    judge,
};
use twiml_guard::twilio::{Params, Slot};

use crate::kit::{contract, witness};

const FORM: &str = "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=in-progress&From=%2B15550100001&To=%2B15550100002";

struct Document {
    name: String,
    slot: Slot,
    xml: String,
}

fn documents() -> Vec<Document> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/documents/documents.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            let slot = text("slot");
            Document {
                name: text("name"),
                slot: Slot::ALL.into_iter().find(|known| known.name() == slot).unwrap(),
                xml: text("xml"),
            }
        })
        .collect()
}

fn exchange(slot: Slot, status: u16, headers: HeaderMap, body: Vec<u8>, end: BodyEnd) -> Exchange {
    Exchange {
        slot,
        request: RequestFacts {
            method: Method::POST,
            target: "/voice".to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: false,
            params: Params::from_form(FORM.as_bytes()),
            body: Bytes::from_static(FORM.as_bytes()),
        },
        attempts: Vec::new(),
        outcome: Outcome::Answered(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::from(body),
            end,
        }),
        elapsed: Duration::from_millis(100),
        call: CallFacts::default(),
    }
}

fn typed(content_type: &'static str, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("content-length", body.len().into());
    headers
}

fn policy() -> Policy {
    Policy {
        own_hosts: vec!["pbx.example.com".to_owned()],
        public_origin: Some("https://pbx.example.com".to_owned()),
        ..Policy::default()
    }
}

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

fn statuses() -> impl Strategy<Value = u16> {
    prop_oneof![
        6 => Just(200u16),
        1 => prop::sample::select(vec![
            201, 202, 203, 204, 206, 226, 299, 301, 304, 308, 401, 403, 404, 405, 419, 422, 429,
            500, 502, 503, 599, 600, 999,
        ]),
        1 => 200u16..1000,
    ]
}

fn ends() -> impl Strategy<Value = BodyEnd> {
    prop_oneof![
        4 => Just(BodyEnd::Complete),
        1 => Just(BodyEnd::Truncated { detail: "closed".to_owned() }),
        1 => Just(BodyEnd::TooLate),
        1 => Just(BodyEnd::TooLarge { limit: 1_048_576 }),
    ]
}

fn header_lines() -> impl Strategy<Value = HeaderMap> {
    let values = prop::sample::select(vec![
        ("content-type", "text/xml"),
        ("content-type", "text/xml; charset=utf-8"),
        ("content-type", "text/xml; charset=windows-1255"),
        ("content-type", "application/xml; charset=iso-8859-1"),
        ("content-type", "text/xml; charset=utf-16"),
        ("content-type", "text/html"),
        ("content-type", "text/plain"),
        ("content-type", "text/plain; charset=utf-7"),
        ("content-type", "application/json"),
        ("content-type", "audio/mpeg"),
        ("content-type", "audio/x-wav"),
        ("content-type", "txt/xml"),
        ("content-type", "text/xml; charset=\"utf-8"),
        ("content-type", ";;"),
        ("content-encoding", "gzip"),
        ("content-encoding", "deflate, gzip"),
        ("content-encoding", "br"),
        ("content-encoding", "zstd"),
        ("content-encoding", "identity"),
        ("content-encoding", "nonsense"),
        ("set-cookie", "session=1; Path=/"),
        ("set-cookie", "=empty"),
        ("set-cookie", "a=b\tc"),
        ("set-cookie", "lone"),
        ("etag", "\"1\""),
        ("cache-control", "max-age=60"),
        ("www-authenticate", "Basic realm=x"),
        ("www-authenticate", "Bearer"),
        ("transfer-encoding", "chunked"),
        ("location", "/elsewhere"),
        ("allow", "GET"),
        ("server", "nginx"),
    ]);
    prop::collection::vec(values, 0..5).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    })
}

/// Pieces from which hand-made answers are put together.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<?xml version='1.0'?>",
            "<Response>",
            "</Response>",
            "<Response/>",
            "<Say>",
            "</Say>",
            "<Dial>",
            "</Dial>",
            "<Gather ",
            "action=\"/a?b=1&c=2\"",
            "numDigits=1",
            ">",
            "/>",
            "<",
            "&",
            "&amp;",
            "&nbsp;",
            "&#0;",
            "]]>",
            "<![CDATA[",
            "<!--",
            "-->",
            "<!DOCTYPE html>",
            "<html>",
            "</html>",
            "<body>",
            "<script>",
            "</script>",
            "<br />",
            "<b>Notice</b>",
            "\u{feff}",
            "\u{200b}",
            "\u{a0}",
            "שלום",
            "🙂",
            "\n",
            "\r\n",
            " ",
            "\"",
            "'",
            "“",
            "=",
            "text",
            "OK",
            "{\"a\":",
            "}",
            "\u{1}",
            "\0",
            "<Message>",
            "</Message>",
            "<Redirect>",
            "</Redirect>",
            "https://https://pbx.example.com//x",
            "wss://https://h",
            "pbx.example.com/x",
            "<Play>",
            "</Play>",
            "<a:b>",
            "xmlns:a=\"u\"",
            "<?php",
            "?>",
            "Traceback (most recent call last):",
            "<Response",
            "</Resp",
            "+15550100003",
            "<Response xmlns=\"u\">",
            "<Say voice=alice>",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// One way in which a document is spoilt on its way.
#[derive(Debug, Clone)]
enum Spoil {
    Append(Vec<u8>),
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Gzip,
    Insert(prop::sample::Index, Vec<u8>),
    Latin,
    Page,
    Twice,
    Wide,
    Zlib,
}

fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
    let one = prop_oneof![
        pieces().prop_map(Spoil::Append),
        any::<prop::sample::Index>().prop_map(Spoil::Cut),
        (any::<prop::sample::Index>(), 1u8..).prop_map(|(at, by)| Spoil::Flip(at, by)),
        Just(Spoil::Gzip),
        (any::<prop::sample::Index>(), pieces()).prop_map(|(at, what)| Spoil::Insert(at, what)),
        Just(Spoil::Latin),
        Just(Spoil::Page),
        Just(Spoil::Twice),
        Just(Spoil::Wide),
        Just(Spoil::Zlib),
    ];
    prop::collection::vec(one, 1..4)
}

fn spoilt(mut body: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        body = match spoil {
            Spoil::Append(what) => [body.as_slice(), what].concat(),
            Spoil::Cut(at) if body.is_empty() => {
                let _ = at;
                body
            }
            Spoil::Cut(at) => body[..at.index(body.len())].to_vec(),
            Spoil::Flip(at, by) => {
                if !body.is_empty() {
                    let at = at.index(body.len());
                    body[at] ^= by;
                }
                body
            }
            Spoil::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            }
            Spoil::Insert(at, what) => {
                let at = at.index(body.len() + 1);
                [&body[..at], what, &body[at..]].concat()
            }
            Spoil::Latin => String::from_utf8_lossy(&body)
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect(),
            Spoil::Page => [b"<html><body>".as_slice(), &body, b"</body></html>"].concat(),
            Spoil::Twice => body.repeat(2),
            Spoil::Wide => {
                String::from_utf8_lossy(&body).encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Spoil::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            }
        };
    }
    body
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

/// Spoilt documents whose damage is mild enough that something of them leaves.
fn mildly_spoilt() -> impl Strategy<Value = (String, Vec<Spoil>)> {
    let mild = prop_oneof![
        4 => (any::<prop::sample::Index>(), pieces()).prop_map(|(at, what)| Spoil::Insert(at, what)),
        2 => (any::<prop::sample::Index>(), 1u8..).prop_map(|(at, by)| Spoil::Flip(at, by)),
        1 => pieces().prop_map(Spoil::Append),
        1 => Just(Spoil::Gzip),
        1 => Just(Spoil::Latin),
        1 => Just(Spoil::Wide),
    ];
    let whole = pieces()
        .prop_map(|inside| format!("<Response>{}</Response>", String::from_utf8_lossy(&inside)));
    let theirs = prop::sample::select(
        documents().into_iter().map(|document| document.xml).collect::<Vec<_>>(),
    );
    (prop_oneof![whole, theirs], prop::collection::vec(mild, 0..2))
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
        // Every cut of some documents, some cuts of every document.
        let step = if count % 10 == 0 { 1 } else { 23 };
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

/// Inputs of 1 MiB on which a careless scan would take minutes.
fn adversarial() -> Vec<(&'static str, Vec<u8>)> {
    const SIZE: usize = 1024 * 1024;
    let fill = |piece: &str| piece.repeat(SIZE / piece.len());
    let inside = |piece: &str| format!("<Response><Say>{}</Say></Response>", fill(piece));
    let pieces = [
        "<",
        "&",
        "<Response ",
        "<!--",
        "<Say>",
        "</",
        "]]>",
        "<a:b>",
        "<a b='c'>",
        "a='b' ",
        "<?",
        "<?xml ",
        "<![CDATA[",
        "</Response>",
        "</Response",
        "<b ",
        "<br/>",
        "&nbsp;",
        "&a;",
        "\"",
        "<x>",
        "<x ",
        "<script",
        "<script>",
        "<style>",
        "Error: ",
        "a.py",
        "\n",
        "{",
        "[",
        "<p>",
        "<div>",
        "</div>",
        "\u{feff}",
        "\u{1}",
        "<Response/>",
        "<title",
        "=\"",
        "<!DOCTYPE ",
        "é",
        "<?php ",
        "<!",
        "-",
        "--",
        "<Say voice=",
        "<Gather><Say>",
        "<xa",
        "'",
        "“",
    ];
    let mut all = Vec::new();
    for piece in pieces {
        all.push((piece, fill(piece).into_bytes()));
        all.push((piece, inside(piece).into_bytes()));
        all.push((piece, format!("<Response>{}", fill(piece)).into_bytes()));
        all.push((piece, format!("{}<Response><Say>x</Say></Response>", fill(piece)).into_bytes()));
        all.push((piece, format!("<Response {}></Response>", fill(piece)).into_bytes()));
        all.push((piece, format!("<!doctype html><html>{}", fill(piece)).into_bytes()));
    }
    let many = |count: usize, piece: &dyn Fn(usize) -> String| {
        (0..count).map(piece).collect::<Vec<_>>().concat()
    };
    let attributes = many(SIZE / 16, &|n| format!("a{n:08}='b' "));
    all.push(("attributes", format!("<Response {attributes}/>").into_bytes()));
    let distinct = many(SIZE / 12, &|n| format!("<x{n:08} >"));
    all.push(("tags", format!("<Response><Say>{distinct}</Say></Response>").into_bytes()));
    let prefixes = many(SIZE / 40, &|n| format!("<a xmlns:b{n}='u'><c:d/></a>"));
    all.push(("prefixes", format!("<Response>{prefixes}</Response>").into_bytes()));
    all
}

#[test]
fn large_inputs_made_to_be_slow_are_judged_in_time() {
    let mut slow = Vec::new();
    for (piece, body) in adversarial() {
        // As text/plain, only what holds no document gets as far as being read for prose.
        let plain = !body.windows(9).any(|window| window == b"<Response");
        for content_type in ["text/xml", "text/plain"].into_iter().take(1 + usize::from(plain)) {
            let headers = typed(content_type, &body);
            let exchange = exchange(Slot::Voice, 200, headers, body.clone(), BodyEnd::Complete);
            let start = Instant::now();
            let judgement = judge(&exchange, &policy());
            let took = start.elapsed();
            if took > Duration::from_secs(2) {
                let head = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                let causes: Vec<_> = judgement.findings.iter().map(|f| f.cause.slug).collect();
                slow.push(format!("{piece:?} {head:?} {content_type}: {took:?} {causes:?}"));
            }
            if contract::hold(&exchange, &policy(), &judgement).is_err() {
                slow.push(format!("{piece:?}: the contract is broken"));
            }
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
