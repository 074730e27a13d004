//! The watcher of streams: the same report however the bytes are cut, and never a panic.

use std::time::Duration;

use proptest::prelude::*;
use twiml_guard::guard::stream::{Side, StreamEnd, StreamKind, StreamReport};
use twiml_guard::guard::watch::{Passage, Watch};

use crate::kit::stream::frame;

const NOW: Duration = Duration::from_secs(1);
const START: &str =
    r#"{"event":"start","streamSid":"MZ1","start":{"streamSid":"MZ1","callSid":"CA1"}}"#;

/// Shows bytes in pieces of these lengths, over and over; gives the report and what went on.
fn watched(side: Side, bytes: &[u8], lengths: &[usize]) -> (StreamReport, Vec<u8>) {
    let mut watch = Watch::new("/ws", 0);
    let (mut came, mut rest) = (0, bytes);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).min(rest.len()));
        rest = later;
        came += now.len();
        match watch.see(side, now, NOW) {
            Passage::But(held) => assert!(held < 14),
            Passage::Stop(stopped) => {
                let mut report = watch.report().clone();
                // How much of it is seen at once depends on the cut.
                report.garbage = report.garbage.map(|mut garbage| {
                    garbage.first.truncate(2);
                    garbage
                });
                report.outbound.bytes = 0;
                return (report, bytes[..came - stopped].to_vec());
            }
        }
    }
    watch.ended(side, NOW);
    let mut report = watch.report().clone();
    report.garbage = None;
    (report, bytes.to_vec())
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(START.to_owned()),
        Just(r#"{"event":"connected"}"#.to_owned()),
        Just(r#"{"event":"stop"}"#.to_owned()),
        Just(r#"{"type":"setup","callSid":"CA2"}"#.to_owned()),
        "[A-Za-z0-9+/]{0,400}".prop_map(|payload| format!(
            r#"{{"event":"media","streamSid":"MZ1","media":{{"payload":"{payload}"}}}}"#
        )),
        ".{0,80}",
    ]
}

fn frames(is_masked: bool) -> impl Strategy<Value = Vec<u8>> {
    let one = (message(), 0usize..6).prop_map(move |(text, kind)| {
        let bytes = text.as_bytes();
        let half = bytes.len() / 2;
        match kind {
            0 => frame(0x82, bytes, is_masked),
            1 => frame(0x89, &bytes[..bytes.len().min(125)], is_masked),
            2 => [
                frame(0x01, &bytes[..half], is_masked),
                frame(0x8a, b"", is_masked),
                frame(0x80, &bytes[half..], is_masked),
            ]
            .concat(),
            _ => frame(0x81, bytes, is_masked),
        }
    });
    prop::collection::vec(one, 0..12).prop_map(|all| all.concat())
}

fn tail() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"\x88\x02\x03\xe8".to_vec()),
        Just(b"HTTP/1.1 500 Internal Server Error\r\n\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_report(
        is_twilio: bool,
        twilio in frames(true),
        backend in frames(false),
        tail in tail(),
        lengths in prop::collection::vec(1usize..300, 1..8),
    ) {
        let (side, bytes) = if is_twilio { (Side::Twilio, twilio) } else { (Side::Backend, backend) };
        let bytes = [bytes, tail].concat();
        let whole = watched(side, &bytes, &[usize::MAX]);
        prop_assert_eq!(watched(side, &bytes, &lengths), whole.clone());
        prop_assert_eq!(watched(side, &bytes, &[1]), whole);
    }

    #[test]
    fn random_bytes_never_panic(
        chunks in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        reserved in prop_oneof![Just(0u8), Just(0x40), Just(0x70)],
    ) {
        let mut watch = Watch::new("/ws", reserved);
        for (is_twilio, chunk) in chunks {
            let side = if is_twilio { Side::Twilio } else { Side::Backend };
            let (Passage::But(held) | Passage::Stop(held)) = watch.see(side, &chunk, NOW);
            prop_assert!(held < 14 + chunk.len());
        }
    }
}

#[test]
fn a_call_is_read_as_what_it_was() {
    let mut watch = Watch::new("/ws", 0);
    watch.see(Side::Twilio, &frame(0x81, START.as_bytes(), true), NOW);
    let second = format!(
        r#"{{"event":"media","streamSid":"MZ1","media":{{"payload":"{}"}}}}"#,
        "A".repeat(200_000)
    );
    for piece in frame(0x81, second.as_bytes(), false).chunks(8 * 1024) {
        assert_eq!(watch.see(Side::Backend, piece, NOW), Passage::But(0));
    }
    watch.see(Side::Backend, b"\x88\x05\x03\xe8bye", Duration::from_secs(30));
    watch.ended(Side::Twilio, Duration::from_secs(31));
    let report = watch.report();
    assert_eq!((report.kind, report.has_started), (StreamKind::MediaStream, true));
    assert_eq!(report.call_sid.as_deref(), Some("CA1"));
    assert_eq!(report.stream_sid.as_deref(), Some("MZ1"));
    assert_eq!(report.duration, Duration::from_secs(30));
    let millis = report.outbound.audio.as_millis();
    assert!((18_740..=18_760).contains(&millis), "{millis}");
    let (by, reason) = (Side::Backend, "bye".to_owned());
    assert_eq!(report.end, StreamEnd::Closed { by, code: Some(1000), reason });
}
