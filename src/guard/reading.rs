//! A well-formed document as the causes of grammar and links see it.

use std::ops::Range;

use super::finding::Grade;
use super::twiml::chars::plain;
use super::twiml::values::{self, Kind};
use super::twiml::{Document, Element};
use crate::twilio::Slot;

/// A well-formed document with what its checks need.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The text.
    pub text: &'a str,
    /// The document, as spans over the text.
    pub document: &'a Document,
    /// What Twilio does with it.
    pub slot: Slot,
    /// Hosts that are the guard itself seen from outside.
    pub own_hosts: &'a [String],
    /// Whether these are configured.
    pub is_public: bool,
    /// The URL that Twilio asked, as far as it is known.
    pub base: Option<&'a str>,
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Byte offset in the text.
    pub offset: usize,
    /// What was seen.
    pub evidence: String,
    /// The repair: grade, span, what takes its place (raw text, escaped where needed).
    pub mend: Option<(Grade, Range<usize>, String)>,
}

impl Found {
    /// Something seen at an offset.
    pub fn at(offset: usize, evidence: impl Into<String>) -> Self {
        Self { offset, evidence: evidence.into(), mend: None }
    }

    /// The same with a repair.
    #[must_use]
    pub fn mended(mut self, grade: Grade, span: Range<usize>, with: String) -> Self {
        self.mend = Some((grade, span, with));
        self
    }
}

impl<'a> Reading<'a> {
    /// Names and offsets of the elements directly below the root.
    pub fn verbs(&self) -> impl Iterator<Item = (&'a str, usize)> {
        let text = self.text;
        self.document.verbs().map(move |element| (element.name_in(text), element.span.start))
    }

    /// The elements directly inside one.
    pub fn children(&self, at: usize) -> impl Iterator<Item = &'a Element> {
        let elements = self.document.elements.get(at..).unwrap_or_default();
        let end = elements.first().map_or(0, |element| element.span.end);
        // Whatever is inside follows in the document's order.
        let inside = elements.iter().skip(1).take_while(move |inner| inner.span.start < end);
        inside.filter(move |inner| inner.parent == Some(at))
    }

    /// The words directly in an element, references resolved, blanks at both ends left out.
    pub fn words_in(&self, element: &Element) -> String {
        let pieces = element.texts.iter().filter_map(|span| self.text.get(span.clone()));
        plain(&pieces.collect::<String>()).trim().to_owned()
    }

    /// Every element of a name without children, with its words.
    pub fn elements_with_words(&self, name: &str) -> impl Iterator<Item = (&'a Element, String)> {
        let named = self.document.elements.iter().enumerate().filter(move |(at, element)| {
            element.name_in(self.text) == name && self.children(*at).next().is_none()
        });
        named.map(|(_, element)| (element, self.words_in(element)))
    }

    /// The same with the offset of the words.
    pub fn words_of(&self, name: &str) -> impl Iterator<Item = (usize, String)> {
        self.elements_with_words(name).map(|(element, words)| {
            let at = element.texts.first().map_or(element.span.start, |span| span.start);
            (at, words)
        })
    }

    /// Values of attributes that Twilio does not take, of the kinds that `asked` picks.
    pub fn refused_values(&self, asked: fn(&Kind) -> bool) -> Vec<Found> {
        let mut found = Vec::new();
        for element in &self.document.elements {
            let name = element.name_in(self.text);
            for rule in values::rules(name).filter(|rule| asked(&rule.kind)) {
                let Some(span) = element.attribute(self.text, rule.attribute) else { continue };
                let value = self.text.get(span.clone()).unwrap_or_default();
                // A reference may stand for anything.
                if !value.contains('&') && !rule.kind.allows(value) {
                    let shown: String = value.chars().take(40).collect();
                    let (attribute, expected) = (rule.attribute, rule.kind.expected());
                    let evidence =
                        format!("{attribute}=\"{shown}\" on `{name}`; {expected} is expected");
                    found.push(Found::at(span.start, evidence));
                }
            }
        }
        found
    }
}
