//! An answer as Twilio reads it: a document of verbs, a sound, words, or nothing that it takes.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::accepts::{self, Refused};
use super::client::Fetched;
use crate::guard::twiml;
use crate::guard::twiml::chars::plain;
use crate::twilio::Slot;

/// What Twilio makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// TwiML: the root element.
    Twiml(Verb),
    /// A sound, which is played.
    Sound,
    /// Words in text/plain, which are spoken or texted.
    Words(String),
}

/// One element with everything in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verb {
    /// Its name.
    pub name: String,
    /// Names and values, references resolved.
    pub attributes: Vec<(String, String)>,
    /// The words directly in it.
    pub text: String,
    /// The elements directly in it.
    pub children: Vec<Verb>,
}

impl Verb {
    /// An attribute's value, if it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let own = self.attributes.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Reads a document's root.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = twiml::read(text).ok()?;
        let mut verbs: Vec<Option<Self>> = Vec::with_capacity(document.elements.len());
        for element in &document.elements {
            let words = element.texts.iter().filter_map(|span| text.get(span.clone()));
            let pair = |attribute: &twiml::Attribute| {
                let name = text.get(attribute.name.clone())?;
                let value = text.get(attribute.value.clone())?;
                Some((name.to_owned(), plain(value).into_owned()))
            };
            verbs.push(Some(Self {
                name: element.name_in(text).to_owned(),
                attributes: element.attributes.iter().filter_map(pair).collect(),
                text: plain(&words.collect::<String>()).trim().to_owned(),
                children: Vec::new(),
            }));
        }
        // Children come behind their parents: from the last to the first, each is whole.
        for at in (1..verbs.len()).rev() {
            let parent = document.elements.get(at).and_then(|element| element.parent);
            let verb = verbs.get_mut(at).and_then(Option::take);
            if let (Some(verb), Some(Some(parent))) =
                (verb, parent.and_then(|parent| verbs.get_mut(parent)))
            {
                parent.children.insert(0, verb);
            }
        }
        verbs.into_iter().next().flatten()
    }
}

/// What Twilio makes of an answer in a slot that takes TwiML; `Err` has the code that it would log.
pub fn content(answer: &Fetched, slot: Slot) -> Result<Content, Refused> {
    let refused = |code, why: String| Err(Refused { code, why });
    let status = answer.status.as_u16();
    if status >= 400 {
        return refused(11_200, format!("expected status 200, found {status}"));
    }
    if answer.body.trim_ascii().is_empty() {
        let code = if answer.framing.is_chunked && status != 204 { 11_770 } else { 12_100 };
        return refused(code, format!("expected TwiML, found {status} without a body"));
    }
    if let Some(length) = answer.framing.length
        && answer.framing.excess > 0
    {
        let excess = answer.framing.excess;
        return refused(11_206, format!("{excess} bytes behind the Content-Length of {length}"));
    }
    if answer.headers.contains_key(CONTENT_ENCODING) {
        return refused(12_100, "found a Content-Encoding that Twilio did not ask for".to_owned());
    }
    accepts::cookies(&answer.headers)?;
    let kind = answer.headers.get(CONTENT_TYPE);
    let Some(kind) = kind.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    else {
        return refused(11_200, "expected a Content-Type, found none".to_owned());
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_plain = essence == "text/plain";
    match essence.as_str() {
        audio if audio.starts_with("audio/") && slot.is_voice() => return Ok(Content::Sound),
        "text/plain" | "text/xml" | "application/xml" | "text/html" => {}
        other => return refused(12_300, format!("expected text/xml, found `{other}`")),
    }
    let text = String::from_utf8_lossy(&answer.body);
    let checked = accepts::document(&answer.body);
    match (checked, Verb::read(&text)) {
        (Ok(()), Some(root)) => Ok(Content::Twiml(root)),
        _ if is_plain => Ok(Content::Words(text.trim().to_owned())),
        (Err(refused), _) => Err(refused),
        (Ok(()), None) => refused(12_100, "the document is not well-formed".to_owned()),
    }
}
