//! Any bytes both ways of a stream: no panic, no more held back than a frame's header, and the same
//! report when every byte comes alone.
//!
//! Input: pieces of a byte (its first bit: from the backend, the rest: how many bytes) and so many
//! bytes.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::stream::{Side, StreamReport};
use twiml_guard::guard::watch::{Passage, Watch};

const NOW: Duration = Duration::from_secs(1);

fuzz_target!(|data: &[u8]| {
    let (whole, single) = (watched(data, usize::MAX), watched(data, 1));
    assert_eq!(whole.end, single.end);
    assert_eq!(whole.rejected, single.rejected);
    assert_eq!(whole.inbound.audio, single.inbound.audio);
    assert_eq!(whole.outbound.messages, single.outbound.messages);
});

/// Shows the pieces, cut to this length, until the stream is over.
fn watched(data: &[u8], length: usize) -> StreamReport {
    let (mut watch, mut rest) = (Watch::new("/ws", 0), data);
    while let Some((&mark, more)) = rest.split_first() {
        let (piece, later) = more.split_at(usize::from(mark & 0x7f).min(more.len()));
        rest = later;
        let from = if mark & 0x80 == 0 { Side::Twilio } else { Side::Backend };
        for chunk in piece.chunks(length) {
            if let Passage::But(held) = watch.see(from, chunk, NOW) {
                assert!(held < 14, "{held} bytes are held");
            }
            if watch.is_over() {
                return watch.report().clone();
            }
        }
    }
    watch.ended(Side::Twilio, NOW);
    watch.report().clone()
}
