//! No input, however it was made, keeps a caller waiting.

use std::time::{Duration, Instant};

use twiml_guard::guard::{BodyEnd, judge};
use twiml_guard::twilio::Slot;

use crate::kit::ask::{exchange, policy, typed};
use crate::kit::contract;

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
        "<?xml ",
        "<![CDATA[",
        "</Response>",
        "</Response",
        "<br/>",
        "&nbsp;",
        "\"",
        "<script",
        "<script>",
        "Error: ",
        "a.py",
        "\n",
        "[",
        "<p>",
        "<div>",
        "\u{feff}",
        "\u{1}",
        "<Response/>",
        "<title",
        "<!DOCTYPE ",
        "é",
        "<?php ",
        "<!",
        "-",
        "<Say voice=",
        "<Gather><Say>",
        "'",
        "“",
        "</x>",
        "< ",
        "< Say>",
        "</Say></Gather>",
        "a=\"b ",
        "a=\"b' ",
        "<Say voice=\"a>",
        "a=\\\"b ",
        "a==",
        ", ",
        "Ã©",
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

/// What one input may take: coarse, for a debug build on a busy machine. Quadratic work on 1 MiB
/// takes minutes.
const MOST: Duration = Duration::from_secs(10);

/// What is wrong with how an input is judged, if anything.
fn complaint(piece: &str, body: &[u8], content_type: &'static str) -> Option<String> {
    let headers = typed(content_type, body);
    let exchange = exchange(Slot::Voice, 200, headers, body.to_vec(), BodyEnd::Complete);
    let start = Instant::now();
    let judgement = judge(&exchange, &policy());
    let took = start.elapsed();
    let head = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
    if took > MOST {
        let causes: Vec<_> = judgement.findings.iter().map(|f| f.cause.slug).collect();
        return Some(format!("{piece:?} {head:?} {content_type}: {took:?} {causes:?}"));
    }
    let why = contract::hold(&exchange, &policy(), &judgement).err()?;
    Some(format!("{piece:?} {head:?} {content_type}: {why}"))
}

#[test]
fn large_inputs_made_to_be_slow_are_judged_in_time() {
    let inputs = adversarial();
    let judged = |part: &[(&'static str, Vec<u8>)]| -> Vec<String> {
        part.iter()
            .flat_map(|(piece, body)| {
                // As text/plain, only what holds no document gets as far as being read for prose.
                let plain = !body.windows(9).any(|window| window == b"<Response");
                let types = ["text/xml", "text/plain"].into_iter().take(1 + usize::from(plain));
                types.filter_map(|content_type| complaint(piece, body, content_type))
            })
            .collect()
    };
    let (one, other) = inputs.split_at(inputs.len() / 2);
    let complaints = std::thread::scope(|scope| {
        let first = scope.spawn(|| judged(one));
        let second = judged(other);
        [first.join().unwrap(), second].concat()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
