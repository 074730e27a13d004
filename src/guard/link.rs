//! The URLs that a document hands to Twilio: where each stands, how and as what it will be called.

use std::borrow::Cow;
use std::ops::Range;

use super::follow_up;
use super::links;
use super::reading::Reading;
use super::twiml::Element;
use super::twiml::chars::plain;
use crate::twilio::Slot;

/// One URL that a document hands to Twilio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'a> {
    /// The element that holds it.
    pub element: &'a str,
    /// The element around that one; empty for the root.
    pub inside: &'a str,
    /// The attribute that holds it; `None` for an element's text.
    pub attribute: Option<&'a str>,
    /// Where it stands, blanks at both ends left out.
    pub span: Range<usize>,
    /// As it is written there, references included.
    pub written: &'a str,
    /// Resolved against the URL that Twilio asked; `None` where that is unknown and this relative.
    pub absolute: Option<String>,
    /// `GET` or `POST`: the document's choice, else Twilio's default.
    pub method: &'static str,
    /// What it will be called as.
    pub purpose: Purpose,
}

/// What Twilio calls a URL as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A webhook or a WebSocket.
    Slot(Slot),
    /// A file to play or to send.
    Media,
}

/// Elements whose text is a URL.
pub(super) const TEXTS: [&str; 3] = ["Media", "Play", "Redirect"];

/// Every URL of a document, in its order; empty ones are left out.
pub fn links<'a>(reading: &Reading<'a>) -> Vec<Link<'a>> {
    let mut found = Vec::new();
    for element in &reading.document.elements {
        let name = element.name_in(reading.text);
        let around = element.parent.and_then(|at| reading.document.elements.get(at));
        let inside = around.map_or("", |around| around.name_in(reading.text));
        let text = element.texts.first().filter(|_| TEXTS.contains(&name));
        let texts = text.map(|span| (None, span)).into_iter();
        let attributes = element.attributes.iter().filter_map(|attribute| {
            let name = reading.text.get(attribute.name.clone())?;
            is_url(name).then_some((Some(name), &attribute.value))
        });
        for (attribute, span) in texts.chain(attributes) {
            let span = trimmed(reading.text, span);
            let written = reading.text.get(span.clone()).unwrap_or_default();
            if written.is_empty() {
                continue;
            }
            found.push(Link {
                element: name,
                inside,
                attribute,
                span,
                written,
                absolute: absolute(&plain(written), reading.base),
                method: method(reading, element, attribute),
                purpose: purpose(name, attribute, reading.slot),
            });
        }
    }
    found
}

/// Whether an attribute's value is a URL that Twilio will call.
pub fn is_url(attribute: &str) -> bool {
    matches!(attribute, "action" | "url")
        || attribute.ends_with("Url")
        || attribute.ends_with("Callback")
}

/// A reference resolved against the URL that Twilio asked (RFC 3986, section 5.2); `None` for a
/// relative one without a base.
pub fn absolute(reference: &str, base: Option<&str>) -> Option<String> {
    let (head, _) = reference.split_once(':').unwrap_or_default();
    let named = head.starts_with(|c: char| c.is_ascii_alphabetic())
        && head.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if named {
        return Some(reference.to_owned());
    }
    let base = base?;
    let scheme = links::scheme(base)?;
    if let Some(rest) = reference.strip_prefix("//") {
        return Some(format!("{scheme}{rest}"));
    }
    let rest = base.get(scheme.len()..)?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let target = target.split('#').next().unwrap_or_default();
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let (reference, fragment) = match reference.split_once('#') {
        Some((reference, fragment)) => (reference, format!("#{fragment}")),
        None => (reference, String::new()),
    };
    let resolved = follow_up::resolve(reference, &target)?;
    Some(format!("{scheme}{authority}{resolved}{fragment}"))
}

/// The method that the document asks for, or Twilio's default.
fn method(reading: &Reading<'_>, element: &Element, attribute: Option<&str>) -> &'static str {
    let Some(beside) = method_beside(element.name_in(reading.text), attribute) else {
        return "GET";
    };
    let value = element.attribute(reading.text, &beside);
    let value = value.and_then(|span| reading.text.get(span)).unwrap_or_default();
    if is_get(value) { "GET" } else { "POST" }
}

/// Whether the value of such an attribute asks for GET.
pub(super) fn is_get(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("GET")
}

/// The attribute that holds a URL's method; `None` for what is always fetched with GET.
pub(super) fn method_beside(element: &str, attribute: Option<&str>) -> Option<Cow<'static, str>> {
    Some(match (element, attribute) {
        ("Play" | "Media", None) | ("Stream" | "ConversationRelay", Some("url")) => return None,
        ("Enqueue", Some("waitUrl")) => Cow::Borrowed("waitUrlMethod"),
        (_, None | Some("action" | "url")) => Cow::Borrowed("method"),
        (_, Some(attribute)) => {
            Cow::Owned(format!("{}Method", attribute.strip_suffix("Url").unwrap_or(attribute)))
        }
    })
}

/// What a URL will be called as. What comes from within a whisper or a wait stays in it: the
/// same verbs are forbidden there.
pub(super) fn purpose(element: &str, attribute: Option<&str>, slot: Slot) -> Purpose {
    let within = match slot {
        Slot::ConferenceWait | Slot::Messaging | Slot::Wait | Slot::Whisper => Some(slot),
        Slot::Action | Slot::Callback | Slot::Stream | Slot::Voice => None,
    };
    Purpose::Slot(match (element, attribute) {
        ("Play" | "Media", None) => return Purpose::Media,
        ("Redirect", None) => within.unwrap_or(Slot::Voice),
        ("Message", Some("action")) => Slot::Messaging,
        (_, Some("action")) => within.unwrap_or(Slot::Action),
        ("Stream" | "ConversationRelay", Some("url")) => Slot::Stream,
        (_, Some("url")) => Slot::Whisper,
        ("Conference", Some("waitUrl")) => Slot::ConferenceWait,
        (_, Some("waitUrl")) => Slot::Wait,
        (_, Some("referUrl")) => Slot::Voice,
        _ => Slot::Callback,
    })
}

fn trimmed(text: &str, span: &Range<usize>) -> Range<usize> {
    let content = text.get(span.clone()).unwrap_or_default();
    let start = span.start + (content.len() - content.trim_start().len());
    start..start + content.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::twiml::{self, grammar};

    const BASE: &str = "https://pbx.example.com/ivr/voice.php?lang=en";

    /// Element and attribute, absolute URL, method, purpose of each link.
    fn shown(xml: &str, slot: Slot) -> Vec<(String, String, &'static str, Purpose)> {
        let document = twiml::read(xml).unwrap();
        let reading = Reading {
            text: xml,
            document: &document,
            slot,
            own_hosts: &[],
            is_public: false,
            base: Some(BASE),
        };
        links(&reading)
            .into_iter()
            .map(|link| {
                let place = format!("{}.{}", link.element, link.attribute.unwrap_or("text"));
                (place, link.absolute.unwrap(), link.method, link.purpose)
            })
            .collect()
    }

    #[test]
    fn no_url_of_the_grammar_is_forgotten() {
        let mut seen = 0;
        for rule in grammar::rules() {
            for attribute in rule.attributes {
                let lower = attribute.to_ascii_lowercase();
                let named = ["url", "callback"].iter().any(|end| lower.ends_with(end));
                if !named && lower != "action" {
                    assert!(!is_url(attribute), "{} {attribute}", rule.name);
                    continue;
                }
                let name = rule.name;
                let xml = format!("<Response><{name} {attribute}=\"/x\"/></Response>");
                let found = shown(&xml, Slot::Voice);
                assert_eq!(found.len(), 1, "{xml}");
                assert_eq!(found[0].1, "https://pbx.example.com/x", "{xml}");
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn methods_and_purposes_are_told() {
        let xml = "<Response><Gather action=\"menu?a=1&amp;b=2\" method=\"get\"/>\
            <Dial referUrl=\"/r\" referMethod=\"GET\" recordingStatusCallback=\"/c\"><Number url=\"/w\"/>\
            <Conference waitUrl=\"/h\" waitMethod=\"GET\"/></Dial>\
            <Enqueue waitUrl=\"/q\" waitUrlMethod=\"GET\"/><Play> /a.mp3 </Play>\
            <Connect><Stream url=\"wss://m.example.com/s\" statusCallback=\"/s\" statusCallbackMethod=\"GET\"/></Connect>\
            <Start><Transcription statusCallbackUrl=\"/t\" statusCallbackMethod=\"GET\"/></Start>\
            <Redirect>../v</Redirect></Response>";
        let own = |path: &str| format!("https://pbx.example.com{path}");
        let slot = Purpose::Slot;
        let expected = [
            ("Gather.action", own("/ivr/menu?a=1&b=2"), "GET", slot(Slot::Action)),
            ("Dial.referUrl", own("/r"), "GET", slot(Slot::Voice)),
            ("Dial.recordingStatusCallback", own("/c"), "POST", slot(Slot::Callback)),
            ("Number.url", own("/w"), "POST", slot(Slot::Whisper)),
            ("Conference.waitUrl", own("/h"), "GET", slot(Slot::ConferenceWait)),
            ("Enqueue.waitUrl", own("/q"), "GET", slot(Slot::Wait)),
            ("Play.text", own("/a.mp3"), "GET", Purpose::Media),
            ("Stream.url", "wss://m.example.com/s".to_owned(), "GET", slot(Slot::Stream)),
            ("Stream.statusCallback", own("/s"), "GET", slot(Slot::Callback)),
            ("Transcription.statusCallbackUrl", own("/t"), "GET", slot(Slot::Callback)),
            ("Redirect.text", own("/v"), "POST", slot(Slot::Voice)),
        ]
        .map(|(place, url, method, purpose)| (place.to_owned(), url, method, purpose));
        assert_eq!(shown(xml, Slot::Voice), expected);
    }

    #[test]
    fn a_message_and_a_wait_stay_what_they_are() {
        let redirect = "<Response><Redirect>/v</Redirect></Response>";
        for slot in [Slot::Messaging, Slot::Wait, Slot::ConferenceWait, Slot::Whisper] {
            assert_eq!(shown(redirect, slot)[0].3, Purpose::Slot(slot));
        }
        let message = "<Response><Message action=\"/a\" statusCallback=\"/s\"/></Response>";
        let found = shown(message, Slot::Messaging);
        assert_eq!(found[0].3, Purpose::Slot(Slot::Messaging));
        assert_eq!(found[1].3, Purpose::Slot(Slot::Callback));
    }

    #[test]
    fn references_are_resolved_as_the_rfc_says() {
        for (reference, expected) in [
            ("a", "https://pbx.example.com/ivr/a"),
            ("./a", "https://pbx.example.com/ivr/a"),
            ("../a?b=c:d", "https://pbx.example.com/a?b=c:d"),
            ("/a/../b#rc=2", "https://pbx.example.com/b#rc=2"),
            ("?x=1", "https://pbx.example.com/ivr/voice.php?x=1"),
            ("#rc=2", "https://pbx.example.com/ivr/voice.php?lang=en#rc=2"),
            ("//other.example.com/a", "https://other.example.com/a"),
            ("http://other.example.com", "http://other.example.com"),
            ("mailto:x", "mailto:x"),
        ] {
            assert_eq!(absolute(reference, Some(BASE)).as_deref(), Some(expected), "{reference}");
        }
        assert_eq!(absolute("a", Some("https://h")).as_deref(), Some("https://h/a"));
        assert_eq!(absolute("a", None), None);
    }
}
