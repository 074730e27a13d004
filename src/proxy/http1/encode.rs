//! Writes heads and chunks.

use http::{Extensions, HeaderMap, HeaderName};

use super::spelt::{self, Spelt};

/// The last chunk, without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Adds the lines of headers, each name as it was written, but for the names that `is_left_out`
/// says: the framing is the writer's own.
pub(crate) fn fields(
    buf: &mut Vec<u8>,
    headers: &HeaderMap,
    extensions: &Extensions,
    is_left_out: impl Fn(&HeaderName) -> bool,
) {
    let spelt = extensions.get::<Spelt>();
    let mut before: Option<(&HeaderName, usize)> = None;
    for (name, value) in headers {
        if is_left_out(name) {
            continue;
        }
        let at = match before {
            // The lines of one name stand together.
            Some((last, at)) if spelt.is_some() && last == name => at + 1,
            _ => 0,
        };
        before = Some((name, at));
        spelt::write(buf, name, at, spelt);
        buf.extend_from_slice(b": ");
        buf.extend_from_slice(value.as_bytes());
        buf.extend_from_slice(b"\r\n");
    }
}

/// Adds a number in decimal digits.
pub(crate) fn decimal(buf: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        from -= 1;
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buf.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// Adds what stands ahead of a chunk's data: its size in hexadecimal digits, and the line's end.
pub(crate) fn chunk_size(buf: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let is_leading = |at: &u32| *at > 0 && size >> (4 * at) == 0;
    for at in (0..usize::BITS / 4).rev().skip_while(is_leading) {
        buf.extend(DIGITS.get(size >> (4 * at) & 15));
    }
    buf.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_does(number: u64, size: usize) {
            for (number, size) in [(number, size), (number % 1000, size % 1000), (0, 0)] {
                let (mut decimals, mut sizes) = (Vec::new(), Vec::new());
                decimal(&mut decimals, number);
                chunk_size(&mut sizes, size);
                prop_assert_eq!(decimals, number.to_string().into_bytes());
                prop_assert_eq!(sizes, format!("{size:x}\r\n").into_bytes());
            }
        }
    }

    #[test]
    fn lines_are_written_in_order_with_their_spelling() {
        let (mut headers, mut spelt) = (HeaderMap::new(), Spelt::default());
        for (written, value) in
            [("ETag", "1"), ("Content-Length", "7"), ("set-cookie", "a"), ("Set-Cookie", "b")]
        {
            let name = HeaderName::from_bytes(written.as_bytes()).unwrap();
            spelt.note(&headers, &name, written.as_bytes());
            headers.append(name, HeaderValue::from_static(value));
        }
        let lines = |extensions: &Extensions| {
            let mut buf = Vec::new();
            fields(&mut buf, &headers, extensions, |name| name == http::header::CONTENT_LENGTH);
            String::from_utf8(buf).unwrap()
        };
        assert_eq!(lines(&Extensions::new()), "Etag: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n");
        let mut extensions = Extensions::new();
        extensions.insert(spelt);
        assert_eq!(lines(&extensions), "ETag: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\n");
    }
}
