//! From bytes to characters: byte order marks, labels, and what the bytes really are.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::finding::Grade;
use super::unlabelled::{contradicts, evident, hebrew_of_dos, is_inverted};
use super::wide::{cesu, utf32};

/// A body as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'b> {
    /// The characters, byte order marks at the very start removed.
    pub text: Cow<'b, str>,
    /// How many byte order marks were removed.
    pub marks: usize,
    /// The encoding it was in, if that was not UTF-8, and how sure that is.
    pub transcoded: Option<(&'static str, Grade)>,
}

/// Bytes that no stated or evident encoding explains.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected UTF-8 or a stated encoding, found the bytes {bytes} at offset {offset}")]
pub struct Undecodable {
    /// Offset of the first one.
    pub offset: usize,
    /// Some of them, in hex.
    pub bytes: String,
}

/// Decodes a body, given the charset parameter of its Content-Type.
pub fn decode<'b>(body: &'b [u8], charset: Option<&str>) -> Result<Text<'b>, Undecodable> {
    if let Some(text) = utf32(body) {
        let text = Cow::Owned(text);
        return Ok(Text { text, marks: 0, transcoded: Some(("UTF-32", Grade::Lossless)) });
    }
    if let Some(encoding) = wide(body) {
        // A line end of one byte behind characters of two.
        let odd = !body.len().is_multiple_of(2)
            && body.last().is_some_and(|b| matches!(b, b'\n' | b'\r' | b' ' | 0));
        let body = body.get(..body.len() - usize::from(odd)).unwrap_or(body);
        return whole(body, encoding, Grade::Lossless)
            .map(|text| Text { marks: usize::from(Encoding::for_bom(body).is_some()), ..text });
    }
    // The mark of another encoding before text of single bytes.
    let untrue = body.strip_prefix(b"\xff\xfe").or_else(|| body.strip_prefix(b"\xfe\xff"));
    let mut rest = untrue.unwrap_or(body);
    let mut marks = usize::from(untrue.is_some());
    while let Some(after) = rest.strip_prefix(b"\xef\xbb\xbf") {
        rest = after;
        marks += 1;
    }
    let declared = declared_encoding(rest);
    let mut labels = [charset, declared].into_iter().flatten();
    if let Some((label, at)) = labels.find_map(|label| Some((label, shifts(label, rest)?))) {
        let encoding = single_byte(label).ok_or_else(|| undecodable(rest, at))?;
        return whole(rest, encoding, Grade::Lossless);
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        return Ok(Text { text: Cow::Borrowed(text), marks, transcoded: None });
    }
    if let Some(text) = cesu(rest) {
        let text = Cow::Owned(text);
        return Ok(Text { text, marks, transcoded: Some(("CESU-8", Grade::Lossless)) });
    }
    if let Some(text) = hebrew_of_dos(rest) {
        let text = Cow::Owned(text);
        return Ok(Text { text, marks, transcoded: Some(("IBM862", Grade::Inferred)) });
    }
    let unknown = |label: &str| Encoding::for_label(label.trim().as_bytes()).is_none();
    if charset.is_some_and(unknown) || declared.is_some_and(unknown) {
        return Err(broken(rest));
    }
    let stated = charset.and_then(single_byte);
    let declared = declared.and_then(single_byte);
    let (encoding, grade) = match (stated, declared) {
        // What servers say of whatever they send, of words that no western language has.
        (Some(stated), None) | (None, Some(stated))
            if stated == WINDOWS_1252 && contradicts(rest).is_some() =>
        {
            (contradicts(rest).unwrap_or(stated), Grade::Inferred)
        }
        (Some(stated), Some(declared)) if stated != declared => (stated, Grade::Inferred),
        (Some(encoding), _) | (None, Some(encoding)) => (encoding, Grade::Lossless),
        (None, None) => match evident(rest) {
            Some(encoding) => (encoding, Grade::Inferred),
            None if is_lone_latin(rest) => (WINDOWS_1252, Grade::Inferred),
            None => return Err(broken(rest)),
        },
    };
    whole(rest, encoding, grade).map(|text| Text { marks, ..text })
}

/// Whether `label` names an encoding in which ASCII bytes are ASCII characters, by a name that
/// XML parsers know (IANA's registered ones for UTF-8, US-ASCII, windows-125x, and those of
/// ISO-8859-x that Java has).
pub fn is_ascii_compatible(label: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "utf-8", "us-ascii", "ascii", "latin1", "koi8-r", "gb2312", "gb18030", "big5", "euc-jp",
        "euc-kr",
    ];
    let label = label.to_ascii_lowercase();
    let numbered = |head: &str, known: &[u8]| {
        label.strip_prefix(head).is_some_and(|number| {
            number.parse().is_ok_and(|number| known.contains(&number))
                && !number.starts_with(['+', '0'])
        })
    };
    OTHERS.contains(&label.as_str())
        || numbered("iso-8859-", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15])
        || label.strip_prefix("windows-125").is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'8']))
}

/// The same for the charset of a header, which may name it by more common aliases.
pub fn is_ascii_compatible_in_header(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    let usual = label
        .strip_prefix("cp125")
        .map(|number| format!("windows-125{number}"))
        .or_else(|| label.strip_prefix("iso8859-").map(|number| format!("iso-8859-{number}")));
    matches!(label.as_str(), "ascii" | "hebrew" | "gbk")
        || is_ascii_compatible(usual.as_deref().unwrap_or(&label))
}

/// Whether a label is one of UTF-8's.
pub fn is_utf8(label: &str) -> bool {
    label.eq_ignore_ascii_case("utf-8") || label.eq_ignore_ascii_case("utf8")
}

/// UTF-16, by its mark or by two characters of markup; a lone NUL before a document is junk.
fn wide(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [0xff, 0xfe, b'<', next, ..] | [0xfe, 0xff, b'<', next, ..] if *next != 0 => None,
        [0xff, 0xfe, ..] | [b'<', 0, _, 0, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] | [0, b'<', 0, _, ..] => Some(UTF_16BE),
        _ => None,
    }
}

/// Where a body shifts to other characters that a label's encoding writes in ASCII bytes.
fn shifts(label: &str, body: &[u8]) -> Option<usize> {
    let mark: &[u8] = match label.to_ascii_lowercase().as_str() {
        "utf-7" => b"+",
        "hz-gb-2312" => b"~{",
        label if label.starts_with("iso-2022-") => b"\x1b",
        _ => return None,
    };
    memchr::memmem::find(body, mark)
}

fn whole<'b>(
    body: &'b [u8],
    encoding: &'static Encoding,
    grade: Grade,
) -> Result<Text<'b>, Undecodable> {
    let (text, malformed) = encoding.decode_with_bom_removal(body);
    if malformed {
        return Err(broken(body));
    }
    Ok(Text { text, marks: 0, transcoded: Some((encoding.name(), grade)) })
}

/// The encoding of a label, where it is neither UTF-8 nor wide: those were tried.
fn single_byte(label: &str) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label_no_replacement(label.trim().as_bytes())?;
    (encoding != UTF_8 && encoding != UTF_16LE && encoding != UTF_16BE).then_some(encoding)
}

/// The label in an XML declaration near the start.
fn declared_encoding(body: &[u8]) -> Option<&str> {
    let head = body.get(..body.len().min(512))?;
    let start = memchr::memmem::find(head, b"<?xml")?;
    let head = head.get(start..)?;
    let head = head.get(..memchr::memmem::find(head, b"?>")?)?;
    let after = head.get(memchr::memmem::find(head, b"encoding")? + 8..)?.trim_ascii_start();
    let value = after.strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = value.split_first()?;
    let end = memchr::memchr(quote, value)?;
    std::str::from_utf8(value.get(..end)?).ok()
}

/// Whether every byte that is not ASCII stands alone or in a pair within a word of ASCII letters,
/// as in western European text, and none of them is UTF-8: one sensible reading.
fn is_lone_latin(body: &[u8]) -> bool {
    let mut at = 0;
    while at < body.len() {
        if body.get(at).is_some_and(u8::is_ascii) {
            at += 1;
            continue;
        }
        let run =
            body.get(at..).map_or(0, |rest| rest.iter().take_while(|b| !b.is_ascii()).count());
        let bytes = body.get(at..at + run).unwrap_or_default();
        let before =
            at.checked_sub(1).and_then(|i| body.get(i)).is_some_and(u8::is_ascii_alphabetic);
        let after = body.get(at + run).is_some_and(u8::is_ascii_alphabetic);
        // Icelandic alone has the letters that Turkish, Czech and others have other ones for.
        if is_inverted(body, at) || run == 1 && is_word(body, at) {
            at += run;
            continue;
        }
        let elsewhere = [0xd0, 0xd7, 0xdd, 0xde, 0xf0, 0xf7, 0xfd, 0xfe];
        let letters = bytes.iter().all(|b| *b >= 0xc0 && !elsewhere.contains(b));
        if run > 2 || !letters || !(before || after) || std::str::from_utf8(bytes).is_ok() {
            return false;
        }
        at += run;
    }
    true
}

/// `è` or `é` as a word of its own.
fn is_word(body: &[u8], at: usize) -> bool {
    let blank = |byte: Option<&u8>| byte == Some(&b' ');
    matches!(body.get(at), Some(0xe8 | 0xe9))
        && at.checked_sub(1).is_some_and(|before| blank(body.get(before)))
        && blank(body.get(at + 1))
        && body.get(at + 2).is_some_and(u8::is_ascii_alphabetic)
}

/// The first byte that is no UTF-8, for the record.
fn broken(body: &[u8]) -> Undecodable {
    undecodable(body, std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len))
}

fn undecodable(body: &[u8], offset: usize) -> Undecodable {
    let bytes: Vec<_> = body.iter().skip(offset).take(4).map(|b| format!("{b:02x}")).collect();
    Undecodable { offset, bytes: bytes.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8], charset: Option<&str>) -> String {
        decode(body, charset).unwrap().text.into_owned()
    }

    #[test]
    fn marks_are_removed_and_counted() {
        let read = decode(b"\xef\xbb\xbf\xef\xbb\xbf<a/>", None).unwrap();
        assert_eq!((read.text.as_ref(), read.marks), ("<a/>", 2));
    }

    #[test]
    fn wide_characters_are_read_with_and_without_a_mark() {
        let le: Vec<u8> = "<a>שלום</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&le, None), "<a>שלום</a>");
        let be: Vec<u8> = "\u{feff}<a/>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&be, None), "<a/>");
        let odd = [be.as_slice(), b"\n"].concat();
        assert_eq!(text(&odd, None), "<a/>");
        assert_eq!(text("\u{feff}<a>é</a>".as_bytes(), None), "<a>é</a>");
        assert_eq!(text(&[b"\xff\xfe", "<a>é</a>".as_bytes()].concat(), None), "<a>é</a>");
    }

    #[test]
    fn a_label_explains_bytes_that_are_not_utf8() {
        assert_eq!(text(b"\xf9\xec\xe5\xed", Some("windows-1255")), "שלום");
        assert_eq!(
            text(b"<?xml version='1.0' encoding='windows-1255'?><a>\xf9</a>", None),
            "<?xml version='1.0' encoding='windows-1255'?><a>ש</a>"
        );
        assert_eq!(text("é".as_bytes(), Some("iso-8859-1")), "é");
        assert_eq!(text(b"\x1b$B$3\x1b(B", Some("ISO-2022-JP")), "こ");
        assert!(decode(b"+BdE-", Some("utf-7")).is_err());
        assert!(decode(b"caf\x82", Some("ibm437")).is_err());
        assert_eq!(text(b"\xf9\xec\xe5\xed", Some("iso-8859-1")), "שלום");
    }

    #[test]
    fn without_a_label_only_lone_latin_letters_have_one_reading() {
        assert_eq!(text(b"caf\xe9 ol\xe9", None), "café olé");
        assert_eq!(text(b"\xf9\xec\xe5\xed", None), "שלום");
        assert_eq!(text(b"<a>\xa1Hola!</a>", None), "<a>¡Hola!</a>");
        assert_eq!(text(b"Tutto \xe8 a posto", None), "Tutto è a posto");
        assert!(decode(b"a \xff b", Some("utf-8")).is_err());
        assert!(decode(b"Te\xfeekk\xfcrler", None).is_err());
    }
}
