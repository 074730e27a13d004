//! Content types: what the header says, and whether Twilio takes it.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// What the answer's Content-Type headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentType {
    /// None.
    Missing,
    /// More than one, which differ.
    Doubled(String),
    /// Not of the form `type/subtype`.
    Malformed(String),
    /// One media type.
    Media(Media),
}

/// A media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `type/subtype`, lower case.
    pub essence: String,
    /// The `charset` parameter, as written, quotes removed.
    pub charset: Option<String>,
}

impl ContentType {
    /// Reads the headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let Some(first) = values.next() else { return Self::Missing };
        let first = String::from_utf8_lossy(first.as_bytes()).into_owned();
        if values.next().is_some() {
            let all: Vec<_> = headers
                .get_all(CONTENT_TYPE)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            return Self::Doubled(all.join(" | "));
        }
        if first.trim().is_empty() {
            return Self::Missing;
        }
        Media::parse(&first).map_or(Self::Malformed(first), Self::Media)
    }

    /// The media type, where there is exactly one.
    pub fn media(&self) -> Option<&Media> {
        match self {
            Self::Media(media) => Some(media),
            _ => None,
        }
    }

    /// The media type's essence, or nothing.
    pub fn essence(&self) -> &str {
        self.media().map_or("", |media| &media.essence)
    }

    /// As it is shown to people.
    pub fn shown(&self) -> String {
        match self {
            Self::Missing => "no Content-Type".to_owned(),
            Self::Doubled(all) | Self::Malformed(all) => all.clone(),
            Self::Media(media) => match &media.charset {
                Some(charset) => format!("{}; charset={charset}", media.essence),
                None => media.essence.clone(),
            },
        }
    }

    /// A sound that Twilio plays (Twilio docs, TwiML for Programmable Voice, content types).
    pub fn is_audio(&self) -> bool {
        matches!(
            self.essence(),
            "audio/mpeg"
                | "audio/wav"
                | "audio/wave"
                | "audio/x-wav"
                | "audio/aiff"
                | "audio/x-aifc"
                | "audio/x-aiff"
                | "audio/x-gsm"
                | "audio/gsm"
                | "audio/ulaw"
        )
    }
}

impl Media {
    /// Reads one header value; `None` if it has not the form of RFC 9110, section 8.3.1.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = split_parameters(value)?.into_iter();
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut charset = None;
        for part in parts {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=')?;
            let value = match value.strip_prefix('"') {
                Some(quoted) => quoted.strip_suffix('"')?,
                None if is_token(value) => value,
                None => return None,
            };
            if !is_token(name) {
                return None;
            }
            if name.eq_ignore_ascii_case("charset") {
                if charset.is_some() {
                    return None;
                }
                charset = Some(value.to_owned());
            }
        }
        Some(Self { essence, charset })
    }
}

/// Splits at `;` outside quotes; `None` if a quote is left open.
fn split_parameters(value: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(value.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value.get(start..)?);
    (!quoted).then_some(parts)
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read() {
        let media = Media::parse("Text/XML; Charset=\"UTF-8\"").unwrap();
        assert_eq!((media.essence.as_str(), media.charset.as_deref()), ("text/xml", Some("UTF-8")));
        assert_eq!(Media::parse("text/xml;").unwrap().charset, None);
    }

    #[test]
    fn malformed_ones_are_refused() {
        for value in [
            "text",
            "text/",
            "/xml",
            "text/xml; charset",
            "text/xml charset=utf-8",
            "text/xml, text/html",
            "text/xml; charset=a; charset=b",
            "text/xml; charset=\"utf-8",
        ] {
            assert_eq!(Media::parse(value), None, "{value}");
        }
    }
}
