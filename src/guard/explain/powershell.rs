//! What `Invoke-WebRequest` prints of an answer.

use super::terminal::{bare, lines};

/// A PowerShell listing as the answer it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Head and body as `curl -i` would have shown them.
    pub answer: Vec<u8>,
    /// Whether PowerShell left out the body's end.
    pub cut: bool,
    /// Whether it showed a body at all.
    pub has_body: bool,
}

/// Reads the listing (`StatusCode : 200`, …) or the error that takes its place.
pub(super) fn read(input: &[u8]) -> Option<Listing> {
    let text = String::from_utf8_lossy(input.get(..input.len().min(1024 * 1024))?);
    match value(&text, "StatusCode") {
        Some(status) => Some(listing(&text, status.trim())),
        None => error(&text),
    }
}

fn listing(text: &str, status: &str) -> Listing {
    let raw = value(text, "RawContent").unwrap_or_default();
    let content = value(text, "Content").unwrap_or_default();
    let body = content.trim_end();
    let cut = body.ends_with("...") || body.ends_with('…');
    let head = raw.split("\n\n").next().unwrap_or_default();
    let head = if head.starts_with("HTTP/") {
        head.trim_end_matches("...").to_owned()
    } else {
        format!("HTTP/1.1 {status}")
    };
    let body = if cut { body.trim_end_matches(['.', '…']) } else { body };
    Listing {
        answer: format!("{head}\n\n{body}").into_bytes(),
        cut,
        has_body: !body.is_empty()
            || value(text, "RawContentLength").is_some_and(|n| n.trim() == "0"),
    }
}

/// A property's value; its further lines are those that are indented as far as the first begins.
fn value(text: &str, name: &str) -> Option<String> {
    let mut found: Option<(usize, String)> = None;
    for line in lines(text.as_bytes()) {
        let line = std::str::from_utf8(bare(line)).ok()?;
        match &mut found {
            None => {
                let Some((key, value)) = line.split_once(':') else { continue };
                if key.trim_end() == name && key.len() > name.len() {
                    found = Some((key.len() + 2, value.trim_start().to_owned()));
                }
            }
            Some((indent, value)) => {
                let (margin, rest) = line.split_at_checked(*indent).unwrap_or((line, ""));
                if !margin.trim().is_empty() {
                    break;
                }
                value.push('\n');
                value.push_str(rest);
            }
        }
    }
    found.map(|(_, value)| value)
}

/// `The remote server returned an error: (404) Not Found.`, `Response status code does not indicate
/// success: 404 (Not Found).`
fn error(text: &str) -> Option<Listing> {
    let marks = ["returned an error: (", "does not indicate success: "];
    let rest = marks.iter().find_map(|mark| text.split_once(mark))?.1;
    let status = rest.get(..3).filter(|status| status.bytes().all(|b| b.is_ascii_digit()))?;
    let answer = format!("HTTP/1.1 {status}\n\n").into_bytes();
    Some(Listing { answer, cut: false, has_body: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_becomes_an_answer() {
        let listing = read(
            b"\r\nStatusCode        : 200\r\nStatusDescription : OK\r\nContent           : <Response>\r\n                      <Say>Hi</Say>\r\n                    </Response>\r\nRawContent        : HTTP/1.1 200 OK\r\n                    Content-Type: text/xml\r\n                    \r\n                    <Respon...\r\nHeaders           : {[Content-Type, text/xml]}\r\nRawContentLength  : 41\r\n",
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(listing.answer).unwrap(),
            "HTTP/1.1 200 OK\nContent-Type: text/xml\n\n<Response>\n  <Say>Hi</Say>\n</Response>"
        );
        assert!(!listing.cut && listing.has_body);
    }

    #[test]
    fn a_cut_body_is_known_to_be_cut() {
        let listing =
            read(b"StatusCode        : 200\nContent           : <Response><Say>Hel...\n").unwrap();
        assert!(listing.cut);
        assert_eq!(listing.answer, b"HTTP/1.1 200\n\n<Response><Say>Hel");
    }

    #[test]
    fn an_error_has_a_status_and_no_more() {
        for text in [
            "Invoke-WebRequest : The remote server returned an error: (404) Not Found.",
            "Invoke-WebRequest: Response status code does not indicate success: 404 (Not Found).",
        ] {
            let listing = read(text.as_bytes()).unwrap();
            assert!(listing.answer.starts_with(b"HTTP/1.1 404") && !listing.has_body);
        }
    }

    #[test]
    fn other_answers_are_none_of_this() {
        for text in ["StatusCode: 200", "<Response/>", "HTTP/1.1 200 OK\nStatusCode: 200\n\n"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
