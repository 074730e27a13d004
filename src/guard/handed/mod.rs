//! What a document that is delivered hands to Twilio on the own host.

mod last;
mod spans;

use std::sync::Arc;

use memchr::memmem;

pub use self::spans::Spans;

use self::spans::Span;
use super::call::HandedOut;
use super::exchange::RequestFacts;
use super::judgement::{Delivery, Judgement};
use super::link::{Link, Purpose, absolute, is_get, links, purpose};
use super::policy::Policy;
use super::reading::Reading;
use super::twiml::chars::plain;
use super::{fit, links as urls, twiml};
use crate::twilio::Slot;

/// A URL on the own host that a document hands to Twilio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, without the query.
    pub path: String,
    /// The whole URL.
    pub url: String,
    /// What it will be called as.
    pub slot: Slot,
    /// Where it stands.
    pub place: HandedOut,
    /// Whether it is a stream that the call waits for (`<Connect>`), not one beside it (`<Start>`).
    pub holds_call: bool,
}

/// Most URLs that are taken from one document.
const MAX_LINKS: usize = 200;

/// Longest name of an element or attribute that is one; the longest of Twilio's has 30 characters.
const MAX_NAME: usize = 64;

/// The mark of a document.
const ROOT: &[u8] = b"<Response";

/// What an element or attribute that hands out a URL has in its name.
const MARKS: [&[u8]; 6] = [b"url", b"Url", b"action", b"Callback", b"<Redirect", b"<Gather"];

/// Whether a delivery is TwiML by its looks.
pub fn is_document(delivery: &Delivery) -> bool {
    delivery.status.is_success() && memmem::find(&delivery.body, ROOT).is_some()
}

/// The URLs on the own host that a delivered document hands to Twilio, in its order; none where
/// what is delivered is no TwiML. What is only played or sent is left out.
///
/// `parent`: how the document's own URL is named, `POST /voice`; `slot`: what Twilio does with it.
pub fn handed_out(
    request: &RequestFacts,
    slot: Slot,
    delivery: &Delivery,
    policy: &Policy,
    parent: &str,
) -> Vec<Handed> {
    let body = &delivery.body;
    let has_links = || MARKS.iter().any(|mark| memmem::find(body, mark).is_some());
    if !slot.takes_twiml() || !is_document(delivery) || !has_links() {
        return Vec::new();
    }
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let text = text.trim_start_matches('\u{feff}');
    let Ok(document) = twiml::read(text) else { return Vec::new() };
    let own_hosts = policy.hosts_seen_by(request);
    let base = policy.asked_url(request);
    let reading = Reading {
        text,
        document: &document,
        slot,
        own_hosts: &own_hosts,
        is_public: false,
        base: base.as_deref(),
    };
    let written = links(&reading).into_iter().filter_map(|link| of_link(link, &reading, parent));
    written.chain(own_actions(&reading, parent)).take(MAX_LINKS).collect()
}

/// What [`handed_out`] gives for a judgement's delivery; without a second look at what was fit, and
/// for the same document the same list as long as nothing else is asked.
pub fn handed_out_by(
    request: &RequestFacts,
    slot: Slot,
    judgement: &Judgement,
    policy: &Policy,
    parent: &str,
) -> Arc<[Handed]> {
    let delivery = &judgement.delivery;
    let Some(spans) = &judgement.spans else {
        return handed_out(request, slot, delivery, policy, parent).into();
    };
    spans.last.or(request, slot, policy, parent, || {
        of_spans(spans, request, slot, delivery, policy, parent).unwrap_or_default()
    })
}

/// `None` where the spans are another document's.
fn of_spans(
    spans: &Spans,
    request: &RequestFacts,
    slot: Slot,
    delivery: &Delivery,
    policy: &Policy,
    parent: &str,
) -> Option<Vec<Handed>> {
    if !slot.takes_twiml() || spans.iter().next().is_none() && spans.gathers().next().is_none() {
        return Some(Vec::new());
    }
    let own_hosts = policy.hosts_seen_by(request);
    let base = policy.asked_url(request);
    let origin = base.as_deref().and_then(|base| Origin::of(base, &own_hosts));
    let mut found = Vec::with_capacity(spans.len());
    for span in spans.iter() {
        if found.len() >= MAX_LINKS {
            break;
        }
        let Span { element, attribute, is_get, in_connect, .. } = *span;
        let (element, attribute) = fit::names(element, attribute)?;
        let written = std::str::from_utf8(delivery.body.get(span.range())?).ok()?;
        let reference = plain(written);
        let (purpose, method) = (purpose(element, attribute, slot), method(is_get));
        if let Some(origin) = origin.as_ref().filter(|_| is_simple(&reference)) {
            if origin.is_own {
                let (url, path) = (origin.text.to_owned() + &reference, before_query(&reference));
                let place = (element, attribute, parent);
                found.extend(of_own(url, path.to_owned(), place, method, purpose, in_connect));
            }
            continue;
        }
        let absolute = absolute(&reference, base.as_deref());
        let called = Called { element, attribute, absolute, method, purpose, in_connect };
        found.extend(of_call(called, &own_hosts, parent));
    }
    for is_get in spans.gathers() {
        found.extend(own_action(base.as_deref(), method(is_get), slot, parent));
    }
    found.truncate(MAX_LINKS);
    Some(found)
}

/// Where a document came from.
struct Origin<'b> {
    /// Scheme and authority.
    text: &'b str,
    is_own: bool,
}

impl<'b> Origin<'b> {
    fn of(base: &'b str, own_hosts: &[String]) -> Option<Self> {
        let scheme = urls::scheme(base)?;
        let rest = base.get(scheme.len()..)?;
        let end = scheme.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len());
        Some(Self { text: base.get(..end)?, is_own: urls::is_on_own_host(base, own_hosts) })
    }
}

/// Whether a reference is a path on its document's host that needs no resolving.
fn is_simple(reference: &str) -> bool {
    reference.starts_with('/')
        && !reference.starts_with("//")
        && !reference.contains("/.")
        && !reference.contains('#')
}

fn before_query(reference: &str) -> &str {
    reference.split('?').next().unwrap_or_default()
}

const fn method(is_get: bool) -> &'static str {
    if is_get { "GET" } else { "POST" }
}

/// A URL that will be called.
struct Called<'a> {
    element: &'a str,
    attribute: Option<&'a str>,
    absolute: Option<String>,
    method: &'static str,
    purpose: Purpose,
    in_connect: bool,
}

fn of_link(link: Link<'_>, reading: &Reading<'_>, parent: &str) -> Option<Handed> {
    let Link { element, attribute, absolute, method, purpose, inside, .. } = link;
    let in_connect = inside == "Connect";
    let called = Called { element, attribute, absolute, method, purpose, in_connect };
    of_call(called, reading.own_hosts, parent)
}

fn of_call(called: Called<'_>, own_hosts: &[String], parent: &str) -> Option<Handed> {
    let Called { element, attribute, absolute, method, purpose, in_connect } = called;
    let url = absolute.filter(|url| urls::is_on_own_host(url, own_hosts))?;
    let path = urls::path(&url)?.to_owned();
    of_own(url, path, (element, attribute, parent), method, purpose, in_connect)
}

/// What is handed out by a URL on the own host, which stands in an element's attribute or text.
fn of_own(
    url: String,
    path: String,
    (element, attribute, parent): (&str, Option<&str>, &str),
    method: &'static str,
    purpose: Purpose,
    in_connect: bool,
) -> Option<Handed> {
    let Purpose::Slot(slot) = purpose else { return None };
    if element.len() > MAX_NAME || attribute.is_some_and(|name| name.len() > MAX_NAME) {
        return None;
    }
    Some(Handed {
        method,
        path,
        url,
        slot,
        place: HandedOut {
            element: element.to_owned(),
            attribute: attribute.map(str::to_owned),
            parent: parent.to_owned(),
        },
        holds_call: slot == Slot::Stream && in_connect,
    })
}

fn own_actions<'r>(reading: &'r Reading<'_>, parent: &'r str) -> impl Iterator<Item = Handed> {
    let gathers = reading.document.elements.iter().filter(|element| {
        let action = element.attribute(reading.text, "action");
        let action = action.and_then(|span| reading.text.get(span)).unwrap_or_default();
        element.name_in(reading.text) == "Gather" && action.trim().is_empty()
    });
    gathers.filter_map(move |element| {
        let value = element.attribute(reading.text, "method");
        let value = value.and_then(|span| reading.text.get(span)).unwrap_or_default();
        own_action(reading.base, method(is_get(value)), reading.slot, parent)
    })
}

/// A `<Gather>` without an action asks the document's own URL (Twilio docs, `<Gather>`).
fn own_action(
    base: Option<&str>,
    method: &'static str,
    slot: Slot,
    parent: &str,
) -> Option<Handed> {
    let url = base?.split('#').next()?.to_owned();
    Some(Handed {
        method,
        path: urls::path(&url)?.to_owned(),
        url,
        slot: match slot {
            slot @ (Slot::ConferenceWait | Slot::Wait | Slot::Whisper) => slot,
            _ => Slot::Action,
        },
        place: HandedOut {
            element: "Gather".to_owned(),
            attribute: Some("action".to_owned()),
            parent: parent.to_owned(),
        },
        holds_call: false,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::guard::judgement::DeliveryKind;
    use crate::twilio::Params;

    fn handed(slot: Slot, body: &[u8]) -> Vec<Handed> {
        let request = RequestFacts {
            method: Method::POST,
            target: "/ivr/voice?lang=en".to_owned(),
            host: Some("10.0.0.7:8080".to_owned()),
            has_authorization: false,
            params: Params::default(),
            body: Bytes::new(),
        };
        let policy = Policy {
            own_hosts: vec!["pbx.example.com".to_owned()],
            public_origin: Some("https://pbx.example.com".to_owned()),
            ..Policy::default()
        };
        let delivery = Delivery {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            kind: DeliveryKind::Original,
        };
        handed_out(&request, slot, &delivery, &policy, "POST /ivr/voice")
    }

    fn shown(slot: Slot, body: &str) -> Vec<String> {
        let line = |handed: Handed| {
            let Handed { method, path, slot, place, holds_call, .. } = handed;
            let waits = if holds_call { " holds" } else { "" };
            format!("{method} {path} {slot}{waits}: {place}")
        };
        handed(slot, body.as_bytes()).into_iter().map(line).collect()
    }

    #[test]
    fn urls_of_the_own_host_are_taken_with_slot_and_place() {
        let xml = "<Response><Connect action=\"/ended\"><Stream url=\"wss://pbx.example.com/ws\" \
            statusCallback=\"https://pbx.example.com/status?x=1\" statusCallbackMethod=\"GET\"/></Connect>\
            <Start><Stream url=\"wss://pbx.example.com/tap\"/></Start>\
            <Dial action=\"https://other.example.com/no\"><Number url=\"http://10.0.0.7:8080/w\">+15550100001</Number></Dial>\
            <Play>/a.mp3</Play><Redirect>next</Redirect></Response>";
        assert_eq!(
            shown(Slot::Voice, xml),
            [
                "POST /ended action: action of <Connect> from POST /ivr/voice",
                "GET /ws stream holds: url of <Stream> from POST /ivr/voice",
                "GET /status callback: statusCallback of <Stream> from POST /ivr/voice",
                "GET /tap stream: url of <Stream> from POST /ivr/voice",
                "POST /w whisper: url of <Number> from POST /ivr/voice",
                "POST /ivr/next voice: target of <Redirect> from POST /ivr/voice",
            ]
        );
    }

    #[test]
    fn a_gather_without_action_asks_its_own_document() {
        let own = "<Response><Gather/><Gather action=\" \" method=\"get\"/></Response>";
        assert_eq!(
            shown(Slot::Voice, own),
            [
                "POST /ivr/voice action: action of <Gather> from POST /ivr/voice",
                "GET /ivr/voice action: action of <Gather> from POST /ivr/voice",
            ]
        );
        assert!(shown(Slot::Whisper, own).iter().all(|line| line.contains(" whisper: ")));
        assert!(shown(Slot::Voice, "<Response><Record/><Dial>1</Dial></Response>").is_empty());
    }

    #[test]
    fn what_is_no_document_hands_out_nothing() {
        let linked = "<Response><Redirect>/v</Redirect></Response>";
        assert_eq!(handed(Slot::Voice, format!("\u{feff}{linked}").as_bytes()).len(), 1);
        assert!(handed(Slot::Callback, linked.as_bytes()).is_empty());
        for body in ["<Response><Redirect>/v</Response>", "url=/v", "", "<Response>\0url"] {
            assert!(handed(Slot::Voice, body.as_bytes()).is_empty(), "{body}");
        }
        let many = format!("<Response>{}</Response>", "<Redirect>/v</Redirect>".repeat(500));
        assert_eq!(handed(Slot::Voice, many.as_bytes()).len(), MAX_LINKS);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_panic(body in "(<Response>)?[<>/a-zA-Z \"=&#:?]{0,80}(</Response>)?", bytes in any::<Vec<u8>>()) {
            handed(Slot::Voice, body.as_bytes());
            handed(Slot::Voice, &bytes);
            let url = format!("<Response><Redirect>{}</Redirect></Response>", body.replace(['<', '&'], ""));
            for found in handed(Slot::Voice, url.as_bytes()) {
                prop_assert!(found.path.starts_with('/'), "{found:?}");
            }
        }
    }
}
