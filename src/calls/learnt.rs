//! What was learnt, for people and configurations.

use std::collections::BTreeMap;
use std::path::Path;

use super::kept::{self, KeptError};
use super::roles::Seen;
use crate::twilio::Slot;

/// A URL and what was learnt of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    /// Its method.
    pub method: String,
    /// Its path; `{id}` stands for what differs from call to call.
    pub path: String,
    /// Every slot it is called in, the one seen most often first.
    pub slots: Vec<Slot>,
    /// From where that is known: `action of <Connect> from POST /voice`, `asked as voice`.
    pub sources: Vec<String>,
    /// How often it was seen.
    pub times: u64,
    /// When last, milliseconds since the Unix epoch.
    pub last_ms: u64,
}

/// What a state directory keeps of what was learnt, by path and method; nothing where there is none.
pub fn learnt(state_dir: &Path) -> Result<Vec<Learnt>, KeptError> {
    let mut urls: BTreeMap<(String, String), Vec<Seen>> = BTreeMap::new();
    for (key, seen) in kept::read(state_dir)? {
        if let Some((method, path)) = key.split_once(' ') {
            urls.entry((path.to_owned(), method.to_owned())).or_default().push(seen);
        }
    }
    Ok(urls.into_iter().map(|((path, method), seen)| told(method, path, seen)).collect())
}

fn told(method: String, path: String, mut seen: Vec<Seen>) -> Learnt {
    seen.sort_by_key(|seen| (u64::MAX - seen.times, seen.known.slot));
    let mut slots = Vec::new();
    for one in &seen {
        if !slots.contains(&one.known.slot) {
            slots.push(one.known.slot);
        }
    }
    let source = |seen: &Seen| match &seen.known.place {
        Some(place) => place.to_string(),
        None => format!("asked as {}", seen.known.slot),
    };
    Learnt {
        method,
        path,
        slots,
        sources: seen.iter().map(source).collect(),
        times: seen.iter().map(|seen| seen.times).fold(0, u64::saturating_add),
        last_ms: seen.iter().map(|seen| seen.last_ms).max().unwrap_or_default(),
    }
}
