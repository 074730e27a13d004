//! A first look at all bytes of a body: whether they are UTF-8 of which nothing has to be undone.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::guard::doubled::{is_never_doubled, undoubled};

/// A body as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survey<'b> {
    pub(super) text: &'b str,
    /// Whether a character that is not ASCII becomes so in lower case.
    pub(super) may_fold: bool,
}

/// PHP's notices name a line so.
static NOTICE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" on line "));

/// As many bytes are looked at together.
const CHUNK: usize = 32;

/// The text of a body; `None` where a later look could find something in its characters.
pub(super) fn survey(body: &[u8]) -> Option<Survey<'_>> {
    let (mut is_odd, mut high) = (false, 0);
    let mut chunks = body.chunks_exact(CHUNK);
    for chunk in &mut chunks {
        let mut odd = 0;
        for &b in chunk {
            odd |= u8::from(is_control(b));
            high |= b;
        }
        is_odd |= odd != 0;
    }
    for &b in chunks.remainder() {
        is_odd |= is_control(b);
        high |= b;
    }
    if is_odd || NOTICE.find(body).is_some() {
        return None;
    }
    if high.is_ascii() {
        // A second look over ASCII costs next to nothing.
        let text = std::str::from_utf8(body).ok()?;
        return Some(Survey { text, may_fold: false });
    }
    let text = simdutf8::basic::from_utf8(body).ok()?;
    let byte = |at: usize| body.get(at).copied().unwrap_or_default();
    // C1 controls, and U+FFFE and U+FFFF.
    let is_control = |at: usize| match byte(at) {
        0xc2 => matches!(byte(at + 1), 0x80..=0x9f),
        _ => byte(at + 1) == 0xbf && matches!(byte(at + 2), 0xbe | 0xbf),
    };
    // U+0130 and U+212A.
    let folds = |at: usize| match byte(at) {
        0xc4 => byte(at + 1) == 0xb0,
        _ => byte(at + 1) == 0x84 && byte(at + 2) == 0xaa,
    };
    let is_odd = memchr::memchr2_iter(0xc2, 0xef, body).any(is_control)
        || !is_never_doubled(text) && undoubled(text).is_some();
    let may_fold = !is_odd && memchr::memchr2_iter(0xc4, 0xe2, body).any(folds);
    (!is_odd).then_some(Survey { text, may_fold })
}

// Without a branch, so that many bytes are looked at together.
#[allow(clippy::needless_bitwise_bool)]
const fn is_control(b: u8) -> bool {
    (b < b' ') & (b != b'\t') & (b != b'\n') & (b != b'\r') | (b == 0x7f)
}
