//! Chunks that are still in a body: written by the application, or under a head that hides them.

use super::twiml;

/// Reads a body as chunks (RFC 9112, section 7.1): the data, and whether the last chunk came.
///
/// `None` unless it begins with one whole chunk at least and nothing else than chunks follows.
pub fn unchunked(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut rest = body;
    let mut data = Vec::new();
    let mut is_first = true;
    loop {
        let Some((size, behind)) = size_line(rest) else {
            // Cut within a size: still chunks, but not all of them.
            let is_cut =
                rest.len() < 12 && rest.iter().all(|&b| b.is_ascii_hexdigit() || b == b'\r');
            return (is_cut && !is_first).then_some((data, false));
        };
        if size == 0 {
            let trailer = behind.strip_prefix(b"\r\n")?;
            return (!is_first && trailer.trim_ascii().is_empty()).then_some((data, true));
        }
        let Some(piece) = behind.get(..size) else {
            data.extend_from_slice(behind);
            return (!is_first).then_some((data, false));
        };
        data.extend_from_slice(piece);
        let end = behind.get(size..)?;
        if matches!(end, b"" | b"\r") {
            return Some((data, false));
        }
        rest = end.strip_prefix(b"\r\n")?;
        is_first = false;
    }
}

/// The number in the first line, and what stands behind that line.
fn size_line(text: &[u8]) -> Option<(usize, &[u8])> {
    let end = memchr::memchr(b'\n', text.get(..text.len().min(64))?)?;
    let line = text.get(..end)?.strip_suffix(b"\r")?;
    let digits = line.split(|&b| b == b';').next()?.trim_ascii_end();
    let is_size = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_size)?;
    Some((usize::from_str_radix(digits, 16).ok()?, text.get(end + 1..)?))
}

/// Whether a body begins as a chunk does: whoever wrote it counts otherwise than whoever reads it.
pub fn begins_as_chunk(body: &[u8]) -> bool {
    size_line(body).is_some()
}

/// Whether these bytes are one whole document, so that nothing more has to be waited for.
pub fn is_whole(body: &[u8]) -> bool {
    match unchunked(body) {
        Some((data, is_whole)) => is_whole && is_document(&data),
        None => is_document(body),
    }
}

fn is_document(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| twiml::read(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_told_by_its_first_line() {
        assert!(begins_as_chunk(b"1a\r\n<Response/>"));
        assert!(
            !begins_as_chunk(b"<Response/>\r\n")
                && !begins_as_chunk(b"")
                && !begins_as_chunk(b"1a")
        );
    }

    fn undone(body: &str) -> Option<(String, bool)> {
        unchunked(body.as_bytes()).map(|(data, whole)| (String::from_utf8(data).unwrap(), whole))
    }

    #[test]
    fn whole_and_cut_chunks_are_told_apart() {
        assert_eq!(
            undone("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
            Some(("abcde".to_owned(), true))
        );
        for cut in ["3\r\nabc", "3\r\nabc\r", "3\r\nabc\r\n", "3\r\nabc\r\n2", "3\r\nabc\r\n2\r\nd"]
        {
            assert!(undone(cut).is_some_and(|(_, whole)| !whole), "{cut:?}");
        }
    }

    #[test]
    fn what_is_not_chunks_is_left_alone() {
        for other in [
            "",
            "abc",
            "<Response/>",
            "3\r\nabcd\r\n0\r\n\r\n",
            "12\r\nshort",
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\nmore",
        ] {
            assert_eq!(undone(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_document_is_whole_when_its_root_and_its_chunks_are() {
        assert!(is_whole(b"<Response/>\n"));
        assert!(is_whole(b"b\r\n<Response/>\r\n0\r\n\r\n"));
        for part in
            [&b"<Response>"[..], b"b\r\n<Response/>\r\n", b"<Response/><Response/>", b"\xff"]
        {
            assert!(!is_whole(part));
        }
    }
}
