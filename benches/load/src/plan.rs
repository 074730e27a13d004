//! What a load is to do, and what it measured.

use std::net::SocketAddr;
use std::time::Duration;

use crate::answer::Expected;
use crate::cpu::Snapshot;
use crate::histogram::Histogram;
use crate::requests::Requests;

/// One kind of request in the mix.
pub struct Kind {
    /// How many of the sum of all weights.
    pub weight: u64,
    /// What is sent.
    pub requests: Requests,
    /// What must come back.
    pub expected: Expected,
}

/// What is to be done.
pub struct Plan {
    /// Who is asked.
    pub target: SocketAddr,
    /// What is asked.
    pub kinds: Vec<Kind>,
    /// Connections at a time.
    pub connections: usize,
    /// A connection for each request.
    pub closing: bool,
    /// Requests a second; as many as are answered where there is none.
    pub rate: Option<f64>,
    /// Time before the measurement.
    pub warm: Duration,
    /// Time of the measurement.
    pub time: Duration,
    /// Ends after so many requests, whatever the time.
    pub count: Option<u64>,
    /// Says `ready` when warm, and waits for a line on standard input.
    pub waits: bool,
    /// Whose run time is taken.
    pub pids: Vec<i32>,
    /// Whose run time is taken beside it: the backend's.
    pub helpers: Vec<i32>,
}

/// What was measured.
pub struct Outcome {
    /// Answers within the measurement.
    pub answers: u64,
    /// Seconds.
    pub seconds: f64,
    /// Their latencies.
    pub latencies: Histogram,
    /// Requests sent in all, those before the measurement too.
    pub sent: u64,
    /// How long the target ran.
    pub run: Duration,
    /// How long those of its threads ran that lived at the end: a check.
    pub threads: Duration,
    /// Share of the time in which load and backend ran.
    pub helpers_busy: f64,
    /// Cores that everyone else had, on average: programs that are no part of this, and the hypervisor.
    pub others_busy: f64,
    /// Requests that had to wait for a free connection (constant rate).
    pub queued: u64,
}

impl Outcome {
    /// What the processes' clocks say of the time since two snapshots.
    pub fn between(
        proxy: &Snapshot,
        helpers: &Snapshot,
        pids: &[i32],
        helper_pids: &[i32],
    ) -> Result<Self, String> {
        let (end, helpers_end) = (Snapshot::take(pids)?, Snapshot::take(helper_pids)?);
        let seconds = (end.at - proxy.at).as_secs_f64();
        let run = end.run.saturating_sub(proxy.run);
        let helped =
            helpers_end.run.saturating_sub(helpers.run) + end.own.saturating_sub(proxy.own);
        let others = end.machine.saturating_sub(proxy.machine).saturating_sub(run + helped);
        Ok(Self {
            answers: 0,
            sent: 0,
            seconds,
            latencies: Histogram::default(),
            run,
            threads: end.threads.saturating_sub(proxy.threads),
            helpers_busy: helped.as_secs_f64() / seconds,
            others_busy: others.as_secs_f64() / seconds,
            queued: 0,
        })
    }
}
