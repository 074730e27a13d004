//! Documents of Twilio's SDK, and the ways in which answers are spoilt.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use twiml_guard::guard::BodyEnd;
use twiml_guard::twilio::Slot;

pub struct Document {
    pub name: String,
    pub slot: Slot,
    pub xml: String,
}

pub fn documents() -> Vec<Document> {
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

pub fn statuses() -> impl Strategy<Value = u16> {
    prop_oneof![
        6 => Just(200u16),
        1 => prop::sample::select(vec![
            201, 202, 203, 204, 206, 226, 299, 301, 304, 308, 401, 403, 404, 405, 419, 422, 429,
            500, 502, 503, 599, 600, 999,
        ]),
        1 => 200u16..1000,
    ]
}

pub fn ends() -> impl Strategy<Value = BodyEnd> {
    prop_oneof![
        4 => Just(BodyEnd::Complete),
        1 => Just(BodyEnd::Truncated { detail: "closed".to_owned() }),
        1 => Just(BodyEnd::TooLate),
        1 => Just(BodyEnd::TooLarge { limit: 1_048_576 }),
    ]
}

pub fn header_lines() -> impl Strategy<Value = HeaderMap> {
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
pub fn pieces() -> impl Strategy<Value = Vec<u8>> {
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
            " method='POST",
            " method='POST\"",
            " voice=\\\"alice\\\"",
            " language==\"en\", ",
            "< Say>",
            "</ Say>",
            "</p>",
            "<Reponse>",
            "</Reponse>",
            "Response>",
            "Ã©Ã¼",
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
pub enum Spoil {
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

pub fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
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

pub fn spoilt(mut body: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
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

/// Spoilt documents whose damage is mild enough that something of them leaves.
pub fn mildly_spoilt() -> impl Strategy<Value = (String, Vec<Spoil>)> {
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
