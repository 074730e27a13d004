//! What each call and each message went through.

use std::collections::VecDeque;
use std::sync::Arc;

use super::belief::{Known, handed_out_first};
use super::bounded::{Bounded, Touched};
use crate::guard::Handed;
use crate::guard::call::StreamState;
use crate::incidents::noted::Noted;
use crate::twilio::{Slot, call};

/// Calls, and messages, that are remembered at most.
pub(super) const MAX_ACCOUNTS: usize = 10_000;
/// Twilio's own bound on the length of a call (Twilio docs, `<Dial timeLimit>`: 4 hours).
const MAX_AGE_MS: u64 = 4 * 3_600_000;
/// Steps that are remembered of a call, and of a message.
pub(super) const CALL_STEPS: usize = 100;
pub(super) const MESSAGE_STEPS: usize = 20;
/// Bytes of all steps together, about.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// URLs that are remembered of one call's own documents.
const MAX_OWN: usize = 64;
/// Streams that are remembered of one call.
const MAX_STREAMS: usize = 8;
/// Characters that are remembered of a stream's URL.
const MAX_URL: usize = 300;
/// Longest sid that is kept; real ones have 34 characters.
pub(super) const MAX_SID: usize = 64;
/// A stream that was handed out is opened within this time, if it is to be told by its path alone.
const AWAITED_MS: u64 = 120_000;

/// A URL that a document handed out, and as what: as it is remembered for all calls.
#[derive(Debug)]
pub(super) struct Way<'h> {
    pub(super) key: Arc<str>,
    pub(super) known: Known,
    /// None for the document's own URL.
    pub(super) handed: Option<&'h Handed>,
}

/// All accounts of one kind: calls or messages.
#[derive(Debug)]
pub(super) struct Ledger {
    accounts: Bounded<Account>,
    steps: usize,
    bytes: usize,
}

/// What one call went through.
#[derive(Debug, Default)]
pub(super) struct Account {
    steps: VecDeque<Noted>,
    bytes: usize,
    /// Whether something went wrong, so that its steps are kept for good.
    is_faulty: bool,
    is_over: bool,
    /// What its own documents told of URLs, the last one last.
    own: VecDeque<(Arc<str>, Known)>,
    streams: VecDeque<Stream>,
}

#[derive(Debug)]
struct Stream {
    key: Arc<str>,
    /// Whether the call waits for its end.
    holds_call: bool,
    state: StreamState,
}

impl Ledger {
    /// Remembers so many steps of each.
    pub(super) fn new(steps: usize) -> Self {
        Self { accounts: Bounded::new(MAX_ACCOUNTS, MAX_AGE_MS), steps, bytes: 0 }
    }

    /// Takes one step. Gives the steps that are to be kept for good: none before the first fault,
    /// then all, then each.
    pub(super) fn note(&mut self, sid: &str, step: Noted, now: u64) -> Vec<Noted> {
        let most = self.steps;
        let Some(account) = self.touch(sid, now) else { return Vec::new() };
        let before = account.bytes;
        let is_fault = !matches!(step.outcome, "untouched" | "ran");
        account.is_over |= step.status.as_deref().is_some_and(call::is_terminal);
        account.bytes += step.weight();
        account.steps.push_back(step);
        if account.steps.len() > most {
            account.bytes -= account.steps.pop_front().as_ref().map_or(0, Noted::weight);
        }
        let kept = if account.is_faulty {
            account.steps.back().cloned().into_iter().collect()
        } else if is_fault {
            account.is_faulty = true;
            account.steps.iter().cloned().collect()
        } else {
            Vec::new()
        };
        let after = account.bytes;
        self.weigh(before, after);
        kept
    }

    /// Takes what a document of this call handed out, and as what the document itself was asked.
    pub(super) fn hand_out(&mut self, sid: &str, ways: Vec<Way<'_>>, now: u64) {
        let Some(account) = self.touch(sid, now) else { return };
        let before = account.bytes;
        for Way { key, known, handed } in ways {
            if let Some(handed) = handed.filter(|handed| handed.slot == Slot::Stream) {
                account.await_stream(&key, handed);
            }
            account.know(key, known);
        }
        let after = account.bytes;
        self.weigh(before, after);
    }

    /// What is known of this call, if anything of it passed.
    pub(super) fn account(&self, sid: &str, now: u64) -> Option<&Account> {
        self.accounts.get(sid, now)
    }

    /// What became of the last stream that this call waited for.
    pub(super) fn stream(&self, sid: &str, now: u64) -> StreamState {
        let streams = self.accounts.get(sid, now).map(|account| &account.streams);
        let last = streams.and_then(|streams| streams.iter().rev().find(|own| own.holds_call));
        last.map_or(StreamState::None, |stream| stream.state.clone())
    }

    /// The calls that wait for a stream on this path, the newest first; not more than `most`.
    pub(super) fn awaiting(&self, key: &str, most: usize, now: u64) -> Vec<String> {
        let recent = self
            .accounts
            .newest_first()
            .take_while(|(_, seen, _)| now.saturating_sub(*seen) <= AWAITED_MS);
        let waiting = recent.filter(|(_, _, account)| {
            let last = account.streams.iter().rev().find(|own| &*own.key == key);
            !account.is_over && last.is_some_and(Stream::is_awaited)
        });
        waiting.map(|(sid, ..)| sid.to_owned()).take(most).collect()
    }

    /// A stream of this call is now in this state.
    pub(super) fn set_stream(&mut self, sid: &str, key: &str, state: StreamState, now: u64) {
        let Some(account) = self.touch(sid, now) else { return };
        let is_going =
            |own: &&mut Stream| &*own.key == key && !matches!(own.state, StreamState::Over(_));
        if let Some(own) = account.streams.iter_mut().rev().find(is_going) {
            own.state = state;
            return;
        }
        // Its document went through another guard.
        account.push_stream(Stream { key: key.into(), holds_call: true, state });
    }

    /// The steps that are remembered, in order.
    pub(super) fn timeline(&self, sid: &str, now: u64) -> Vec<Noted> {
        let account = self.accounts.get(sid, now);
        account.map(|account| account.steps.iter().cloned().collect()).unwrap_or_default()
    }

    /// One account now takes so many bytes; the oldest go where that is too much for all.
    fn weigh(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes + after - before;
        while self.bytes > MAX_BYTES {
            let Some(gone) = self.accounts.pop_oldest() else { break };
            self.bytes -= gone.bytes;
        }
    }

    fn touch(&mut self, sid: &str, now: u64) -> Option<&mut Account> {
        if sid.is_empty() || sid.len() > MAX_SID {
            return None;
        }
        let Touched { value, gone, .. } = self.accounts.touch(sid, now, Account::default);
        self.bytes -= gone.iter().map(|gone| gone.bytes).sum::<usize>();
        Some(value)
    }
}

impl Account {
    /// What this call's own documents told of a URL: handed out last first, only asked last.
    pub(super) fn own(&self, key: &str) -> impl Iterator<Item = &Known> {
        let of_key = self.own.iter().rev().filter(move |(own, _)| **own == *key);
        handed_out_first(of_key.map(|(_, known)| known))
    }

    fn know(&mut self, key: Arc<str>, known: Known) {
        let held = self.own.iter().position(|(own, other)| *own == key && *other == known);
        if let Some(own) = held.and_then(|at| self.own.remove(at)) {
            self.own.push_back(own);
            return;
        }
        self.bytes += weight_of(&key, &known);
        self.own.push_back((key, known));
        if self.own.len() > MAX_OWN {
            self.bytes -= self.own.pop_front().map_or(0, |(key, known)| weight_of(&key, &known));
        }
    }

    fn await_stream(&mut self, key: &Arc<str>, handed: &Handed) {
        self.streams.retain(|own| own.key != *key || !own.is_awaited());
        self.push_stream(Stream {
            key: Arc::clone(key),
            holds_call: handed.holds_call,
            state: StreamState::NeverOpened { url: handed.url.chars().take(MAX_URL).collect() },
        });
    }

    fn push_stream(&mut self, stream: Stream) {
        self.streams.push_back(stream);
        if self.streams.len() > MAX_STREAMS {
            self.streams.pop_front();
        }
    }
}

impl Stream {
    fn is_awaited(&self) -> bool {
        matches!(self.state, StreamState::NeverOpened { .. })
    }
}

/// About how many bytes a way in which a URL is known takes.
fn weight_of(key: &str, known: &Known) -> usize {
    let place = known.place.as_ref().map_or(0, |place| {
        place.element.len() + place.attribute.as_ref().map_or(0, String::len) + place.parent.len()
    });
    size_of::<(Arc<str>, Known)>() + key.len() + place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guard::call::HandedOut;

    fn step(outcome: &'static str, told: &str) -> Noted {
        Noted::sample(outcome, told)
    }

    /// What `POST /voice` hands out.
    fn ways(handed: &[Handed]) -> Vec<Way<'_>> {
        let own = Known { slot: Slot::Voice, place: None };
        let own = Way { key: "POST /voice".into(), known: own, handed: None };
        let way = |handed: &'_ Handed| {
            let place = Some(Arc::new(handed.place.clone()));
            (
                format!("{} {}", handed.method, handed.path).into(),
                Known { slot: handed.slot, place },
            )
        };
        let ways = handed.iter().map(|handed| {
            let (key, known) = way(handed);
            Way { key, known, handed: Some(handed) }
        });
        std::iter::once(own).chain(ways).collect()
    }

    fn handed(path: &str, slot: Slot, holds_call: bool) -> Handed {
        Handed {
            method: if slot == Slot::Stream { "GET" } else { "POST" },
            path: path.to_owned(),
            url: format!("wss://pbx.example.com{path}"),
            slot,
            place: HandedOut {
                element: "Connect".to_owned(),
                attribute: Some("action".to_owned()),
                parent: "POST /voice".to_owned(),
            },
            holds_call,
        }
    }

    fn told(steps: &[Noted]) -> Vec<String> {
        steps.iter().map(|step| step.told.to_string()).collect()
    }

    #[test]
    fn the_first_fault_keeps_all_steps_and_then_each() {
        let mut ledger = Ledger::new(3);
        for (outcome, name, kept) in [
            ("untouched", "a", &[][..]),
            ("ran", "b", &[]),
            ("replaced", "c", &["a", "b", "c"]),
            ("untouched", "d", &["d"]),
            ("died", "e", &["e"]),
        ] {
            assert_eq!(told(&ledger.note("CA01", step(outcome, name), 5)), kept, "{name}");
        }
        assert_eq!(told(&ledger.timeline("CA01", 5)), ["c", "d", "e"]);
        assert!(ledger.note("CA02", step("untouched", "x"), 5).is_empty());
        assert!(ledger.timeline("CA01", 6 + MAX_AGE_MS).is_empty());
    }

    #[test]
    fn a_nameless_or_overlong_sid_is_nobodys() {
        let mut ledger = Ledger::new(3);
        for sid in [String::new(), "C".repeat(MAX_SID + 1)] {
            assert!(ledger.note(&sid, step("replaced", "a"), 1).is_empty());
            assert!(ledger.timeline(&sid, 1).is_empty());
        }
        assert_eq!(ledger.accounts.len(), 0);
    }

    #[test]
    fn a_stream_is_awaited_opened_and_over() {
        let mut ledger = Ledger::new(9);
        let connect = [handed("/ended", Slot::Action, false), handed("/ws", Slot::Stream, true)];
        ledger.hand_out("CA01", ways(&connect), 1);
        let url = "wss://pbx.example.com/ws".to_owned();
        assert_eq!(ledger.stream("CA01", 1), StreamState::NeverOpened { url });
        assert_eq!(ledger.awaiting("GET /ws", 2, 2), ["CA01"]);
        assert!(ledger.awaiting("GET /ws", 2, 2 + AWAITED_MS).is_empty());
        ledger.hand_out("CA02", ways(&connect), 3);
        assert_eq!(ledger.awaiting("GET /ws", 2, 3), ["CA02", "CA01"]);
        ledger.set_stream("CA01", "GET /ws", StreamState::Open, 4);
        assert_eq!(ledger.awaiting("GET /ws", 2, 4), ["CA02"]);
        assert_eq!(ledger.stream("CA01", 4), StreamState::Open);
        let over = StreamState::Over(Box::default());
        ledger.set_stream("CA01", "GET /ws", over.clone(), 5);
        assert_eq!(ledger.stream("CA01", 5), over);
        // A call that ended waits for nothing.
        let ended = Noted { status: Some("completed".into()), ..step("untouched", "x") };
        ledger.note("CA02", ended, 6);
        assert!(ledger.awaiting("GET /ws", 2, 6).is_empty());
        // The next document hands out another.
        ledger.hand_out("CA01", ways(&connect), 7);
        assert!(matches!(ledger.stream("CA01", 7), StreamState::NeverOpened { .. }));
    }

    #[test]
    fn a_stream_beside_the_call_holds_nothing() {
        let mut ledger = Ledger::new(9);
        let start = [handed("/tap", Slot::Stream, false)];
        ledger.hand_out("CA01", ways(&start), 1);
        assert_eq!(ledger.stream("CA01", 1), StreamState::None);
        assert_eq!(ledger.awaiting("GET /tap", 2, 1), ["CA01"]);
        ledger.set_stream("CA01", "GET /tap", StreamState::Open, 2);
        assert_eq!(ledger.stream("CA01", 2), StreamState::None);
        // One whose document was not seen may hold it.
        ledger.set_stream("CA03", "GET /ws", StreamState::Open, 2);
        assert_eq!(ledger.stream("CA03", 2), StreamState::Open);
    }

    #[test]
    fn all_steps_together_are_bounded() {
        let mut ledger = Ledger::new(CALL_STEPS);
        let long = "x".repeat(MAX_BYTES / 50);
        for n in 0..60 {
            ledger.note(&format!("CA{n}"), step("untouched", &long), 1);
            assert!(ledger.bytes <= MAX_BYTES);
        }
        assert!(ledger.timeline("CA0", 1).is_empty() && ledger.account("CA59", 1).is_some());
    }

    proptest! {
        #[test]
        fn bounds_hold_whatever_happens(
            events in prop::collection::vec((0_u8..4, 0_u8..5, 0_u8..90, 0_u64..MAX_AGE_MS / 8), 1..150)
        ) {
            let (mut ledger, mut now) = (Ledger::new(5), 0);
            for (kind, call, path, later) in events {
                now += later;
                let (sid, path) = (format!("CA{call}"), format!("/{path}"));
                match kind {
                    0 => drop(ledger.note(&sid, step("untouched", &path), now)),
                    1 => drop(ledger.note(&sid, step("failed", &path), now)),
                    2 => {
                        let all = [handed(&path, Slot::Action, false), handed(&path, Slot::Stream, true)];
                        ledger.hand_out(&sid, ways(&all), now);
                    }
                    _ => ledger.set_stream(&sid, &format!("GET {path}"), StreamState::Open, now),
                }
                let mut bytes = 0;
                for (_, _, account) in ledger.accounts.newest_first() {
                    prop_assert!(account.steps.len() <= 5 && account.own.len() <= MAX_OWN);
                    prop_assert!(account.streams.len() <= MAX_STREAMS);
                    let own: usize = account.own.iter().map(|(key, known)| weight_of(key, known)).sum();
                    prop_assert_eq!(account.bytes, own + account.steps.iter().map(Noted::weight).sum::<usize>());
                    bytes += account.bytes;
                }
                prop_assert_eq!(ledger.bytes, bytes);
            }
        }
    }
}
