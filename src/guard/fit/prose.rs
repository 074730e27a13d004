//! Whether words are plain prose: nothing in them that smells of a program.
//!
//! A filter before [`words::smells_of_a_program`]: what it lets pass has none of the marks that
//! are looked for there; what it stops at is looked at there. It looks at every third byte: each
//! mark has three neighbours by which it is noticed, wherever it stands.

use std::sync::LazyLock;

use crate::guard::words::{ENDINGS, EXCEPTIONS, MARKS, is_number_of_line, smells_of_a_program};

/// Bits of the first look; a power of two.
const BITS: usize = 1 << 15;
/// Places of the second look; a power of two.
const PLACES: usize = 1 << 11;
/// How far it is from one look to the next, and how much is looked at.
const STEP: usize = 3;

/// Begin what the filter does not know: `{{`, `{%`, `${`, `#{`, `#!/`, `%s`, JSON.
const SIGNS: [u8; 3] = [b'{', b'%', b'#'];

/// As many bytes are looked at together.
const CHUNK: usize = 16;

/// Letters, the most common first, as English has them.
const COMMON: &[u8] = b" etaoinsrhldcumfpgwybvkxjqz";

/// Three bytes in lower case, and the mark that they may belong to.
#[derive(Debug, Clone, Copy)]
struct Piece {
    bytes: u32,
    mark: u8,
    /// Where they stand in the mark.
    at: u8,
}

#[derive(Debug)]
struct Pieces {
    bits: Vec<u64>,
    /// Indices of pieces, plus one.
    places: Vec<u16>,
    known: Vec<Piece>,
    marks: Vec<&'static [u8]>,
}

static PIECES: LazyLock<Pieces> = LazyLock::new(Pieces::new);

/// Lower case of ASCII letters; other bytes may become one another.
const fn folded(four: u32) -> u32 {
    four | 0x2020_2020
}

#[allow(clippy::cast_possible_truncation)] // Fifteen bits at most.
const fn spread(bytes: u32, below: usize) -> usize {
    (bytes.wrapping_mul(0x9e37_79b1) >> (u32::BITS - below.ilog2())) as usize
}

impl Pieces {
    #[allow(clippy::cast_possible_truncation)] // Some sixty marks of some forty bytes.
    fn new() -> Self {
        let mut pieces = Self {
            bits: vec![0; BITS / 64],
            places: vec![0; PLACES],
            known: Vec::new(),
            marks: Vec::new(),
        };
        // `<` stands in no text, and what stands in no text needs no look; signs have their own.
        let is_met =
            |mark: &&&str| !mark.bytes().any(|b| b == b'<' || b == b'>' || SIGNS.contains(&b));
        for (index, mark) in MARKS.iter().filter(is_met).enumerate() {
            let mark = mark.as_bytes();
            pieces.marks.push(mark);
            for at in Self::rarest(mark)..Self::rarest(mark) + STEP {
                let byte = |n: usize| mark.get(at + n).copied().map(u32::from);
                let (Some(first), Some(second)) = (byte(0), byte(1)) else { continue };
                let third = byte(2);
                // Behind the end of a short mark anything may follow.
                for any in (0..=255).filter(|any| any & 0x20 != 0) {
                    let bytes = first | second << 8 | third.unwrap_or(any) << 16;
                    let piece =
                        Piece { bytes: folded(bytes) & 0xff_ffff, mark: index as u8, at: at as u8 };
                    pieces.add(piece);
                    if third.is_some() {
                        break;
                    }
                }
            }
        }
        pieces
    }

    #[allow(clippy::cast_possible_truncation)] // Fewer pieces than places.
    fn add(&mut self, piece: Piece) {
        let bit = spread(piece.bytes, BITS);
        self.bits[bit / 64] |= 1 << (bit % 64);
        let mut place = spread(piece.bytes, PLACES);
        while self.places[place] != 0 {
            place = (place + 1) % PLACES;
        }
        self.known.push(piece);
        self.places[place] = self.known.len() as u16;
    }

    /// Where the five bytes of a mark begin that are met least often.
    fn rarest(mark: &[u8]) -> usize {
        let rare = |b: &u8| COMMON.iter().position(|common| common == b).unwrap_or(COMMON.len());
        let score = |at: &usize| mark.iter().skip(*at).take(STEP + 2).map(rare).sum::<usize>();
        // A tie is nobody's business.
        (0..=mark.len().saturating_sub(STEP + 2)).max_by_key(score).unwrap_or_default()
    }

    /// Whether one of the marks stands where its piece was met; `text` in any letter case.
    fn is_mark(&self, text: &[u8], at: usize, bytes: u32) -> bool {
        let mut place = spread(bytes, PLACES);
        while let Some(piece) = self.places[place % PLACES].checked_sub(1) {
            if let Some(piece) = self.known.get(usize::from(piece))
                && piece.bytes == bytes
                && let Some(mark) = self.marks.get(usize::from(piece.mark))
                && let Some(start) = at.checked_sub(usize::from(piece.at))
                && let Some(there) = text.get(start..start + mark.len())
                && there.iter().zip(*mark).all(|(own, b)| own | 0x20 == b | 0x20)
            {
                return true;
            }
            place += 1;
        }
        false
    }

    /// Whether no mark stands in a text.
    fn are_absent(&self, text: &[u8]) -> bool {
        let bits: Option<&[u64; BITS / 64]> = self.bits.as_slice().try_into().ok();
        let Some(bits) = bits else { return false };
        let mut at = 0;
        while let Some(four) = text.get(at..at + 4).and_then(|four| four.try_into().ok()) {
            let bytes = folded(u32::from_le_bytes(four)) & 0xff_ffff;
            let bit = spread(bytes, BITS);
            if bits[bit / 64] >> (bit % 64) & 1 != 0 && self.is_mark(text, at, bytes) {
                return false;
            }
            at += STEP;
        }
        // The last bytes, as if zeros followed.
        while at < text.len() {
            let byte = |n: usize| text.get(at + n).copied().map_or(0, u32::from);
            let bytes = folded(byte(0) | byte(1) << 8 | byte(2) << 16) & 0xff_ffff;
            if self.is_mark(text, at, bytes) {
                return false;
            }
            at += STEP;
        }
        true
    }
}

/// Whether nothing in a text smells of a program, nor is it JSON.
///
/// `may_fold`: whether it may hold a character that is not ASCII, but becomes so in lower case.
/// No `<` stands in it, nor `>`.
pub(super) fn is_plain(text: &str, may_fold: bool) -> bool {
    let met = Met::of(text.as_bytes());
    let is_certain = !may_fold
        && !met.signs
        && has_sound_ends(text)
        && (!met.marks || has_sound_marks(text))
        && PIECES.are_absent(text.as_bytes());
    is_certain || is_plain_in_full(text)
}

/// Which bytes stand in a text.
#[derive(Debug, Clone, Copy)]
struct Met {
    /// One of [`SIGNS`].
    signs: bool,
    /// A full stop, a colon or the end of a line.
    marks: bool,
}

impl Met {
    // Without a branch, so that many bytes are looked at together.
    #[allow(clippy::needless_bitwise_bool)]
    fn of(text: &[u8]) -> Self {
        let [first, second, third] = SIGNS;
        let is_sign = |b: u8| u8::from((b == first) | (b == second) | (b == third));
        let is_mark = |b: u8| u8::from((b == b'.') | (b == b':') | (b == b'\n'));
        let (mut signs, mut marks) = (0, 0);
        let mut chunks = text.chunks_exact(CHUNK);
        for chunk in &mut chunks {
            for &b in chunk {
                signs |= is_sign(b);
                marks |= is_mark(b);
            }
        }
        for &b in chunks.remainder() {
            signs |= is_sign(b);
            marks |= is_mark(b);
        }
        Self { signs: signs != 0, marks: marks != 0 }
    }
}

fn is_plain_in_full(text: &str) -> bool {
    let json = text.trim_start().starts_with('{') && text.contains("\":");
    !json && smells_of_a_program(text).is_none()
}

/// Whether no full stop, colon or end of a line in a text looks like that of a file's name, a
/// class or an exception.
fn has_sound_marks(text: &str) -> bool {
    let mut marks = memchr::memchr3_iter(b'.', b':', b'\n', text.as_bytes());
    let is_sound = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let after = text.get(at..).unwrap_or_default();
        match after.as_bytes() {
            [b'.', b'a'..=b'z', ..] => {
                !ENDINGS.iter().any(|end| after.strip_prefix(end).is_some_and(is_number_of_line))
            }
            // A class behind its package.
            [b'.', b'A'..=b'Z', ..] => false,
            [b'.', ..] => true,
            [b'\n', ..] => !ends_as_exception(before) && !begins_as_error(after),
            _ => !ends_as_exception(before),
        }
    };
    marks.all(is_sound)
}

/// Whether a text neither begins nor ends like an exception.
fn has_sound_ends(text: &str) -> bool {
    !begins_as_error(text) && !ends_as_exception(text.as_bytes())
}

/// Whether a text begins with `ERROR`, behind whatever is blank.
fn begins_as_error(text: &str) -> bool {
    let is_word = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    let text = if is_word { text } else { text.trim_start() };
    text.starts_with("ERROR")
}

/// Whether the word that ends there names an exception.
fn ends_as_exception(text: &[u8]) -> bool {
    let word = match text.last() {
        Some(b) if b.is_ascii_alphanumeric() => text,
        _ => {
            let is_around = |b: &u8| matches!(b, b'.' | b'!') || !b.is_ascii_graphic();
            let end = text.iter().rposition(|b| !is_around(b)).map_or(0, |at| at + 1);
            text.get(..end).unwrap_or_default()
        }
    };
    // The last letter tells most words apart at once.
    let mut ends = EXCEPTIONS.iter().map(|end| end.as_bytes());
    ends.any(|end| end.last() == word.last() && word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the filter alone lets a text pass.
    fn passes(text: &str) -> bool {
        let bytes = text.as_bytes();
        !bytes.iter().any(|b| SIGNS.contains(b))
            && has_sound_ends(text)
            && has_sound_marks(text)
            && PIECES.are_absent(bytes)
    }

    #[test]
    fn every_mark_is_noticed_wherever_it_stands() {
        for mark in MARKS.iter().filter(|mark| !mark.contains(['<', '>'])) {
            for before in 0..7 {
                for after in ["", " ", "x", " and more of it"] {
                    for mark in [(*mark).to_owned(), mark.to_uppercase()] {
                        let text = format!("{}{mark}{after}", "-".repeat(before));
                        assert!(!passes(&text), "{text}");
                        // Blanks at the end of a line are none of it.
                        assert_eq!(is_plain(&text, false), is_plain_in_full(&text), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn prose_passes_the_filter() {
        for text in [
            "Thank you for calling. Press 1 for sales: our team is waiting.",
            "שלום, הגעתם למרפאה.\nנא להמתין על הקו",
            "Hours: 9 to 5 p.m. Closed on Sunday.",
            "Sorry, I could not understand that. Please call 555-0100.",
            "Your appointment with Dr. Gray is on Tuesday, at 10:30 a.m.",
            "",
        ] {
            assert!(passes(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_passes_smells_of_nothing(
            pieces in prop::collection::vec(prop_oneof![
                prop::sample::select(MARKS.to_vec()).prop_map(str::to_owned),
                prop::sample::select(MARKS.to_vec()).prop_map(|mark| mark[..mark.len() - 1].to_owned()),
                prop::sample::select(vec![
                    "Error", "Exception", "Fault", "ERROR", "ERROR ", ":", ": ", ".", "!", "\n", "\r\n", " ", "\t",
                    "Key", "com.example.", "Driver", "app.py", "app.js:", "line ", "on line ", "12", "\"", "'",
                    "%s", "%(a)s", "{", "\":", "[object Object]", "\u{a0}", "\u{2028}", "\u{85}", "שלום", "é", "İ", "\u{212a}", "k",
                ]).prop_map(str::to_owned),
                "[ -~]{0,6}",
                "[a-z ]{0,12}",
            ], 0..6),
            upper in any::<bool>(),
        ) {
            let text = pieces.concat().replace(['<', '>'], "");
            let text = if upper { text.to_uppercase() } else { text };
            let may_fold = text.contains(['İ', '\u{212a}']);
            prop_assert_eq!(is_plain(&text, may_fold), is_plain_in_full(&text), "{}", text);
        }
    }
}
