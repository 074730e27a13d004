//! One pass over a document: markup and grammar, until anything is odd.
//!
//! What it takes is a part of what the strict reader takes, and it asks what the causes of grammar
//! and links ask. Where both could differ it gives up.

use super::elements::{Open, SEEN, Seen};
use super::prose;
use super::survey::Survey;
use super::tables::{Element, Key, TABLES, Tables, What};
use super::url::{self, Authorities, Own};
use crate::guard::causes::grammar::placeholder_unfilled::{MISSING, has_gap};
use crate::guard::handed::Spans;
use crate::guard::twiml::chars::{Reference, reference};
use crate::guard::twiml::grammar::Family;
use crate::twilio::{Slot, limits};

/// Elements nested deeper than this are left to the full reader; TwiML needs six levels.
pub(super) const MAX_DEPTH: usize = 16;

/// The state of a scan.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) tables: &'static Tables,
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) may_fold: bool,
    pub(super) slot: Slot,
    pub(super) own: &'a Own<'a>,
    pub(super) open: [Open; MAX_DEPTH],
    pub(super) depth: usize,
    pub(super) replies: usize,
    /// What the `<Say>` or `<Message>` that is open has said.
    pub(super) said: Said,
    pub(super) spans: Spans,
    /// Tags that may come again, and how many were put there.
    pub(super) seen: [Seen<'a>; SEEN],
    pub(super) next_seen: usize,
    pub(super) authorities: Authorities<'a>,
}

/// What one `<Say>` or `<Message>` says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    /// At least as many characters.
    pub(super) chars: usize,
    pub(super) has_words: bool,
    /// Whether something inside may be said or sent in place of words.
    pub(super) is_filled: bool,
}

/// Where the URLs stand that a document hands out, if nothing at all can be found in it.
pub(super) fn scan(survey: Survey<'_>, slot: Slot, own: &Own<'_>) -> Option<Spans> {
    let Survey { text, may_fold } = survey;
    let mut scan = Scan {
        tables: &TABLES,
        text,
        bytes: text.as_bytes(),
        may_fold,
        slot,
        own,
        open: [Open::default(); MAX_DEPTH],
        depth: 0,
        replies: 0,
        said: Said::default(),
        spans: Spans::default(),
        seen: [Seen::default(); SEEN],
        next_seen: 0,
        authorities: Authorities::default(),
    };
    scan.document()?;
    Some(scan.spans)
}

impl<'a> Scan<'a> {
    fn document(&mut self) -> Option<()> {
        let mut at = self.declaration()?;
        at = self.blanks_and_comments(at)?;
        at = self.start_tag(at)?;
        while self.depth > 0 {
            at = self.text(at)?;
            at = match self.byte(at + 1)? {
                b'/' => self.end_tag(at)?,
                b'!' => self.comment(at)?,
                _ => self.start_tag(at)?,
            };
        }
        at = self.blanks_and_comments(at)?;
        (at == self.bytes.len()).then_some(())
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn rest(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) fn blanks(&self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(is_blank) {
            at += 1;
        }
        at
    }

    fn blanks_and_comments(&self, mut at: usize) -> Option<usize> {
        loop {
            at = self.blanks(at);
            if !self.rest(at).starts_with(b"<!") {
                return Some(at);
            }
            at = self.comment(at)?;
        }
    }

    /// Behind the declaration; where there is none, the beginning.
    fn declaration(&self) -> Option<usize> {
        let Some(rest) = self.text.strip_prefix("<?xml") else { return Some(0) };
        let rest = value(rest, " version=", |version| version == "1.0")?;
        let is_utf8 = |label: &str| label.eq_ignore_ascii_case("utf-8");
        let rest = value(rest, " encoding=", is_utf8).unwrap_or(rest);
        let rest = value(rest, " standalone=", |said| matches!(said, "yes" | "no")).unwrap_or(rest);
        let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix("?>")?;
        Some(self.text.len() - rest.len())
    }

    /// Behind a comment. What one quotes may be looked for in the raw text.
    fn comment(&self, at: usize) -> Option<usize> {
        let inner = self.rest(at).strip_prefix(b"<!--")?;
        let end = memchr::memmem::find(inner, b"--")?;
        let quoted = inner.get(..end)?;
        let is_quoted = |at: usize| {
            let rest = quoted.get(at + 1..).unwrap_or_default();
            rest.starts_with(b"?") || rest.starts_with(b"Response")
        };
        let holds_text = self.depth > 0 && self.here()?.element(self.tables)?.rule.text;
        let is_odd = holds_text || memchr::memchr_iter(b'<', quoted).any(is_quoted);
        (inner.get(end + 2) == Some(&b'>') && !is_odd).then_some(at + 4 + end + 3)
    }

    pub(super) fn here(&self) -> Option<&Open> {
        self.open.get(self.depth.checked_sub(1)?)
    }

    pub(super) fn here_mut(&mut self) -> Option<&mut Open> {
        self.open.get_mut(self.depth.checked_sub(1)?)
    }

    /// The name at a place and where it ends. Beyond letters TwiML has `-` and `:` in names.
    pub(super) fn name(&self, at: usize) -> (Key, usize) {
        let mut head = 0;
        let mut end = at;
        if let Some(eight) = self.bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()) {
            let eight = u64::from_le_bytes(eight);
            // What is below `@` or not ASCII ends a name, but for the two.
            let others = !eight & 0x4040_4040_4040_4040 | (eight & 0x8080_8080_8080_8080) >> 1;
            let len = others.trailing_zeros() / 8;
            head = if len < 8 { eight & ((1 << (len * 8)) - 1) } else { eight };
            end += len as usize;
            if len < 8 && !self.byte(end).is_some_and(is_in_name) {
                return (Key { head, len: end - at }, end);
            }
        }
        while let Some(b) = self.byte(end).filter(|b| is_in_name(*b)) {
            if end - at < 8 {
                head |= u64::from(b) << ((end - at) * 8);
            }
            end += 1;
        }
        (Key { head, len: end - at }, end)
    }

    /// Reads what stands before the next tag inside the element that is open; gives the tag's place.
    fn text(&mut self, start: usize) -> Option<usize> {
        let element = self.here()?.element(self.tables)?;
        if !element.rule.text {
            let end = self.blanks(start);
            return (self.byte(end)? == b'<').then_some(end);
        }
        let mut has_reference = false;
        let mut end = start;
        loop {
            end += memchr::memchr3(b'<', b'&', b'>', self.rest(end))?;
            match self.byte(end)? {
                b'<' => break,
                b'&' => {
                    has_reference = true;
                    let Reference::Legal(len) = reference(self.text.get(end..)?) else {
                        return None;
                    };
                    end += len;
                }
                // Fine in itself, but the end of a CDATA section and a sign of markup.
                _ => return None,
            }
        }
        if end > start {
            self.words(element, start, end, has_reference)?;
        }
        Some(end)
    }

    /// Character data directly in an element.
    fn words(
        &mut self,
        element: &Element,
        start: usize,
        end: usize,
        has_reference: bool,
    ) -> Option<()> {
        let text = self.slice(start, end);
        let starts_graphic = self.byte(start).is_some_and(|b| b.is_ascii_graphic());
        let is_blank = !starts_graphic && text.trim().is_empty();
        if element.is_smelled && !is_blank && !prose::is_plain(text, self.may_fold) {
            return None;
        }
        if element.is_called && (MISSING.contains(&text.trim()) || has_gap(text)) {
            return None;
        }
        let is_beside = element.what == What::Media;
        if !is_beside {
            self.said.chars += characters(text);
            self.said.has_words |= !is_blank;
        }
        let here = self.here_mut()?;
        let is_first = here.words == (0, 0);
        here.words = (start, end);
        here.has_reference |= has_reference;
        if let Some(place) = element.url {
            let written = text.trim();
            let start = start + (text.len() - text.trim_start().len());
            let known = &mut self.authorities;
            if !is_first || !written.is_empty() && !url::is_fit(written, place, self.own, known) {
                return None;
            }
            if !written.is_empty() && place != url::Place::Media {
                let here = self.here()?;
                let (index, asked) = (here.index, element.method.of(here.gets));
                self.spans.note(start..start + written.len(), index, None, asked, false);
            }
        }
        Some(())
    }

    /// What a verb may be by the slot, directly below the root.
    pub(super) fn verb(&mut self, element: &Element) -> Option<()> {
        let (foreign, is_messaging) = match self.slot {
            Slot::Messaging => (Family::Voice, true),
            _ => (Family::Messaging, false),
        };
        if is_messaging && matches!(element.what, What::Message | What::Sms) {
            self.replies += 1;
        }
        let is_forbidden = match self.slot {
            Slot::ConferenceWait => !element.is_for_waiting,
            Slot::Whisper => element.what == What::Dial,
            _ => self.replies > limits::MAX_REPLIES,
        };
        (!is_forbidden && element.rule.family != foreign).then_some(())
    }
}

pub(super) const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

const fn is_in_name(b: u8) -> bool {
    b.is_ascii_alphabetic() || matches!(b, b'-' | b':')
}

/// Characters of a text; of a short one not fewer.
fn characters(text: &str) -> usize {
    if text.len() <= limits::MAX_MESSAGE_CHARS / 2 { text.len() } else { text.chars().count() }
}

/// What stands behind `name="value"`, where the value is as it has to be.
fn value<'t>(rest: &'t str, name: &str, fits: fn(&str) -> bool) -> Option<&'t str> {
    let rest = rest.strip_prefix(name)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, rest) = rest.get(1..)?.split_once(quote)?;
    fits(value).then_some(rest)
}
