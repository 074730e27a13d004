//! Outbreaks and incidents as they are shown: the JSON of `twiml-guard incidents --json` and of the
//! admin API, which are the same. Fields are only ever added.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::outbreak::Outbreak;
use super::record::Record;
use super::store::StoredIncident;
use crate::guard::CAUSES;
use crate::guard::causes::Level;

/// `{"outbreaks": […]}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutbreakList {
    /// Open ones first, the latest activity first.
    pub outbreaks: Vec<OutbreakView>,
}

/// `{"outbreaks": […], "next": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutbreakPage {
    /// Open ones first, the latest activity first.
    pub outbreaks: Vec<OutbreakView>,
    /// What to ask for as `before` to get the next page; `null` on the last.
    pub next: Option<Uuid>,
}

/// `{"incidents": […], "next": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentList {
    /// Newest first.
    pub incidents: Vec<IncidentView>,
    /// What to ask for as `before` to get the next page; `null` on the last.
    pub next: Option<Uuid>,
}

/// One outbreak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutbreakView {
    /// Id of the incident that opened it.
    pub id: Uuid,
    /// The route's name.
    pub route: String,
    /// The cause that its incidents are counted under.
    pub cause: String,
    /// Twilio's codes of its latest incident, the most likely first.
    pub codes: Vec<u32>,
    /// What the cause is, in one line.
    pub explain: &'static str,
    /// What to fix in the backend, in one line.
    pub remedy: &'static str,
    /// Its first incident (RFC 3339).
    pub since: String,
    /// Its latest incident (RFC 3339).
    pub last: String,
    /// When it was found quiet (RFC 3339); `null` while it is open.
    pub closed: Option<String>,
    /// Whether it is still going on.
    pub open: bool,
    /// How often it returned after it was closed.
    pub reopened: u32,
    /// Its incidents.
    pub count: u64,
    /// Its distinct callers, as far as 10,000.
    pub callers: u64,
    /// Of its incidents, those that were only observed.
    pub observed: u64,
    /// The line that blames, of its latest incident, without what the backend said; `null` where an
    /// older guard recorded it.
    pub summary: Option<String>,
}

/// One incident, with its record where that is asked for and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentView {
    /// What every incident keeps.
    #[serde(flatten)]
    pub stored: StoredIncident,
    /// When the request came (RFC 3339).
    pub time: String,
    /// What the first cause is, in one line.
    pub explain: &'static str,
    /// What to fix in the backend, in one line.
    pub remedy: &'static str,
    /// The whole record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

impl From<Outbreak> for OutbreakView {
    fn from(outbreak: Outbreak) -> Self {
        let (explain, remedy) = texts(&outbreak.cause);
        Self {
            explain,
            remedy,
            since: rfc3339(outbreak.since_ms),
            last: rfc3339(outbreak.last_ms),
            closed: outbreak.closed_ms.map(rfc3339),
            open: outbreak.closed_ms.is_none(),
            id: outbreak.id,
            route: outbreak.route,
            cause: outbreak.cause,
            codes: outbreak.codes,
            reopened: outbreak.reopened,
            count: outbreak.count,
            callers: outbreak.callers,
            observed: outbreak.observed,
            summary: outbreak.summary,
        }
    }
}

impl IncidentView {
    /// An incident with or without its record.
    pub fn new(stored: StoredIncident, record: Option<Record>) -> Self {
        let (explain, remedy) = texts(&stored.row.cause);
        Self { time: rfc3339(stored.row.time_ms), explain, remedy, stored, record }
    }
}

/// What a cause is and what to fix; empty for one that this guard does not know.
pub fn texts(cause: &str) -> (&'static str, &'static str) {
    CAUSES
        .iter()
        .find(|known| known.slug == cause)
        .map_or(("", ""), |known| (known.explain, known.remedy))
}

/// Whether Twilio would not accept an answer with this cause; so for one that this guard does not know.
pub fn is_fault(cause: &str) -> bool {
    CAUSES.iter().find(|known| known.slug == cause).is_none_or(|known| known.level == Level::Fault)
}

/// Milliseconds since the Unix epoch as `2026-11-25T08:29:53.614Z`.
pub fn rfc3339(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| time_ms.to_string(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(1_795_595_393_614), "2026-11-25T08:29:53.614Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn known_causes_say_what_to_do() {
        assert!(!texts("html-page").1.is_empty());
        assert_eq!(texts("of a newer guard"), ("", ""));
    }
}
