//! `sip-address-malformed`: what is dialled by SIP is no SIP address, or its headers are none.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "sip-address-malformed",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13243, 13252, 13253],
    evidence: Evidence::Documented,
    explain: "a `<Sip>` dials what is no SIP address, or sends headers that Twilio refuses",
    remedy: "write sip:user@host; headers behind ? are name=value, at most 1024 characters",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Most characters of the headers in one address.
const MAX_HEADERS: usize = 1_024;

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let addresses = reading.words_of("Sip").chain(reading.words_of("Uri"));
    let mut found: Vec<Found> = addresses
        .filter(|(_, address)| !address.is_empty())
        .filter_map(|(at, address)| {
            let why = unfit(&address)?;
            Some(Found::at(at, format!("{} ({why})", words::first_line(&address))))
        })
        .collect();
    found.sort_by_key(|found| found.offset);
    found
}

/// What is wrong with an address, in a few words.
pub(in crate::guard) fn unfit(address: &str) -> Option<&'static str> {
    let (scheme, rest) = address.split_once(':').unwrap_or_default();
    if !["sip", "sips"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) || rest.is_empty() {
        return Some("no SIP address");
    }
    let (host, headers) = rest.split_once('?').unwrap_or((rest, ""));
    if host.contains(char::is_whitespace) {
        return Some("blanks inside");
    }
    if headers.chars().count() > MAX_HEADERS {
        return Some("headers too long");
    }
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'%".contains(&b))
    };
    let names = headers.split('&').filter(|pair| !pair.is_empty());
    let unnamed = names.map(|pair| pair.split('=').next().unwrap_or_default()).any(|name| !is_name(name));
    unnamed.then_some("a header without a proper name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_others() {
        for address in ["sip:a@example.com", "SIPS:a@example.com;transport=tls?x-a=b&X-C=d", "sip:example.com"] {
            assert_eq!(unfit(address), None, "{address}");
        }
        for address in ["a@example.com", "sip:", "tel:+15550100003", "sip:a b@example.com", "sip:a@example.com?=b"] {
            assert!(unfit(address).is_some(), "{address}");
        }
        assert!(unfit(&format!("sip:a@example.com?x={}", "b".repeat(1_030))).is_some());
    }
}
