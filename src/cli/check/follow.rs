//! Everything that the documents hand out: asked on the own host, listed elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use http::Method;

use super::examine;
use super::lines::{Line, Verdict};
use crate::guard::link::{self, Link, Purpose};
use crate::guard::reading::Reading;
use crate::guard::stream::StreamKind;
use crate::guard::twiml;
use crate::probe::{Ask, Client, Fetched, Stream, Url, Verb, parameters, parameters_of};
use crate::twilio::Slot;

/// Most questions, and documents behind each other.
const MAX_QUESTIONS: usize = 60;
const MAX_DEPTH: usize = 6;
/// Queries that are asked of one path.
const MAX_TARGETS: usize = 5;
/// Media messages in a stream: four seconds, sent faster than real time.
const FRAMES: u32 = 200;
const PACE: std::time::Duration = std::time::Duration::from_millis(2);

const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// A document whose links are still to be asked.
struct Found {
    text: String,
    base: Url,
    slot: Slot,
    depth: usize,
}

/// Asks what the document of `answer` hands out; without `all` only its streams.
pub(super) async fn follow(
    client: &mut Client,
    answer: &Fetched,
    slot: Slot,
    all: bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut seen = BTreeMap::new();
    let mut queue = VecDeque::new();
    let mut asked = 0;
    queue.extend(found(answer, slot, 0));
    while let Some(document) = queue.pop_front() {
        for handed in handed_out(&document) {
            let Handed { url, method, element, attribute, purpose, parameters } = handed;
            let Purpose::Slot(slot) = purpose else { continue };
            if (!all && slot != Slot::Stream)
                || !is_news(&mut seen, (method.to_string(), url.path().to_owned(), slot), &url)
            {
                continue;
            }
            let place = attribute
                .as_deref()
                .map_or(format!("<{element}>"), |name| format!("{name} of <{element}>"));
            if !client.may_ask(&as_http(&url)) {
                let says = format!("{place} on {}, another host; not asked", url.authority());
                lines.push(Line::new(
                    Verdict::Info,
                    "foreign",
                    examine::named(&method, &url),
                    says,
                ));
                continue;
            }
            for &status in statuses(slot) {
                if asked >= MAX_QUESTIONS || document.depth >= MAX_DEPTH {
                    let says = "not asked: the documents lead further than 60 questions or 6 documents in a row";
                    lines.push(Line::new(
                        Verdict::Warning,
                        "bound",
                        examine::named(&method, &url),
                        says,
                    ));
                    return lines;
                }
                asked += 1;
                if slot == Slot::Stream {
                    lines.push(
                        examine::stream(client, &stream(&url, &element, parameters.clone())).await,
                    );
                    continue;
                }
                let params = form(slot, status, &element, attribute.as_deref());
                let ask = Ask { method: method.clone(), url: url.clone(), params };
                let mut examined = examine::ask(client, name(&element, slot), slot, ask).await;
                let asked_as =
                    status.map_or(String::new(), |status| format!(", CallStatus={status}"));
                examined.line.request = format!("{}, {place}{asked_as}", examined.line.request);
                lines.push(examined.line);
                // What follows a call that is over is nothing.
                if status != Some("completed") && slot.takes_twiml() {
                    queue.extend(
                        examined.answer.and_then(|answer| found(&answer, slot, document.depth + 1)),
                    );
                }
            }
        }
    }
    lines
}

/// Targets that were asked, by method, path and slot.
type Seen = BTreeMap<(String, String, Slot), BTreeSet<String>>;

/// Whether a URL is still to be asked: flows that keep their step in the query are followed, too,
/// but not those that write another one each time.
fn is_news(seen: &mut Seen, place: (String, String, Slot), url: &Url) -> bool {
    let targets = seen.entry(place).or_default();
    targets.len() < MAX_TARGETS && targets.insert(url.target.clone())
}

fn found(answer: &Fetched, slot: Slot, depth: usize) -> Option<Found> {
    let text = examine::document(answer, slot)?;
    Some(Found { text, base: answer.url.clone(), slot, depth })
}

/// A URL that a document hands out.
struct Handed {
    url: Url,
    method: Method,
    element: String,
    attribute: Option<String>,
    purpose: Purpose,
    parameters: Vec<(String, String)>,
}

fn handed_out(found: &Found) -> Vec<Handed> {
    let text = found.text.strip_prefix('\u{feff}').unwrap_or(&found.text);
    let Ok(document) = twiml::read(text) else { return Vec::new() };
    let base = found.base.to_string();
    let reading = Reading {
        text,
        document: &document,
        slot: found.slot,
        own_hosts: &[],
        is_public: false,
        base: Some(&base),
    };
    let handed = |link: Link<'_>| {
        Some(Handed {
            url: link.absolute.as_deref()?.parse().ok()?,
            method: if link.method == "GET" { Method::GET } else { Method::POST },
            element: link.element.to_owned(),
            attribute: link.attribute.map(str::to_owned),
            purpose: link.purpose,
            parameters: Verb::read(text).map(|root| custom(&root)).unwrap_or_default(),
        })
    };
    link::links(&reading).into_iter().filter_map(handed).collect()
}

/// What the `<Parameter>`s of a document's streams say.
fn custom(verb: &Verb) -> Vec<(String, String)> {
    let own = (verb.name == "Parameter").then(|| {
        let value = |name| verb.get(name).unwrap_or_default().to_owned();
        (value("name"), value("value"))
    });
    own.into_iter().chain(verb.children.iter().flat_map(custom)).collect()
}

fn as_http(url: &Url) -> Url {
    use crate::probe::Scheme::{Http, Https};
    let scheme = if url.scheme.is_secure() { Https } else { Http };
    Url { scheme, ..url.clone() }
}

fn statuses(slot: Slot) -> &'static [Option<&'static str>] {
    if slot == Slot::Action { &[Some("in-progress"), Some("completed")] } else { &[None] }
}

fn form(
    slot: Slot,
    status: Option<&str>,
    element: &str,
    attribute: Option<&str>,
) -> Vec<(String, String)> {
    let mut all = parameters(slot);
    if slot == Slot::Action {
        all.retain(|(name, _)| name != "Digits");
    }
    if element == "Stream" || attribute == Some("recordingStatusCallback") {
        all.retain(|(name, _)| {
            !matches!(name.as_str(), "CallbackSource" | "CallDuration" | "Duration")
        });
    }
    let more = parameters_of(element, attribute);
    let status = status.map(|status| ("CallStatus".to_owned(), status.to_owned()));
    for (name, value) in more.into_iter().chain(status) {
        all.retain(|(own, _)| *own != name);
        all.push((name, value));
    }
    all
}

fn name(element: &str, slot: Slot) -> &'static str {
    match slot {
        Slot::Callback => "callback",
        Slot::ConferenceWait | Slot::Wait => "wait",
        Slot::Whisper => "whisper",
        _ if element == "Redirect" => "redirect",
        _ => "action",
    }
}

/// The stream of a URL.
pub(super) fn stream(url: &Url, element: &str, parameters: Vec<(String, String)>) -> Stream {
    let kind = if element == "ConversationRelay" {
        StreamKind::ConversationRelay
    } else {
        StreamKind::MediaStream
    };
    Stream {
        url: url.clone(),
        kind,
        call_sid: CALL.to_owned(),
        account_sid: ACCOUNT.to_owned(),
        parameters,
        frames: FRAMES,
        pace: PACE,
    }
}
