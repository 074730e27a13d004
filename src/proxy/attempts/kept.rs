//! An answer as it is kept for those who ask again.

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;

/// A response in one piece of memory, no larger than it is: its parts share what they were read into,
/// which is a multiple of it.
#[derive(Debug)]
pub(super) struct Kept {
    status: StatusCode,
    version: Version,
    /// How many lines its head has.
    lines: usize,
    /// Of each line the lengths of name and value, these two, and behind all of them the body.
    text: Bytes,
    extensions: Extensions,
}

/// Bytes of a length.
const LENGTH: usize = size_of::<u32>();

impl Kept {
    /// Copies an answer.
    pub(super) fn of(answer: &Response<Bytes>) -> Self {
        let (headers, body) = (answer.headers(), answer.body());
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            2 * LENGTH + name.as_str().len() + value.len()
        };
        let head: usize = headers.iter().map(line).sum();
        let mut text = Vec::with_capacity(head + body.len());
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), value.as_bytes()] {
                // What was read of a head is a small part of what fits in.
                let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
                text.extend_from_slice(&length.to_ne_bytes());
            }
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
        text.extend_from_slice(body);
        let mut extensions = answer.extensions().clone();
        if let Some(reason) = extensions.get_mut::<ReasonPhrase>()
            && let Ok(own) = ReasonPhrase::try_from(reason.as_bytes())
        {
            *reason = own;
        }
        Self {
            status: answer.status(),
            version: answer.version(),
            lines: headers.len(),
            text: text.into(),
            extensions,
        }
    }

    /// The answer again.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        let mut rest = self.text.clone();
        let mut take = |length: usize| rest.split_to(length.min(rest.len()));
        for _ in 0..self.lines {
            let mut length = || {
                let bytes = <[u8; LENGTH]>::try_from(&take(LENGTH)[..]).unwrap_or_default();
                usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(usize::MAX)
            };
            let (of_name, of_value) = (length(), length());
            let (name, value) = (take(of_name), take(of_value));
            // They were a name and a value before.
            if let Ok(name) = HeaderName::from_bytes(&name)
                && let Ok(value) = HeaderValue::from_maybe_shared(value)
            {
                response.headers_mut().append(name, value);
            }
        }
        *response.body_mut() = rest;
        *response.extensions_mut() = self.extensions.clone();
        response
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_answer_comes_back_as_it_was(
            status in 200_u16..600,
            lines in prop::collection::vec(("[a-c]{1,2}", "[ -~\u{80}-\u{ff}]{0,9}"), 0..9),
            body: Vec<u8>,
            reason in "[ -~]{0,9}",
        ) {
            let mut answer = Response::new(Bytes::from(body));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in lines {
                let name = HeaderName::try_from(name).unwrap();
                answer.headers_mut().append(name, HeaderValue::try_from(value).unwrap());
            }
            let reason = ReasonPhrase::try_from(reason).unwrap();
            answer.extensions_mut().insert(reason.clone());
            let kept = Kept::of(&answer);
            let again = kept.answer();
            prop_assert_eq!(again.status(), answer.status());
            prop_assert_eq!(again.headers(), answer.headers());
            prop_assert_eq!(again.body(), answer.body());
            prop_assert_eq!(again.extensions().get::<ReasonPhrase>(), Some(&reason));
            prop_assert!(kept.size() >= answer.body().len());
        }
    }

    #[test]
    fn nothing_of_it_shares_what_it_was_read_into() {
        let read = Bytes::from(vec![b'x'; 8192]);
        let mut answer = Response::new(read.slice(..350));
        let value = HeaderValue::from_maybe_shared(read.slice(400..410)).unwrap();
        answer.headers_mut().insert("a", value);
        answer.extensions_mut().insert(ReasonPhrase::try_from(read.slice(500..510)).unwrap());
        let kept = Kept::of(&answer);
        drop(answer);
        assert!(read.is_unique());
        assert!(kept.size() < 600, "{}", kept.size());
    }
}
