//! A well-formed document as the causes of grammar and links see it.

use std::ops::Range;

use super::finding::Grade;
use super::twiml::Document;
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

/// Attributes whose value is a URL that Twilio will use.
const URL_ATTRIBUTES: [&str; 19] = [
    "action",
    "url",
    "statusCallback",
    "statusCallbackUrl",
    "recordingStatusCallback",
    "transcribeCallback",
    "partialResultCallback",
    "waitUrl",
    "holdUrl",
    "announceUrl",
    "referUrl",
    "amdStatusCallback",
    "eventCallbackUrl",
    "fallbackUrl",
    "whisperUrl",
    "postWorkActivityUrl",
    "confirmUrl",
    "inboundAutocreationUrl",
    "recordingEvent",
];

/// Elements whose text is a URL.
const URL_ELEMENTS: [&str; 3] = ["Media", "Play", "Redirect"];

impl<'a> Reading<'a> {
    /// Names and offsets of the elements directly below the root.
    pub fn verbs(&self) -> impl Iterator<Item = (&'a str, usize)> {
        let text = self.text;
        self.document.verbs().map(move |element| (element.name_in(text), element.span.start))
    }

    /// Span and raw text of every URL in the document.
    pub fn urls(&self) -> impl Iterator<Item = (Range<usize>, &'a str)> {
        self.urls_with_element().map(|(_, span, url)| (span, url))
    }

    /// The same with the name of the element that holds it.
    pub fn urls_with_element(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a str)> {
        let text = self.text;
        self.document.elements.iter().flat_map(move |element| {
            let name = element.name_in(text);
            let own = URL_ELEMENTS
                .contains(&name)
                .then(|| element.texts.first().map(|span| trimmed(text, span)))
                .flatten();
            let attributes = element.attributes.iter().filter_map(move |attribute| {
                let attribute_name = text.get(attribute.name.clone())?;
                URL_ATTRIBUTES.contains(&attribute_name).then(|| trimmed(text, &attribute.value))
            });
            own.into_iter()
                .chain(attributes)
                .filter_map(move |span| Some((name, span.clone(), text.get(span)?)))
                .filter(|(_, _, url)| !url.is_empty())
        })
    }
}

fn trimmed(text: &str, span: &Range<usize>) -> Range<usize> {
    let content = text.get(span.clone()).unwrap_or_default();
    let start = span.start + (content.len() - content.trim_start().len());
    start..start + content.trim().len()
}
