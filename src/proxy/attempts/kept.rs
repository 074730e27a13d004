//! An answer as it is kept for those who ask again.

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;

/// A response in a piece of memory of its own, no larger than it is: its parts share what they were
/// read into, which is a multiple of it.
#[derive(Debug)]
pub(super) struct Kept {
    status: StatusCode,
    version: Version,
    /// Each line's name, and where in the text its value ends.
    lines: Box<[(HeaderName, usize)]>,
    /// The lines' values one after the other, and the body.
    text: Bytes,
    extensions: Extensions,
}

impl Kept {
    /// Copies an answer.
    pub(super) fn of(answer: &Response<Bytes>) -> Self {
        let (headers, body) = (answer.headers(), answer.body());
        let values: usize = headers.values().map(HeaderValue::len).sum();
        let mut text = Vec::with_capacity(values + body.len());
        let mut lines = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            text.extend_from_slice(value.as_bytes());
            lines.push((name.clone(), text.len()));
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
            lines: lines.into(),
            text: text.into(),
            extensions,
        }
    }

    /// The answer again.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let mut start = 0;
        let mut piece = |end: usize| {
            let piece = self.text.slice(start.min(end)..end);
            start = end;
            piece
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        for (name, end) in &self.lines {
            // It was a value before.
            if let Ok(value) = HeaderValue::from_maybe_shared(piece(*end)) {
                response.headers_mut().append(name, value);
            }
        }
        *response.body_mut() = piece(self.text.len());
        *response.extensions_mut() = self.extensions.clone();
        response
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.lines) + self.text.len()
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
