//! Bytes that no label explains, where the document itself tells the language.

use encoding_rs::{
    Encoding, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255,
    WINDOWS_1256,
};

/// The code page that a language is written in where UTF-8 is not.
fn code_page(language: &[u8]) -> Option<&'static Encoding> {
    let language = language.to_ascii_lowercase();
    Some(match language.as_slice() {
        b"he" | b"iw" => WINDOWS_1255,
        b"ar" => WINDOWS_1256,
        b"ru" | b"uk" | b"bg" => WINDOWS_1251,
        b"el" => WINDOWS_1253,
        b"tr" => WINDOWS_1254,
        b"pl" | b"cs" | b"hu" | b"sk" | b"ro" | b"hr" | b"sl" => WINDOWS_1250,
        b"es" | b"fr" | b"de" | b"it" | b"pt" | b"nl" | b"sv" | b"da" | b"nb" | b"fi" | b"en"
        | b"ca" => WINDOWS_1252,
        _ => return None,
    })
}

/// The code page of a document's one language, or Hebrew where nothing else is spelt so.
pub fn evident(body: &[u8]) -> Option<&'static Encoding> {
    if is_damaged_utf8(body) {
        return None;
    }
    let mut languages = memchr::memmem::find_iter(body, b"language=").filter_map(|at| {
        let value = body.get(at + 10..)?;
        let len = value.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        value.get(..len)
    });
    let Some(first) = languages.next() else { return is_hebrew(body).then_some(WINDOWS_1255) };
    let page = code_page(first)?;
    let foreign = if page == WINDOWS_1255 {
        !letters(body).all(|b| HEBREW.contains(&b))
    } else {
        page != WINDOWS_1251 && page != WINDOWS_1253 && page != WINDOWS_1256 && !is_latin(body)
    };
    let broken = page.decode_without_bom_handling_and_without_replacement(body).is_none();
    (!foreign && !broken && languages.all(|other| code_page(other) == Some(page))).then_some(page)
}

/// Whether a good part of the bytes is UTF-8: then something broke it, and it is nothing else.
fn is_damaged_utf8(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let broken = text.matches('\u{fffd}').count();
    let whole = text.chars().filter(|c| !c.is_ascii()).count() - broken;
    whole * 4 >= broken
}

/// Whether accented letters stand alone or in pairs, as they do in languages written in Latin.
fn is_latin(body: &[u8]) -> bool {
    !body.windows(3).any(|run| run.iter().all(|b| *b >= 0xc0))
}

/// The letters of Hebrew in windows-1255.
const HEBREW: std::ops::RangeInclusive<u8> = 0xe0..=0xfa;

/// Its letters that only end a word: ך ם ן ף ץ.
const FINAL: [u8; 5] = [0xea, 0xed, 0xef, 0xf3, 0xf5];

/// Letters that have a final form, and do not end a word.
const NEVER_FINAL: [u8; 3] = [0xee, 0xf0, 0xf6];

/// The same where no final form tells it.
const LEAST_WITHOUT_FINAL: usize = 12;

/// A foreign name or a word cut short ends with one of them now and then.
const LETTERS_PER_SLIP: usize = 100;

/// Hebrew without a hint has so many letters at least.
const LEAST_LETTERS: usize = 4;

fn letters(body: &[u8]) -> impl Iterator<Item = u8> {
    body.iter().copied().filter(|b| *b >= 0xc0)
}

/// Whether the text is Hebrew beyond doubt: words of Hebrew letters alone, final forms at their ends and nowhere
/// else. What is Russian or Greek breaks that within a word or two.
fn is_hebrew(body: &[u8]) -> bool {
    let (mut ends, mut slips) = (0, 0);
    for word in body.split(|b| !b.is_ascii_alphabetic() && *b < 0xc0) {
        let Some((last, others)) = word.split_last() else { continue };
        if word.is_ascii() {
            continue;
        }
        let whole = word.iter().all(|b| HEBREW.contains(b));
        if !whole || others.iter().any(|b| FINAL.contains(b)) {
            return false;
        }
        slips += usize::from(word.len() > 1 && NEVER_FINAL.contains(last));
        ends += usize::from(FINAL.contains(last) && word.len() > 1);
    }
    let count = letters(body).count();
    let enough = if ends > 0 { LEAST_LETTERS } else { LEAST_WITHOUT_FINAL };
    count >= enough && slips * LETTERS_PER_SLIP <= count
}

/// Hebrew in the code page of DOS: the letters of windows-1255, further down.
pub fn hebrew_of_dos(body: &[u8]) -> Option<String> {
    const LETTERS: std::ops::RangeInclusive<u8> = 0x80..=0x9a;
    let sound = |b: &u8| b.is_ascii() || LETTERS.contains(b);
    if body.is_ascii() || !body.iter().all(sound) {
        return None;
    }
    let raised: Vec<u8> = body.iter().map(|b| if b.is_ascii() { *b } else { b + 0x60 }).collect();
    if evident(&raised) != Some(WINDOWS_1255) {
        return None;
    }
    WINDOWS_1255
        .decode_without_bom_handling_and_without_replacement(&raised)
        .map(std::borrow::Cow::into_owned)
}

/// Hebrew of which each byte was read as a letter of Latin-1.
pub fn hebrew_in_latin(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let bytes = bytes.filter(|bytes| letters(bytes).all(|b| HEBREW.contains(&b)))?;
    if bytes.is_ascii() || evident(&bytes) != Some(WINDOWS_1255) || !is_hebrew(&bytes) {
        return None;
    }
    WINDOWS_1255
        .decode_without_bom_handling_and_without_replacement(&bytes)
        .map(std::borrow::Cow::into_owned)
}

/// What the bytes are where a label says that they are western and no western language has such words.
pub fn contradicts(body: &[u8]) -> Option<&'static Encoding> {
    let known = || evident(body).filter(|page| *page != WINDOWS_1252);
    (!is_latin(body)).then(known).flatten()
}

/// Whether the byte there is the inverted mark that begins a question or a cry in Spanish, which a mark ends.
pub fn is_inverted(body: &[u8], at: usize) -> bool {
    let mark = match body.get(at) {
        Some(0xa1) => b'!',
        Some(0xbf) => b'?',
        _ => return false,
    };
    let after = body.get(at + 1..).unwrap_or_default();
    let sentence = after.iter().take_while(|b| !matches!(b, b'<' | b'>'));
    after.first().is_some_and(u8::is_ascii_alphabetic) && sentence.copied().any(|b| b == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_tells_the_code_page() {
        for (document, page) in [
            (&b"<Say language=\"he-IL\">\xf9\xec\xe5\xed</Say>"[..], Some(WINDOWS_1255)),
            (b"<Say language='ru-RU'>\xef\xf0\xe8\xe2\xe5\xf2</Say>", Some(WINDOWS_1251)),
            (b"<Say language=\"es-ES\">\xa1Hola!</Say>", Some(WINDOWS_1252)),
            (b"<Say language=\"ja-JP\">\xf9\xec</Say>", None),
            (b"<Say language=\"en-US\">\xf9\xec\xe5\xed</Say>", None),
            (b"<Say language='ru-RU'>\xd0\xbf\xd1\x80\xff</Say>", None),
            (b"<Say language=\"he-IL\">\xc9\xec</Say>", None),
            (b"<Say language=\"he-IL\">\xf9</Say><Say language=\"ru-RU\">\xf9</Say>", None),
        ] {
            assert_eq!(evident(document), page, "{document:?}");
        }
    }

    #[test]
    fn hebrew_is_read_where_it_was_displaced() {
        let dos = b"<Say>\x99\x8c\x85\x8d</Say>";
        assert_eq!(hebrew_of_dos(dos).as_deref(), Some("<Say>שלום</Say>"));
        assert_eq!(hebrew_of_dos(b"<Say>caf\x82</Say>"), None);
        assert_eq!(hebrew_in_latin("<Say>ùìåí</Say>").as_deref(), Some("<Say>שלום</Say>"));
        for text in [
            "à é è ì ò ù",
            "éèêëïîôùûü",
            "déjà vu à Orléans",
            "<Say language=\"fr-FR\">ùìåí</Say>",
            "plain",
        ] {
            assert_eq!(hebrew_in_latin(text), None, "{text}");
        }
    }

    #[test]
    fn hebrew_is_known_by_its_final_letters() {
        let (hebrew, ..) =
            WINDOWS_1255.encode("<Message>שלום, הגעתם למרפאה. אנא המתינו בסבלנות</Message>");
        assert_eq!(evident(&hebrew), Some(WINDOWS_1255));
        assert_eq!(evident(b"<Message>\xf9\xec\xe5\xed</Message>"), Some(WINDOWS_1255));
        for russian in [
            "привет, как дела, когда придешь домой",
            "Привет",
            "нажмите один",
            "ждите",
            "звоните позже",
        ] {
            let text = format!("<Message>{russian}</Message>");
            assert_eq!(evident(&WINDOWS_1251.encode(&text).0), None, "{russian}");
        }
        for greek in ["καλημέρα σας", "Καλημέρα", "περιμένετε παρακαλώ"]
        {
            let text = format!("<Message>{greek}</Message>");
            assert_eq!(evident(&WINDOWS_1253.encode(&text).0), None, "{greek}");
        }
        assert_eq!(evident(b"<Message>caf\xe9 \xe0 la cr\xe8me</Message>"), None);
    }
}
