//! Characters of four bytes, and pairs of surrogates written as two characters of UTF-8 each.

/// UTF-32 with its mark, or without where the text begins with `<`.
pub fn utf32(body: &[u8]) -> Option<String> {
    let little = match body {
        [0xff, 0xfe, 0, 0, ..] | [b'<', 0, 0, 0, ..] => true,
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] => false,
        _ => return None,
    };
    if !body.len().is_multiple_of(4) {
        return None;
    }
    let units = body.chunks_exact(4).filter_map(|unit| unit.try_into().ok());
    let read =
        |unit: [u8; 4]| if little { u32::from_le_bytes(unit) } else { u32::from_be_bytes(unit) };
    let text: String = units.map(|unit| char::from_u32(read(unit))).collect::<Option<_>>()?;
    Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// CESU-8, as Java and Oracle write it: UTF-8 but for characters beyond the first plane.
pub fn cesu(body: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(body.len());
    let mut rest = body;
    let mut pairs = 0;
    while let Some((&first, after)) = rest.split_first() {
        if let &[
            0xed,
            high @ 0xa0..=0xaf,
            low @ 0x80..=0xbf,
            0xed,
            high2 @ 0xb0..=0xbf,
            low2 @ 0x80..=0xbf,
            ..,
        ] = rest
        {
            let unit =
                |high: u8, low: u8| 0xd000 | u32::from(high & 0x3f) << 6 | u32::from(low & 0x3f);
            let c = 0x10000 + ((unit(high, low) - 0xd800) << 10) + (unit(high2, low2) - 0xdc00);
            plain.extend_from_slice(char::from_u32(c)?.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(6..)?;
            pairs += 1;
        } else {
            plain.push(first);
            rest = after;
        }
    }
    if pairs == 0 {
        return None;
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_one_character() {
        let little: Vec<u8> =
            "\u{feff}<a>\u{1f44b}</a>".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(utf32(&little).as_deref(), Some("<a>\u{1f44b}</a>"));
        let big: Vec<u8> = "<a/>".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        assert_eq!(utf32(&big).as_deref(), Some("<a/>"));
        assert_eq!(utf32(b"<\0\0\0\0\xd8\0\0"), None);
        assert_eq!(utf32(b"<a/>"), None);
    }

    #[test]
    fn surrogates_are_paired() {
        assert_eq!(cesu(b"Hi \xed\xa0\xbd\xed\xb1\x8b").as_deref(), Some("Hi \u{1f44b}"));
        assert_eq!(cesu(b"\xed\xa0\xbd"), None);
        assert_eq!(cesu("שלום".as_bytes()), None);
    }
}
