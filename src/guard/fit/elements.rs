//! Tags: what may stand in them, and what is asked of an element when it ends.

use super::scan::{Said, Scan, is_blank};
use super::tables::{Asked, Attribute, Element, Method, Tables, What};
use super::url;
use crate::guard::causes::grammar::placeholder_unfilled::{MISSING, has_gap};
use crate::guard::causes::grammar::{
    name_unfit, number_malformed, sip_address_malformed, task_not_json, values_at_odds,
};
use crate::guard::link::is_get;
use crate::guard::twiml::chars::{Reference, plain, reference};
use crate::twilio::limits;

/// An element that is open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Open {
    pub(super) index: u8,
    /// Its attributes, a bit for each place.
    pub(super) seen: u64,
    /// Those that say GET.
    pub(super) gets: u64,
    pub(super) has_children: bool,
    /// Where its words stand; the last of them where a child is between.
    pub(super) words: (usize, usize),
    pub(super) has_reference: bool,
    nouns: Nouns,
    asked: Values,
    /// Most characters that its voice speaks; 0 for as many as one likes.
    most_said: usize,
}

/// What stands in a `<Dial>`.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // Facts, each on its own.
struct Nouns {
    has_conference: bool,
    has_other: bool,
    /// What is shown as the caller is no number, and some of the nouns show whatever it is.
    has_odd_caller: bool,
    has_free_caller: bool,
}

/// Values that Twilio does not take together.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // Facts, each on its own.
struct Values {
    is_auto: bool,
    is_default: bool,
    is_transcribed: bool,
    is_long: bool,
    has_action: bool,
}

/// A start tag that was read.
#[derive(Debug)]
struct Tag {
    open: Open,
    is_empty: bool,
    /// Where it ends.
    end: usize,
}

/// Tags that are remembered.
pub(super) const SEEN: usize = 4;

/// A tag that was read, without a URL in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen<'a> {
    text: &'a [u8],
    /// What it stands in: that decides with its text what it comes to.
    around: u8,
    open: Open,
    is_empty: bool,
}

impl Open {
    pub(super) fn element(&self, tables: &'static Tables) -> Option<&'static Element> {
        tables.at(self.index)
    }
}

impl Method {
    /// Whether a URL is asked for with GET, given which attributes say so.
    pub(super) const fn of(self, gets: u64) -> bool {
        match self {
            Self::Get => true,
            Self::Post => false,
            Self::Beside(local) => gets >> local & 1 != 0,
        }
    }
}

impl Scan<'_> {
    /// Reads a start tag, and where it closes itself what that asks; gives what follows.
    pub(super) fn start_tag(&mut self, at: usize) -> Option<usize> {
        let Tag { open, is_empty, end } = match self.seen_before(at) {
            Some(tag) => tag,
            None => self.new_tag(at)?,
        };
        let element = open.element(self.tables)?;
        let Values { is_auto, is_default, is_transcribed, is_long, has_action } = open.asked;
        if is_auto && is_default || is_transcribed && is_long {
            return None;
        }
        match element.what {
            What::Gather if !has_action => self.spans.note_gather(element.method.of(open.gets)),
            What::Say | What::Message => self.said = Said::default(),
            _ => {}
        }
        if is_empty {
            self.close(element, &open)?;
        } else {
            *self.open.get_mut(self.depth)? = open;
            self.depth += 1;
        }
        Some(end)
    }

    /// The tag that stands there, if one like it stood in an element like this one: long documents
    /// repeat themselves.
    fn seen_before(&mut self, at: usize) -> Option<Tag> {
        let around = self.here()?.index;
        let rest = self.bytes.get(at..)?;
        let is_it = |seen: &&Seen<'_>| {
            let last = seen.text.len().checked_sub(1);
            seen.around == around
                && last.and_then(|last| rest.get(last)) == Some(&b'>')
                && rest.starts_with(seen.text)
        };
        let Seen { text, open, is_empty, .. } = *self.seen.iter().find(is_it)?;
        self.enter(open.index, open.element(self.tables)?)?;
        Some(Tag { open, is_empty, end: at + text.len() })
    }

    /// Reads a start tag as one that was never seen before.
    fn new_tag(&mut self, start: usize) -> Option<Tag> {
        let around = self.here().map(|here| here.index);
        let (key, mut at) =
            self.byte(start).filter(|b| *b == b'<').map(|_| self.name(start + 1))?;
        let name = self.bytes.get(at - key.len..at)?;
        let (index, element) = self.tables.element(key, name)?;
        let inside = self.enter(index, element)?;
        let mut open = Open { index, most_said: limits::MAX_SAY_CHARS, ..Open::default() };
        let first_span = self.spans.len();
        let is_empty = loop {
            let after = self.blanks(at);
            match self.byte(after)? {
                b'>' => {
                    at = after + 1;
                    break false;
                }
                b'/' => {
                    at = after + 2;
                    break self.byte(after + 1).filter(|b| *b == b'>').map(|_| true)?;
                }
                _ if after == at => return None,
                _ => at = self.attribute(after, element, inside, &mut open)?,
            }
        };
        if self.spans.len() > first_span {
            self.spans.set_methods(first_span, |attribute| {
                let attribute = self.tables.attribute_at(attribute);
                let url = attribute.and_then(|attribute| attribute.url);
                url.is_some_and(|method| method.of(open.gets))
            });
        } else if let (Some(around), Some(text)) = (around, self.bytes.get(start..at)) {
            // Nothing in it has a place of its own.
            let oldest = self.seen.get_mut(self.next_seen % SEEN)?;
            *oldest = Seen { text, around, open, is_empty };
            self.next_seen += 1;
        }
        Some(Tag { open, is_empty, end: at })
    }

    /// Whether an element may stand where it does; gives what it stands in.
    fn enter(&mut self, index: u8, element: &Element) -> Option<What> {
        if self.depth == 0 {
            return (index == self.tables.root).then_some(What::Other);
        }
        if self.depth == 1 {
            self.verb(element)?;
        }
        self.said.is_filled |= element.what != What::Body;
        let tables = self.tables;
        let outer = self.here_mut()?;
        let around = outer.element(tables)?;
        if around.children >> index & 1 == 0 {
            return None;
        }
        outer.has_children = true;
        let is_conference = element.what == What::Conference;
        outer.nouns.has_conference |= is_conference;
        outer.nouns.has_other |= !is_conference;
        outer.nouns.has_free_caller |= !is_conference && element.what != What::Number;
        Some(around.what)
    }

    /// Reads `name="value"`; gives what follows.
    fn attribute(
        &mut self,
        at: usize,
        element: &Element,
        inside: What,
        open: &mut Open,
    ) -> Option<usize> {
        let (key, end) = self.name(at);
        let (index, attribute) =
            self.tables.attribute(open.index, key, self.bytes.get(at..end)?)?;
        let quote = match self.bytes.get(end..end + 2)? {
            [b'=', quote @ (b'"' | b'\'')] => *quote,
            _ => return None,
        };
        let bit = 1 << attribute.local;
        if open.seen & bit != 0 {
            return None;
        }
        open.seen |= bit;
        let start = end + 2;
        let mut end = start;
        let mut has_reference = false;
        let mut may_gap = false;
        loop {
            match self.byte(end)? {
                b if b == quote => break,
                b'<' | b'>' => return None,
                b'&' => {
                    has_reference = true;
                    let Reference::Legal(len) = reference(self.text.get(end..)?) else {
                        return None;
                    };
                    end += len;
                    continue;
                }
                b'{' | b'%' | b'[' => may_gap = true,
                _ => {}
            }
            end += 1;
        }
        let value = self.slice(start, end);
        if value.len() == 3 && value.eq_ignore_ascii_case("GET")
            || has_loose_ends(value) && is_get(value)
        {
            open.gets |= bit;
        }
        if attribute.url.is_some() {
            let loose = has_loose_ends(value);
            let written = if loose { value.trim() } else { value };
            if !written.is_empty() {
                if !url::is_fit(written, attribute.place, self.own, &mut self.authorities) {
                    return None;
                }
                let start = if loose { end - value.trim_start().len() } else { start };
                let span = start..start + written.len();
                self.spans.note(span, open.index, Some(index), false, inside == What::Connect);
                open.asked.has_action |= attribute.what == Asked::Action;
            }
        } else {
            let has_gap = may_gap && has_gap(value);
            Self::is_fit_value(value, has_reference, has_gap, (element, attribute), inside, open)?;
        }
        Some(end + 1)
    }

    /// What is asked of a value that is no URL.
    fn is_fit_value(
        value: &str,
        has_reference: bool,
        has_gap: bool,
        (element, attribute): (&Element, &Attribute),
        inside: What,
        open: &mut Open,
    ) -> Option<()> {
        let is_looked_for = attribute.kind.is_some() || attribute.what == Asked::CallerId;
        if has_gap && (is_looked_for || attribute.what == Asked::Value)
            || is_looked_for && MISSING.contains(&value.trim())
        {
            return None;
        }
        // A reference may stand for anything.
        if let Some(kind) = &attribute.kind
            && !has_reference
            && !kind.allows(value)
        {
            return None;
        }
        let is_number =
            |fits: fn(&str) -> bool| has_reference || value.trim().is_empty() || fits(value.trim());
        let is_fit = match (element.what, attribute.what) {
            (What::Dial, Asked::CallerId) => {
                open.nouns.has_odd_caller = !is_number(number_malformed::is_shown);
                true
            }
            (What::Message | What::Sms, Asked::To) => is_number(number_malformed::is_addressed),
            (What::Message | What::Sms, Asked::From) => is_number(number_malformed::is_sender),
            (What::Stream, Asked::Track) => inside != What::Connect || value == "inbound_track",
            (What::Gather, Asked::SpeechTimeout) => {
                open.asked.is_auto = value.trim() == "auto";
                true
            }
            (What::Gather, Asked::SpeechModel) => {
                open.asked.is_default = value.trim() == "default";
                true
            }
            (What::Record, Asked::Transcribe) => {
                open.asked.is_transcribed = value.trim() == "true";
                true
            }
            (What::Record, Asked::MaxLength) => {
                let seconds = value.trim().parse::<u32>();
                open.asked.is_long = seconds.is_ok_and(|s| s > values_at_odds::MAX_TRANSCRIBED);
                true
            }
            (What::Say, Asked::Voice) => {
                open.most_said = if value.starts_with("Polly.") {
                    limits::MAX_POLLY_CHARS
                } else if value.contains('.') {
                    // Of the other providers' voices no limit is documented.
                    usize::MAX
                } else {
                    limits::MAX_SAY_CHARS
                };
                true
            }
            _ => true,
        };
        is_fit.then_some(())
    }

    /// Reads the end tag of the element that is open; gives what follows.
    pub(super) fn end_tag(&mut self, at: usize) -> Option<usize> {
        let open = *self.here()?;
        let element = open.element(self.tables)?;
        let named = self.bytes.get(at + 2..)?.strip_prefix(element.rule.name.as_bytes())?;
        let end = self.blanks(self.bytes.len() - named.len());
        if self.byte(end)? != b'>' {
            return None;
        }
        self.depth -= 1;
        self.close(element, &open)?;
        Some(end + 1)
    }

    /// What is asked of an element when all of it is known.
    fn close(&self, element: &Element, open: &Open) -> Option<()> {
        let Said { chars, has_words, is_filled } = self.said;
        let nouns = &open.nouns;
        let is_fit = match element.what {
            What::Say => (has_words || open.has_children) && chars <= open.most_said,
            What::Message => (has_words || is_filled) && chars <= limits::MAX_MESSAGE_CHARS,
            What::Dial => {
                let is_odd = nouns.has_odd_caller && !nouns.has_free_caller;
                let is_mixed = nouns.has_conference && nouns.has_other;
                let dialled = |words: &str| words.is_empty() || number_malformed::is_number(words);
                !is_odd && !is_mixed && (open.has_children || self.of_words(open, dialled))
            }
            What::Number => {
                self.of_words(open, |words| words.is_empty() || number_malformed::is_number(words))
            }
            What::SipAddress if !open.has_children => self.of_words(open, |words| {
                words.is_empty() || sip_address_malformed::unfit(words).is_none()
            }),
            What::Task if !open.has_children => {
                self.of_words(open, |words| !task_not_json::is_unfit(words))
            }
            _ => true,
        };
        let is_named = match element.named {
            Some((most, needed, instead)) if !open.has_children => {
                let is_replaced = instead.is_some_and(|local| open.seen >> local & 1 != 0);
                let needed = needed && !is_replaced;
                self.of_words(open, |words| name_unfit::unfit(words, most, needed).is_none())
            }
            _ => true,
        };
        (is_fit && is_named).then_some(())
    }

    /// What the only words of an element come to, as its checks read them.
    fn of_words(&self, open: &Open, fits: impl Fn(&str) -> bool) -> bool {
        let (start, end) = open.words;
        let raw = self.slice(start, end);
        if open.has_reference { fits(plain(raw).trim()) } else { fits(raw.trim()) }
    }
}

/// Whether something at a value's ends may be blank.
fn has_loose_ends(value: &str) -> bool {
    let is_loose = |b: Option<&u8>| b.is_some_and(|b| is_blank(*b) || !b.is_ascii_graphic());
    is_loose(value.as_bytes().first()) || is_loose(value.as_bytes().last())
}
