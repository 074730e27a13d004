//! What the grammar, the values and the causes know, arranged for lookup by bytes.
//!
//! Derived from their own tables at first use; no fact is written down here.

use std::sync::LazyLock;

use super::url::Place;
use crate::guard::causes::grammar::{
    name_unfit, placeholder_unfilled, program_output_inside, verb_forbidden_in_wait,
};
use crate::guard::link::{self, Purpose};
use crate::guard::twiml::grammar::{self, Rule};
use crate::guard::twiml::values::{self, Kind};
use crate::twilio::Slot;

/// Places for names of elements; a power of two, some times as many as there are.
const NAMES: usize = 256;
/// Places for names of attributes.
const ATTRIBUTE_NAMES: usize = 2048;

/// An element with what a scan has to know of it.
#[derive(Debug)]
pub(super) struct Element {
    key: Key,
    pub(super) rule: &'static Rule,
    /// Which elements may stand directly inside, a bit each.
    pub(super) children: u64,
    /// What its checks ask of it beyond the tables.
    pub(super) what: What,
    /// Its words are heard or read, or dialled: a program's output in them is a finding.
    pub(super) is_smelled: bool,
    /// Its words are dialled or called: a gap of a template in them is a finding.
    pub(super) is_called: bool,
    /// Its words are a URL, which is called so.
    pub(super) url: Option<Place>,
    /// A conference's waitUrl allows it.
    pub(super) is_for_waiting: bool,
    /// Most characters of its words, whether there have to be any, and the attribute (by its place
    /// on the element) that replaces them.
    pub(super) named: Option<(usize, bool, Option<u8>)>,
    /// The place on the element of its text's method.
    pub(super) method: Method,
}

/// An attribute of one element.
#[derive(Debug)]
pub(super) struct Attribute {
    key: Key,
    element: u8,
    /// Its place among the element's attributes.
    pub(super) local: u8,
    pub(super) name: &'static str,
    pub(super) kind: Option<Kind>,
    pub(super) what: Asked,
    /// How its URL is asked for, where it is one.
    pub(super) url: Option<Method>,
    /// What its URL is called as.
    pub(super) place: Place,
}

/// How a URL is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// With GET.
    Get,
    /// With POST.
    Post,
    /// As the attribute at this place on the element says, else with POST.
    Beside(u8),
}

/// Elements that checks know by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Body,
    Conference,
    Connect,
    Dial,
    Gather,
    Media,
    Message,
    Number,
    Record,
    Say,
    SipAddress,
    Sms,
    Stream,
    Task,
    Other,
}

/// Attributes that checks know by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Action,
    CallerId,
    From,
    MaxLength,
    SpeechModel,
    SpeechTimeout,
    To,
    Track,
    Transcribe,
    Value,
    Voice,
    Other,
}

/// A name as it is looked up: its first eight bytes, padded with zeros, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) head: u64,
    pub(super) len: usize,
}

impl Key {
    fn of(name: &str) -> Self {
        let mut head = [0; 8];
        for (to, from) in head.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Self { head: u64::from_le_bytes(head), len: name.len() }
    }

    /// A number below `1 << bits` that is another one for most other names.
    #[allow(clippy::cast_possible_truncation)] // At most as many bits as asked for.
    const fn spread(self, salt: usize, bits: u32) -> usize {
        let salted =
            self.head ^ ((salt * 67 + self.len) as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (salted.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - bits)) as usize
    }
}

/// Everything that is looked up.
#[derive(Debug)]
pub(super) struct Tables {
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
    /// Index of an element by its name's key, plus one.
    names: [u8; NAMES],
    /// Index of an attribute by element and name, plus one.
    attribute_names: [u16; ATTRIBUTE_NAMES],
    /// The index of the root.
    pub(super) root: u8,
}

pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

impl Tables {
    #[allow(clippy::cast_possible_truncation)] // 63 elements with some 330 attributes.
    fn new() -> Self {
        let mut tables = Self {
            elements: grammar::rules().iter().map(element).collect(),
            attributes: Vec::new(),
            names: [0; NAMES],
            attribute_names: [0; ATTRIBUTE_NAMES],
            root: 0,
        };
        for (at, rule) in grammar::rules().iter().enumerate() {
            if rule.name == "Response" {
                tables.root = at as u8;
            }
            let mut place = Key::of(rule.name).spread(0, NAMES.ilog2());
            while tables.names[place] != 0 {
                place = (place + 1) % NAMES;
            }
            tables.names[place] = at as u8 + 1;
            for (local, &name) in rule.attributes.iter().enumerate() {
                let mut place = Key::of(name).spread(at + 1, ATTRIBUTE_NAMES.ilog2());
                while tables.attribute_names[place] != 0 {
                    place = (place + 1) % ATTRIBUTE_NAMES;
                }
                tables.attributes.push(attribute(at as u8, rule, local as u8, name));
                tables.attribute_names[place] = tables.attributes.len() as u16;
            }
        }
        tables
    }

    /// The element of this name, with its index.
    pub(super) fn element(&self, key: Key, name: &[u8]) -> Option<(u8, &Element)> {
        let mut place = key.spread(0, NAMES.ilog2());
        loop {
            let index = self.names[place % NAMES].checked_sub(1)?;
            let element = self.elements.get(usize::from(index))?;
            if element.key == key && (key.len <= 8 || element.rule.name.as_bytes() == name) {
                return Some((index, element));
            }
            place += 1;
        }
    }

    /// The attribute of this name on an element, with its index.
    pub(super) fn attribute(
        &self,
        element: u8,
        key: Key,
        name: &[u8],
    ) -> Option<(u16, &Attribute)> {
        let mut place = key.spread(usize::from(element) + 1, ATTRIBUTE_NAMES.ilog2());
        loop {
            let index = self.attribute_names[place % ATTRIBUTE_NAMES].checked_sub(1)?;
            let found = self.attributes.get(usize::from(index))?;
            let is_named = found.key == key && (key.len <= 8 || found.name.as_bytes() == name);
            if is_named && found.element == element {
                return Some((index, found));
            }
            place += 1;
        }
    }

    /// The element of an index.
    pub(super) fn at(&self, index: u8) -> Option<&Element> {
        self.elements.get(usize::from(index))
    }

    /// The attribute of an index.
    pub(super) fn attribute_at(&self, index: u16) -> Option<&Attribute> {
        self.attributes.get(usize::from(index))
    }
}

/// The names of an element and, where it is not its text, of an attribute, by their indices.
pub(in crate::guard) fn names(
    element: u8,
    attribute: Option<u16>,
) -> Option<(&'static str, Option<&'static str>)> {
    let element = TABLES.at(element)?.rule.name;
    match attribute {
        Some(index) => Some((element, Some(TABLES.attribute_at(index)?.name))),
        None => Some((element, None)),
    }
}

fn element(rule: &'static Rule) -> Element {
    let name = rule.name;
    let index = |child: &&str| grammar::rules().iter().position(|rule| rule.name == *child);
    let names = name_unfit::NAMES.iter().find(|(named, ..)| *named == name);
    Element {
        key: Key::of(name),
        rule,
        children: rule.children.iter().filter_map(index).fold(0, |bits, at| bits | 1 << at),
        what: match name {
            "Body" => What::Body,
            "Conference" => What::Conference,
            "Connect" => What::Connect,
            "Dial" => What::Dial,
            "Gather" => What::Gather,
            "Media" => What::Media,
            "Message" => What::Message,
            "Number" => What::Number,
            "Record" => What::Record,
            "Say" => What::Say,
            "Sip" | "Uri" => What::SipAddress,
            "Sms" => What::Sms,
            "Stream" => What::Stream,
            "Task" => What::Task,
            _ => What::Other,
        },
        is_smelled: program_output_inside::HEARD.contains(&name)
            || program_output_inside::CALLED.contains(&name),
        is_called: placeholder_unfilled::CALLED.contains(&name),
        url: link::TEXTS.contains(&name).then(|| place(rule, None)),
        is_for_waiting: verb_forbidden_in_wait::ALLOWED.contains(&name),
        named: names.map(|&(_, most, needed, instead)| (most, needed, local(rule, instead))),
        method: method(rule, None),
    }
}

fn attribute(element: u8, rule: &Rule, local: u8, name: &'static str) -> Attribute {
    let mut kinds = values::rules(rule.name).filter(|value| value.attribute == name);
    Attribute {
        key: Key::of(name),
        element,
        local,
        name,
        kind: kinds.next().map(|value| value.kind),
        what: match name {
            "action" => Asked::Action,
            "callerId" => Asked::CallerId,
            "from" => Asked::From,
            "maxLength" => Asked::MaxLength,
            "speechModel" => Asked::SpeechModel,
            "speechTimeout" => Asked::SpeechTimeout,
            "to" => Asked::To,
            "track" => Asked::Track,
            "transcribe" => Asked::Transcribe,
            "value" => Asked::Value,
            "voice" => Asked::Voice,
            _ => Asked::Other,
        },
        url: link::is_url(name).then(|| method(rule, Some(name))),
        place: place(rule, Some(name)),
    }
}

/// The same whatever slot the document has: of those that take TwiML, each hands out others.
fn place(rule: &Rule, attribute: Option<&str>) -> Place {
    match link::purpose(rule.name, attribute, Slot::Voice) {
        Purpose::Slot(Slot::Stream) => Place::Stream,
        Purpose::Slot(slot) if slot.takes_twiml() => Place::Document,
        Purpose::Slot(_) => Place::Other,
        Purpose::Media => Place::Media,
    }
}

fn method(rule: &Rule, attribute: Option<&str>) -> Method {
    match link::method_beside(rule.name, attribute) {
        None => Method::Get,
        // What the element does not have can't say GET.
        Some(beside) => local(rule, &beside).map_or(Method::Post, Method::Beside),
    }
}

#[allow(clippy::cast_possible_truncation)] // No element has more than 64.
fn local(rule: &Rule, attribute: &str) -> Option<u8> {
    rule.attributes.iter().position(|name| *name == attribute).map(|at| at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_grammar_is_found_and_no_other() {
        let tables = &*TABLES;
        assert!(grammar::rules().len() <= 64, "a bit each");
        for rule in grammar::rules() {
            assert!(rule.attributes.len() <= 64, "{}: a bit each", rule.name);
            let (index, found) = tables.element(Key::of(rule.name), rule.name.as_bytes()).unwrap();
            assert_eq!(found.rule.name, rule.name);
            assert_eq!(found.children.count_ones() as usize, rule.children.len());
            for name in rule.attributes {
                let (at, found) = tables.attribute(index, Key::of(name), name.as_bytes()).unwrap();
                assert_eq!((found.name, found.element), (*name, index));
                assert_eq!(names(index, Some(at)), Some((rule.name, Some(*name))));
                assert_eq!(
                    usize::from(found.local),
                    rule.attributes.iter().position(|n| n == name).unwrap()
                );
                assert!(
                    found.url.is_none() || found.kind.is_none(),
                    "a URL is not looked at as a value"
                );
                assert!(
                    values::rules(rule.name).filter(|value| value.attribute == *name).count() < 2
                );
            }
            for other in ["", "Voice", "statusCallbackEvents", "recordingStatusCallbackEvenT"] {
                assert!(tables.attribute(index, Key::of(other), other.as_bytes()).is_none());
            }
        }
        for other in ["", "say", "Sa", "Says", "ConversationRelaySessioN", "ConversationRelayX"] {
            assert!(tables.element(Key::of(other), other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn an_element_with_a_url_as_its_text_has_no_attribute_with_one() {
        // Both would be in another order than the document's.
        for name in link::TEXTS {
            assert!(!grammar::attributes(name).iter().any(|attribute| link::is_url(attribute)));
        }
    }
}
