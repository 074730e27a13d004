//! `link-foreign`: the call goes on at another host than the guard's.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::{Purpose, hosts, link, links};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "link-foreign",
    stage: Stage::Links,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "the call goes on at a URL on another host than public_url: what is answered there does not pass this guard",
    remedy: "configure the backend's public host, or leave it if that host is meant",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Hosts of Twilio's own that answer with TwiML.
const TWILIOS: [&str; 3] = ["twilio.com", "twil.io", "twimlets.com"];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    // What is foreign is known for certain only where the own host is configured.
    if !reading.is_public {
        return Vec::new();
    }
    let foreign = link::links(reading).into_iter().filter_map(|link| {
        let Purpose::Slot(slot) = link.purpose else { return None };
        let host = links::host(link.written).filter(|_| slot.takes_twiml())?;
        let is_known =
            links::is_on_own_host(link.written, reading.own_hosts) || is_twilios(host);
        if is_known || hosts::unreachable(host).is_some() {
            return None;
        }
        let place = link.attribute.map_or(String::new(), |name| format!(" {name}"));
        let evidence = format!("<{}{place}> sends Twilio to {host}", link.element);
        Some(Found::at(link.span.start, evidence))
    });
    foreign.collect()
}

/// Whether a host is one of Twilio's own.
pub(in crate::guard) fn is_twilios(host: &str) -> bool {
    TWILIOS.iter().any(|own| {
        let sub = hosts::without_zone(host, own);
        sub.is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
    })
}
