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
    /// Of each line the lengths of name and value, these two, and behind all of them a body that
    /// was copied.
    text: Bytes,
    /// A large body, as it is.
    large: Bytes,
    extensions: Extensions,
}

/// From so many bytes on a body that has a piece of memory of its own is not copied.
const LARGE: usize = 16 * 1024;

/// Bytes of a length.
const LENGTH: usize = size_of::<u32>();

impl Kept {
    /// Copies an answer, which is left as it was.
    pub(super) fn of(answer: &mut Response<Bytes>) -> Self {
        let large = large(answer.body_mut());
        let body = if large.is_empty() { answer.body() } else { &Bytes::new() };
        let headers = answer.headers();
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
            large,
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
        *response.body_mut() = if self.large.is_empty() { rest } else { self.large.clone() };
        *response.extensions_mut() = self.extensions.clone();
        response
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + 2 * self.large.len()
    }
}

/// A large body, if nobody else holds it and the memory that it stands in is at most twice as large;
/// an empty one otherwise.
fn large(body: &mut Bytes) -> Bytes {
    if body.len() < LARGE {
        return Bytes::new();
    }
    match std::mem::take(body).try_into_mut() {
        Ok(own) => {
            let is_filled = own.capacity() <= 2 * own.len();
            *body = own.freeze();
            if is_filled { body.clone() } else { Bytes::new() }
        }
        Err(shared) => {
            *body = shared;
            Bytes::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
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
            let kept = Kept::of(&mut answer);
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
        let kept = Kept::of(&mut answer);
        drop(answer);
        assert!(read.is_unique());
        assert!(kept.size() < 600, "{}", kept.size());
    }

    #[test]
    fn a_large_body_is_copied_only_out_of_memory_that_is_no_part_of_it() {
        let room = |room: usize, filled: usize| {
            let mut read = BytesMut::with_capacity(room);
            read.extend_from_slice(&vec![b'x'; filled]);
            read.freeze()
        };
        let shared = room(LARGE, LARGE);
        for (body, is_copied) in [
            (room(LARGE, LARGE), false),
            (room(2 * LARGE, LARGE), false),
            (room(3 * LARGE, LARGE), true),
            (room(LARGE, LARGE - 1), true),
            (shared.clone(), true),
        ] {
            let place = body.as_ptr();
            let mut answer = Response::new(body.clone());
            drop(body);
            let kept = Kept::of(&mut answer);
            let again = kept.answer();
            assert_eq!(again.body(), answer.body());
            assert_eq!(again.body().as_ptr() != place, is_copied);
            assert_eq!(answer.body().as_ptr(), place);
            assert!(kept.size() > LARGE - 1);
        }
        drop(shared);
    }
}
