//! Incidents: what is recorded of one verdict that was not `untouched`.
//!
//! The request path offers each [`Incident`] to a [`Recorder`](recorder::Recorder), which never
//! waits. Behind its queue the incident becomes a log event, is counted under its outbreak and, as
//! a masked [`Record`](record::Record), goes to the store.

mod ending;
mod event;
mod fell_back;
pub mod identity;
mod journal;
pub mod moment;
pub mod noted;
mod notify;
mod otlp;
pub mod outbreak;
mod outgoing;
pub mod record;
pub mod recorder;
pub mod redact;
mod repeated;
pub mod replay;
#[cfg(test)]
mod sample;
pub mod stats;
pub mod store;
pub mod timeline;
pub mod traffic;
pub mod view;

use std::hash::{BuildHasher as _, Hash};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use foldhash::quality::RandomState;
use http::HeaderMap;
use uuid::Uuid;

use crate::config::route::Route;
use crate::guard::causes::{Cause, Level, Stage};
use crate::guard::{Answer, CAUSES, DeliveryKind, Exchange, Judgement};
use crate::telemetry::metrics::{CauseLabel, Metrics};
use crate::twilio::Slot;

pub use journal::{Recording, new_id};
pub use notify::try_webhooks;

/// A hash to tell texts apart while this process runs; another has others.
fn hash_of(value: &impl Hash) -> u64 {
    static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    HASHES.hash_one(value)
}

/// What is recorded of one judged answer.
#[derive(Debug, Clone)]
pub struct Incident {
    /// UUIDv7: sorts by time.
    pub id: Uuid,
    /// When the request came, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The route that matched.
    pub route: Arc<Route>,
    /// The backend that was asked, the last one where there were several: its authority.
    pub upstream: String,
    /// Request and all that the backend gave.
    pub exchange: Arc<Exchange>,
    /// What became of it.
    pub judgement: Arc<Judgement>,
    /// The requests sent to the backend, as `exchange.attempts`.
    pub sent: Vec<Sent>,
    /// How long the backend took in all.
    pub upstream_duration: Duration,
    /// Of the budget, when the delivery was decided.
    pub budget_left: Duration,
    /// What must not be logged or kept.
    pub redaction: redact::Redaction,
    /// Hash of the configuration in force.
    pub config_hash: Arc<str>,
    /// Routes that are known to take TwiML, where the backend knew none for this path.
    pub known_routes: Arc<[String]>,
}

/// A request as it was sent to the backend, and when.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Its headers.
    pub headers: Arc<HeaderMap>,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// After the request came to the guard.
    pub started: Duration,
    /// Until a connection stood.
    pub connect: Duration,
    /// Until the answer's head was complete.
    pub first_byte: Option<Duration>,
    /// Until the answer was complete, or failed.
    pub total: Duration,
    /// The answer, where another request followed it.
    pub answer: Option<Answer>,
}

impl Incident {
    /// From here on what its request told is masked wherever it is repeated. Costs too much for
    /// the request path.
    fn know(&mut self) {
        let headers = self.sent.iter().map(|sent| &*sent.headers);
        self.redaction = self.redaction.knowing(&self.exchange.request.params, headers);
    }

    /// What became of the answer: `repaired`, `replaced`, `failed` (a 502, or a stream) or `untouched`.
    pub fn outcome(&self) -> &'static str {
        match self.judgement.withheld.as_ref().unwrap_or(&self.judgement.delivery).kind {
            DeliveryKind::Refusal => "failed",
            _ if self.is_failed_stream() => "failed",
            _ => self.judgement.verdict.name(),
        }
    }
}

/// Instruments with a label for every slot and every cause.
pub fn instruments() -> prometheus::Result<Metrics> {
    let slots = Slot::ALL.map(Slot::name);
    let label = |cause: &&Cause| CauseLabel {
        slug: cause.slug,
        // Nothing can be put in the place of a stream.
        may_be_untouched: cause.level != Level::Fault || cause.stage == Stage::Stream,
    };
    let causes: Vec<_> = CAUSES.iter().map(label).collect();
    Metrics::new(&slots, &causes)
}
