//! The original body, as far as it is printed.

use std::borrow::Cow;

use super::{BodyShown, Incident};
use crate::guard::Outcome;
use crate::guard::charset;
use crate::guard::media::ContentType;
use crate::incidents::redact::with_escapes;
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::visible;

/// Most characters of a body for `log.body = "preview"`.
const PREVIEW: usize = 200;
/// What a piece of a body that is masked may exceed what is printed of it.
const MARGIN: usize = 1_024;

/// How much of a body there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Most characters of the original.
    pub(super) chars: usize,
    /// Most bytes as printed.
    pub(super) bytes: usize,
    /// Whether it stands in a JSON string.
    pub(super) escaped: bool,
}

impl Incident {
    /// What is printed of the body under a setting; `None` where nothing is.
    pub(super) fn body(&self, setting: LogBody, shown: BodyShown, room: Room) -> Option<String> {
        match (setting, shown) {
            (LogBody::None, _) => None,
            (_, BodyShown::AsIn(id)) => Some(format!("same as incident {id}")),
            (LogBody::Full, _) => Some(self.quoted(room)),
            (LogBody::Preview, _) => {
                Some(self.quoted(Room { chars: PREVIEW.min(room.chars), ..room }))
            }
        }
    }

    /// The body masked and made visible, cut where the room ends.
    fn quoted(&self, room: Room) -> String {
        let body = self.judgement.decoded.as_ref();
        // Even, for the sake of UTF-16.
        let piece = body.get(..(room.bytes + MARGIN) & !1).unwrap_or(body);
        let (text, whole) = self.as_text(piece);
        let mut text = self.redaction.read(&text, piece);
        if !whole {
            // A number or a secret that the piece ends in was not seen whole.
            let word = text.len() - text.trim_end_matches(|c: char| !c.is_whitespace()).len();
            let least = text.len() - word.min(MARGIN / 2);
            text.truncate((0..=least).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0));
        }
        let in_all = format!("… ({} bytes in all)", self.judgement.decoded.len());
        let budget = room.bytes.saturating_sub(in_all.len());
        let (mut quoted, mut used) = (String::new(), 0);
        let mut buffer = [0; 4];
        for (at, c) in text.chars().enumerate() {
            let shown = visible(c.encode_utf8(&mut buffer));
            used += shown.chars().map(|c| cost(c, room.escaped)).sum::<usize>();
            if at >= room.chars || used > budget {
                return quoted + &in_all;
            }
            quoted.push_str(&shown);
        }
        if whole { quoted } else { quoted + &in_all }
    }

    /// A piece from the body's start as text, and whether that is all of it.
    fn as_text<'p>(&self, piece: &'p [u8]) -> (Cow<'p, str>, bool) {
        let whole = piece.len() == self.judgement.decoded.len();
        match std::str::from_utf8(piece) {
            Ok(text) => (Cow::Borrowed(text), whole),
            // The cut may have fallen into a character.
            Err(error) if !whole && error.error_len().is_none() => (
                Cow::Owned(with_escapes(piece.get(..error.valid_up_to()).unwrap_or_default())),
                false,
            ),
            Err(_) => match charset::decode(piece, self.charset().as_deref()) {
                Ok(decoded) => (Cow::Owned(decoded.text.into_owned()), whole),
                Err(_) => (Cow::Owned(with_escapes(piece)), whole),
            },
        }
    }

    fn charset(&self) -> Option<String> {
        match &self.exchange.outcome {
            Outcome::Answered(answer) => {
                ContentType::of(&answer.headers).media().and_then(|media| media.charset.clone())
            }
            Outcome::Failed(_) => None,
        }
    }
}

/// Bytes of a character in the line.
fn cost(c: char, escaped: bool) -> usize {
    c.len_utf8() + usize::from(escaped && matches!(c, '"' | '\\'))
}
