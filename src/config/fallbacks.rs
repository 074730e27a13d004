//! Configured fallbacks: compiled when the configuration is loaded, and none may lead back into
//! the fault.

use std::ops::Range;
use std::sync::Arc;

use http::Method;

use super::error::{ConfigError, Origin};
use super::layers::{Entries, Layers, line_of};
use super::resolve::{Values, slots_of};
use super::route::Route;
use crate::guard::{Fallback, Fallbacks, Policy};
use crate::twilio::{Slot, SlotSetting};

/// The keys of `[fallback]` that hold TwiML.
const SLOT_KEYS: [(&str, Slot); 6] = [
    ("fallback.voice", Slot::Voice),
    ("fallback.action", Slot::Action),
    ("fallback.whisper", Slot::Whisper),
    ("fallback.wait", Slot::Wait),
    ("fallback.conference_wait", Slot::ConferenceWait),
    ("fallback.messaging", Slot::Messaging),
];

/// Puts the fallbacks of `[fallback]` in place.
pub(super) fn apply_global(
    fallbacks: &mut Fallbacks,
    entries: &Entries,
    text: &str,
    errors: &mut Vec<ConfigError>,
) {
    for (key, slot) in SLOT_KEYS {
        let Some(xml) = Values(entries).text(key) else { continue };
        match Fallback::compile(slot.name(), &xml, slot) {
            Ok(fallback) => put(fallbacks, slot, fallback),
            Err(error) => {
                let span = entries.get(key).and_then(|entry| entry.span.clone());
                errors.push(at(key, span, text, error.to_string(), None));
            }
        }
    }
}

/// The spoken apology with words of the operator's own must be as fit as any fallback.
pub(super) fn check_words(
    spoken: &Fallbacks,
    entries: &Entries,
    text: &str,
    errors: &mut Vec<ConfigError>,
) {
    let key = "fallback.text";
    let Some(entry) = entries.get(key) else { return };
    let document = String::from_utf8_lossy(&spoken.voice.body);
    if let Err(error) = Fallback::compile(key, &document, Slot::Voice) {
        errors.push(at(key, entry.span.clone(), text, error.to_string(), None));
    }
}

/// Puts a route's own fallback in place. On an `auto` route it stands in for voice and action;
/// what is recognised as another slot there keeps that slot's fallback.
pub(super) fn apply_route(
    policy: &mut Policy,
    entries: &Entries,
    setting: SlotSetting,
    text: &str,
    span: &Range<usize>,
    errors: &mut Vec<ConfigError>,
) {
    let Some(xml) = Values(entries).text("fallback") else { return };
    let span = entries
        .get("fallback")
        .and_then(|entry| entry.span.clone())
        .unwrap_or_else(|| span.clone());
    let slots = slots_of(setting);
    if slots.is_empty() {
        errors.push(at(
            "route.fallback",
            Some(span),
            text,
            "a route with slot `pass` is not guarded, so it has no fallback; remove the key"
                .to_owned(),
            None,
        ));
        return;
    }
    let mut own = (*policy.fallbacks).clone();
    for slot in slots {
        let name = Values(entries).text("path").unwrap_or_default();
        match Fallback::compile(&name, &xml, slot) {
            Ok(fallback) => put(&mut own, slot, fallback),
            Err(error) => {
                return errors.push(at(
                    "route.fallback",
                    Some(span),
                    text,
                    error.to_string(),
                    None,
                ));
            }
        }
    }
    policy.fallbacks = Arc::new(own);
}

fn put(fallbacks: &mut Fallbacks, slot: Slot, fallback: Fallback) {
    match slot {
        Slot::Action => fallbacks.action = fallback,
        Slot::ConferenceWait => fallbacks.conference_wait = fallback,
        Slot::Messaging => fallbacks.messaging = fallback,
        Slot::Voice => fallbacks.voice = fallback,
        Slot::Wait => fallbacks.wait = fallback,
        Slot::Whisper => fallbacks.whisper = fallback,
        Slot::Callback | Slot::Stream => {}
    }
}

fn at(
    key: &str,
    span: Option<Range<usize>>,
    text: &str,
    message: String,
    help: Option<String>,
) -> ConfigError {
    let origin =
        span.as_ref().map_or(Origin::Default, |span| Origin::File(line_of(text, span.start)));
    ConfigError { origin, key: key.to_owned(), message, help, span }
}

/// Where fallbacks lead.
pub(super) struct Leads<'c> {
    pub(super) routes: &'c [(Arc<Route>, Range<usize>)],
    pub(super) default_route: &'c Arc<Route>,
    pub(super) entries: &'c Layers,
    pub(super) text: &'c str,
}

impl Leads<'_> {
    /// A fallback that sends Twilio to a guarded route of the same backend fails with it.
    pub(super) fn check(&self, errors: &mut Vec<ConfigError>) {
        for (key, slot) in SLOT_KEYS {
            let Some(entry) = self.entries.entries.get(key) else { continue };
            let Some(fallback) = self.default_route.policy.configured().fallbacks.of(slot) else {
                continue;
            };
            let users = std::iter::once(self.default_route)
                .chain(self.routes.iter().map(|(route, _)| route));
            let back = users
                .filter(|route| route.slot != SlotSetting::Pass)
                .find_map(|user| self.leads_back(fallback, user));
            if let Some(why) = back {
                errors.push(at(key, entry.span.clone(), self.text, why, Some(help())));
            }
        }
        for ((route, span), (entries, _)) in self.routes.iter().zip(&self.entries.routes) {
            let Some(entry) = entries.get("fallback") else { continue };
            let slot = slots_of(route.slot).first().copied();
            let Some(fallback) = slot.and_then(|slot| route.policy.configured().fallbacks.of(slot))
            else {
                continue;
            };
            if let Some(why) = self.leads_back(fallback, route) {
                let span = entry.span.clone().unwrap_or_else(|| span.clone());
                errors.push(at("route.fallback", Some(span), self.text, why, Some(help())));
            }
        }
    }

    fn leads_back(&self, fallback: &Fallback, user: &Arc<Route>) -> Option<String> {
        fallback.next_urls().into_iter().find_map(|url| {
            let target = if url.is_empty() { Arc::clone(user) } else { self.target(&url)? };
            let guarded = !matches!(target.slot, SlotSetting::Pass | SlotSetting::Fixed(Slot::Callback | Slot::Stream));
            (guarded && target.shares_backend(user)).then(|| {
                let shown = if url.is_empty() { "its own URL (Gather and Record without `action`)".to_owned() } else { format!("`{url}`") };
                format!("expected a fallback that does without the backend, found one that leads back to {shown}, guarded and served by the backend that may be failing")
            })
        })
    }

    /// The route of a URL on the guard itself; `None` for other hosts.
    fn target(&self, url: &str) -> Option<Arc<Route>> {
        let lower = url.to_ascii_lowercase();
        let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
        let path = match rest {
            Some(rest) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (host, _) = rest.split_at(end);
                if !self.default_route.policy.configured().own_hosts.iter().any(|own| own == host) {
                    return None;
                }
                url.get(url.len() - rest.len() + end..)?.to_owned()
            }
            None if url.starts_with('/') => url.to_owned(),
            None => format!("/{url}"),
        };
        let path = path.split(['?', '#']).next().filter(|path| !path.is_empty()).unwrap_or("/");
        let configured = self
            .routes
            .iter()
            .map(|(route, _)| route)
            .find(|route| route.matches(&Method::POST, path));
        Some(Arc::clone(configured.unwrap_or(self.default_route)))
    }
}

fn help() -> String {
    "speak, hang up, or redirect to another host or to a route with its own `upstream`".to_owned()
}
