//! Text in UTF-8 that was read as Latin-1 or windows-1252 and encoded once more.

use encoding_rs::WINDOWS_1252;

use super::unlabelled::hebrew_in_latin;

/// Fewer sequences than this could be what was meant.
const MIN_SEQUENCES: usize = 2;

/// What a text was before it was encoded once too often, as often as that shows. `None` unless every
/// single character that is not ASCII is part of such a sequence.
pub fn undoubled(text: &str) -> Option<String> {
    if let Some(hebrew) = hebrew_in_latin(text) {
        return Some(hebrew);
    }
    let mut once = undo(text)?;
    // Each round leaves half of the other characters at most.
    while let Some(more) = undo(&once) {
        once = more;
    }
    // Nobody wrote a C1 control character or half a character.
    let sane = !once.contains(|c| matches!(c, '\u{80}'..='\u{9f}' | '\u{fffd}'..='\u{ffff}'));
    sane.then_some(once)
}

/// So many characters that are not ASCII tell whether a text was encoded too often, mostly.
const TELLING: usize = 64;

/// Whether a look at the first few characters that are not ASCII tells that [`undoubled`] has nothing
/// to give.
pub fn is_never_doubled(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ascii = bytes.chunks(64).take_while(|chunk| chunk.is_ascii()).count() * 64;
    let is_ascii = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(u8::is_ascii);
    let is_letter =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphabetic);
    let (mut is_utf8, mut is_hebrew) = (true, true);
    let rest = text.get(ascii..).unwrap_or_default();
    let others = rest.char_indices().filter(|(_, c)| !c.is_ascii()).take(TELLING);
    for (at, c) in others {
        let before = (ascii + at).checked_sub(1);
        let after = Some(ascii + at + c.len_utf8());
        let stands_alone = is_ascii(before) && is_ascii(after);
        // One byte of its own, or none in the encoding it would have been read in.
        is_utf8 &= !stands_alone && !matches!(c, '\u{300}'..='\u{1fff}' | '\u{2200}'..);
        // Hebrew has no letters of ASCII in its words, and no characters beyond Latin-1.
        let is_in_word = c >= '\u{c0}' && (is_letter(before) || is_letter(after));
        is_hebrew &= c <= '\u{ff}' && !is_in_word;
        if !is_utf8 && !is_hebrew {
            return true;
        }
    }
    false
}

fn undo(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        bytes.push(byte(c)?);
    }
    let undone = String::from_utf8(bytes).ok()?;
    let sequences = undone.chars().filter(|&c| !c.is_ascii() && is_telling(c)).count();
    let enough = sequences >= MIN_SEQUENCES && is_within_words(text) || is_certain(text);
    enough.then_some(undone)
}

/// Whether a capital `Ã` or `Â` stands where none can: behind a small letter of ASCII, or before an inverted mark that begins
/// a word.
fn is_certain(text: &str) -> bool {
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let mut next = rest.clone();
        let sign = next.next().unwrap_or(' ');
        let behind = matches!(c, 'Ã' | 'Â')
            && before.is_ascii_lowercase()
            && !sign.is_ascii()
            && !sign.is_alphabetic();
        let inverted = c == 'Â'
            && matches!(sign, '¡' | '¿')
            && next.next().is_some_and(|c| c.is_ascii_alphabetic());
        if behind || inverted {
            return true;
        }
        before = c;
    }
    false
}

/// Whether a character that is not ASCII stands in a word, as damage does: beside an ASCII letter,
/// or as one of more than a sequence. Each alone between blanks is what a text speaks of.
fn is_within_words(text: &str) -> bool {
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).any(|word| {
        let others = word.chars().filter(|c| !c.is_ascii()).count();
        others > 3 || others > 0 && word.contains(|c: char| c.is_ascii_alphabetic())
    })
}

/// The byte that was read as this character.
fn byte(c: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(u32::from(c)) {
        return Some(byte);
    }
    let mut buffer = [0; 4];
    let (encoded, _, unmappable) = WINDOWS_1252.encode(c.encode_utf8(&mut buffer));
    match (unmappable, encoded.as_ref()) {
        (false, &[byte]) => Some(byte),
        _ => None,
    }
}

/// Whether the bytes of a character, read as windows-1252, are more than a capital letter before
/// a quotation mark, a dash or an ellipsis, which people write.
fn is_telling(c: char) -> bool {
    let mut buffer = [0; 4];
    c.encode_utf8(&mut buffer).bytes().skip(1).any(|b| {
        !matches!(
            b,
            0x82 | 0x84 | 0x85 | 0x8b | 0x91
                ..=0x97 | 0x9b | 0xa0 | 0xab | 0xb0 | 0xb4 | 0xb7 | 0xbb
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn doubled(text: &str) -> String {
        let bytes = text.bytes();
        bytes
            .map(|b| match WINDOWS_1252.decode_without_bom_handling(&[b]).0.chars().next() {
                Some(c) => c,
                None => char::from(b),
            })
            .collect()
    }

    #[test]
    fn what_was_encoded_twice_is_read_once() {
        for text in ["Grüße aus Köln", "שלום, הגעתם", "Ça va — très bien", "日本語"]
        {
            assert_eq!(undoubled(&doubled(text)).as_deref(), Some(text));
            assert_eq!(undoubled(&doubled(&doubled(text))).as_deref(), Some(text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_never_doubled_is_not_undone(
            pieces in prop::collection::vec(prop_oneof![
                "[a-zA-Z .,]{0,8}",
                "[à-úÀ-ÿ]{1,5}",
                "[\u{80}-\u{ff}“”–€™œŠ]{1,3}",
                prop::sample::select(vec!["Grüße", "שלום", "Ã©", "Â¿Que", "ça va", "日本", "\u{2122}", "’"])
                    .prop_map(str::to_owned),
                prop::sample::select(vec!["Grüße aus Köln", "שלום, הגעתם", "日本語"]).prop_map(doubled),
            ], 0..6),
        ) {
            let text = pieces.concat();
            prop_assert!(!is_never_doubled(&text) || undoubled(&text).is_none(), "{}", text);
        }
    }

    #[test]
    fn most_texts_were_never_doubled() {
        for text in ["Grüße aus Köln", "שלום", "naïve", "It’s “fine”, café", "日本語"]
        {
            assert!(is_never_doubled(text), "{text}");
        }
        assert!(!is_never_doubled(&doubled("Grüße aus Köln")));
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "Grüße aus Köln",
            "NÃO É ASSIM",
            "SÅ” och ”PÅ” och »Ü«",
            "Ã© is what é looks like, and Ã¼ is ü",
            "Ã©",
            "Ã© and Ã¼ are damaged",
            "שלום",
            "x × 2 © 2024",
            "plain",
        ] {
            assert_eq!(undoubled(text), None, "{text}");
        }
    }
}
