//! The steps of one call or message, as they passed the guard.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record::Row;
use super::redact::Redaction;
use super::store::{Filter, Page, Reader, StoreError, StoredIncident};
use super::view::IncidentView;
use crate::twilio::call;

/// One exchange or stream of a call, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it began, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// The request's method.
    pub method: String,
    /// The request's path (no query), masked.
    pub path: String,
    /// What Twilio does with the answer.
    pub slot: String,
    /// How the slot is known: `configured`, `this-call`, `learnt`, `inferred`, `assumed`.
    pub belief: String,
    /// As what a document handed the URL out: `action of <Connect> from POST /voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// CallStatus (or SmsStatus) as the request told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Status of the backend's last answer; none where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u16>,
    /// `untouched`, `repaired`, `replaced`, `failed`; of a stream: `ran`, `refused`, `died`.
    pub outcome: String,
    /// The slug of the first cause, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What left, or how a stream went, in a few words.
    pub told: String,
    /// The incident that was recorded of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Uuid>,
}

/// Gives the steps of a SID.
type Remember = dyn Fn(&str) -> Vec<Step> + Send + Sync;

/// What the running guard remembers of calls and messages.
#[derive(Clone)]
pub struct Live(Arc<Remember>);

impl Live {
    /// Remembered by whoever answers for a SID.
    pub fn new(steps: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self(Arc::new(steps))
    }

    /// The steps of the call or message with this SID.
    pub fn steps(&self, sid: &str) -> Vec<Step> {
        (self.0)(sid)
    }
}

impl Default for Live {
    /// Remembers nothing.
    fn default() -> Self {
        Self::new(|_| Vec::new())
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

/// Incidents that are told of one call.
const MOST_INCIDENTS: usize = 100;

/// The JSON of `twiml-guard incidents call SID --json` and of the admin API. Fields are only ever
/// added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallStory {
    /// The call or message.
    pub sid: String,
    /// Its steps, in their order.
    pub steps: Vec<Step>,
    /// Its incidents on record, oldest first.
    pub incidents: Vec<IncidentView>,
    /// The line that names the exchange to blame; none without an incident.
    pub summary: Option<String>,
}

impl CallStory {
    /// Puts together what the store has of a call and what the running guard remembers; `None` where
    /// neither knows it.
    pub fn read(
        reader: Option<&Reader>,
        sid: &str,
        live: Vec<Step>,
    ) -> Result<Option<Self>, StoreError> {
        let sid = kept_sid(sid);
        let (stored, mut incidents) = match reader {
            None => (Vec::new(), Vec::new()),
            Some(reader) => {
                let filter = Filter { sid: Some(sid.clone()), ..Filter::default() };
                let page = Page { limit: MOST_INCIDENTS, before: None };
                (reader.steps(&sid)?, reader.incidents(&filter, page)?)
            }
        };
        incidents.reverse();
        let steps = merged(stored, live, incidents.iter().map(|stored| &stored.row));
        if steps.is_empty() {
            return Ok(None);
        }
        let summary = to_blame(&incidents).and_then(|stored| stored.row.summary.clone());
        let incidents = incidents.into_iter().map(|s| IncidentView::new(s, None)).collect();
        Ok(Some(Self { sid, steps, incidents, summary }))
    }
}

/// A SID as it is kept: what is none is masked like any text.
pub fn kept_sid(sid: &str) -> String {
    static NOTHING_KNOWN: LazyLock<Redaction> = LazyLock::new(Redaction::default);
    let sid = NOTHING_KNOWN.masked(sid);
    match sid.char_indices().nth(64) {
        Some((end, _)) => sid.get(..end).unwrap_or_default().to_owned(),
        None => sid.into_owned(),
    }
}

/// Each step once, in order. What the guard remembers is newer than what was stored; an incident
/// whose step nobody has is one.
fn merged<'r>(
    stored: Vec<Step>,
    live: Vec<Step>,
    incidents: impl Iterator<Item = &'r Row>,
) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    for step in stored.into_iter().chain(live) {
        match all.iter_mut().find(|other| other.is(&step)) {
            None => all.push(step),
            Some(other) => *other = step,
        }
    }
    for step in incidents.map(Step::from) {
        match all.iter_mut().find(|other| other.is(&step)) {
            None => all.push(step),
            // A row tells less of the exchange than its step.
            Some(other) => other.incident = other.incident.or(step.incident),
        }
    }
    all.sort_by_key(|step| step.time_ms);
    all
}

/// The incident that began it: the first whose answer had to be replaced, else the first with a code of
/// Twilio's. What the caller could not hear, a callback's or that of a call that was over, comes last.
fn to_blame(incidents: &[StoredIncident]) -> Option<&StoredIncident> {
    let is_unheard = |row: &Row| {
        row.slot == "callback" || row.call_status.as_deref().is_some_and(call::is_terminal)
    };
    let weight = |stored: &&StoredIncident| match stored.row.outcome.as_str() {
        _ if is_unheard(&stored.row) => 3,
        "failed" | "replaced" => 0,
        "repaired" if !stored.row.codes.is_empty() => 1,
        _ if !stored.row.codes.is_empty() => 2,
        _ => 4,
    };
    incidents.iter().min_by_key(weight)
}

impl Step {
    /// Whether both are the same exchange.
    fn is(&self, other: &Self) -> bool {
        if let (Some(own), Some(other)) = (self.incident, other.incident) {
            return own == other;
        }
        (self.time_ms, &self.method, &self.path) == (other.time_ms, &other.method, &other.path)
    }
}

impl From<&Row> for Step {
    /// What a row tells of its exchange.
    fn from(row: &Row) -> Self {
        Self {
            time_ms: row.time_ms,
            duration_ms: row.upstream_ms,
            method: row.method.clone(),
            path: row.path.clone(),
            slot: row.slot.clone(),
            belief: row.belief.clone().unwrap_or_default(),
            role: row.role.clone(),
            status: row.call_status.clone(),
            answered: None,
            outcome: row.outcome.clone(),
            cause: (!row.cause.is_empty()).then(|| row.cause.clone()),
            told: row.stream.as_ref().filter(|_| row.slot == "stream").cloned().unwrap_or_default(),
            incident: Some(row.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(time_ms: u64, path: &str) -> Step {
        Step {
            time_ms,
            duration_ms: 3,
            method: "POST".to_owned(),
            path: path.to_owned(),
            slot: "voice".to_owned(),
            belief: "this-call".to_owned(),
            role: None,
            status: Some("in-progress".to_owned()),
            answered: Some(200),
            outcome: "untouched".to_owned(),
            cause: None,
            told: "the original".to_owned(),
            incident: None,
        }
    }

    fn row(time_ms: u64, path: &str, outcome: &str) -> Row {
        Row {
            id: Uuid::now_v7(),
            time_ms,
            method: "POST".to_owned(),
            path: path.to_owned(),
            slot: "voice".to_owned(),
            outcome: outcome.to_owned(),
            codes: vec![12_100],
            summary: Some(format!("12100 averted: POST {path}")),
            ..Row::default()
        }
    }

    fn paths(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.path.as_str()).collect()
    }

    #[test]
    fn each_step_stands_once_and_in_its_order() {
        let stored = vec![step(10, "/voice"), step(10, "/voice"), step(30, "/end")];
        let newer = Step { told: "ran".to_owned(), ..step(30, "/end") };
        let live = vec![newer.clone(), step(20, "/more")];
        let rows = [row(30, "/end", "replaced"), row(15, "/alone", "repaired")];
        let all = merged(stored, live, rows.iter());
        assert_eq!(paths(&all), ["/voice", "/alone", "/more", "/end"]);
        assert_eq!((all[3].told.as_str(), all[3].incident), ("ran", Some(rows[0].id)));
        assert_eq!(all[1].incident, Some(rows[1].id));
    }

    #[test]
    fn an_incident_belongs_to_its_step_though_their_times_differ() {
        let incident = row(31, "/end", "replaced");
        let own = Step { incident: Some(incident.id), ..step(30, "/end") };
        let all = merged(vec![own.clone()], Vec::new(), std::iter::once(&incident));
        assert_eq!(all, [own]);
        // Two of the same millisecond are two.
        let twice = [row(30, "/end", "replaced"), row(30, "/end", "replaced")];
        assert_eq!(merged(Vec::new(), Vec::new(), twice.iter()).len(), 2);
    }

    #[test]
    fn the_first_that_had_to_be_replaced_is_to_blame() {
        let stored = |row: Row| StoredIncident { seq: 1, outbreak: Uuid::nil(), whole: false, row };
        let all = ["untouched", "repaired", "replaced", "failed"]
            .map(|outcome| stored(row(1, &format!("/{outcome}"), outcome)));
        assert_eq!(to_blame(&all).unwrap().row.path, "/replaced");
        assert_eq!(to_blame(&all[..2]).unwrap().row.path, "/repaired");
        assert!(to_blame(&[]).is_none());
        let callback = Row { slot: "callback".to_owned(), ..row(1, "/status", "replaced") };
        let over = Row { call_status: Some("completed".to_owned()), ..row(2, "/end", "replaced") };
        let all = [callback, over, row(3, "/get", "repaired")].map(stored);
        assert_eq!(to_blame(&all).unwrap().row.path, "/get");
        assert_eq!(to_blame(&all[..2]).unwrap().row.path, "/status");
    }

    #[test]
    fn what_is_no_sid_is_masked() {
        let sid = "CA0123456789abcdef0123456789abcdef";
        assert_eq!(kept_sid(sid), sid);
        assert!(!kept_sid("+15550104477").contains("15550104477"));
    }
}
