//! `link-private`: a URL on a host that Twilio can't reach, or that is gone when its tunnel closes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::{hosts, link, links};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "link-private",
    stage: Stage::Links,
    level: Level::Warning,
    codes: &[11210, 11200, 11205],
    evidence: Evidence::Inferred,
    explain: "a URL on a private, local or development host, not the one that was asked",
    remedy: "configure the backend's public host",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let kinds = link::links(reading).into_iter().filter_map(|link| {
        let url = link.written;
        if links::is_on_own_host(url, reading.own_hosts) {
            return None;
        }
        let kind = hosts::unreachable(links::host(url)?)?;
        Some(Found::at(link.span.start, format!("{url} ({kind})")))
    });
    kinds.collect()
}
