//! Metrics of answers: they are counted with every request, so that each label is looked up once,
//! when the process starts.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::labels::{CauseLabel, OUTCOMES, Phase};
use super::maker::Maker;

/// What can become of a judged answer; the last one of [`OUTCOMES`] is `passed`.
const JUDGED: usize = OUTCOMES.len() - 1;

/// The instruments of answers.
#[derive(Debug)]
pub(super) struct AnswerMetrics {
    slots: Vec<OfSlot>,
    passed: IntCounter,
    findings: IntCounterVec,
    phases: [Histogram; 3],
}

/// What is counted of one slot's answers.
#[derive(Debug)]
struct OfSlot {
    slot: &'static str,
    outcomes: [IntCounter; JUDGED],
    duration: Histogram,
    upstream: Histogram,
}

impl AnswerMetrics {
    pub(super) fn new(
        make: &Maker,
        slots: &[&'static str],
        causes: &[CauseLabel],
    ) -> prometheus::Result<Self> {
        let answers = make.counters(
            "twiml_guard_answers_total",
            "Answers by what became of them and by slot.",
            &["outcome", "slot"],
        )?;
        let findings = make.counters(
            "twiml_guard_findings_total",
            "Findings in answers by cause and by what became of the answer.",
            &["cause", "outcome"],
        )?;
        let duration = make.seconds(
            "twiml_guard_answer_duration_seconds",
            "Time from a webhook's head to its delivery.",
            "slot",
        )?;
        let upstream = make.seconds(
            "twiml_guard_upstream_duration_seconds",
            "Time that the backend took of it.",
            "slot",
        )?;
        let phases = make.seconds(
            "twiml_guard_upstream_phase_seconds",
            "The backend's time by phase: until there is a connection, from there to the answer's head, its body.",
            "phase",
        )?;
        for cause in causes {
            for outcome in ["failed", "repaired", "replaced"] {
                findings.with_label_values(&[cause.slug, outcome]);
            }
            if cause.may_be_untouched {
                findings.with_label_values(&[cause.slug, "untouched"]);
            }
        }
        let of_slot = |slot: &&'static str| OfSlot {
            slot,
            outcomes: std::array::from_fn(|at| answers.with_label_values(&[OUTCOMES[at], slot])),
            duration: duration.with_label_values(&[slot]),
            upstream: upstream.with_label_values(&[slot]),
        };
        Ok(Self {
            slots: slots.iter().map(of_slot).collect(),
            passed: answers.with_label_values(&["passed", "pass"]),
            findings,
            phases: Phase::ALL.map(|phase| phases.with_label_values(&[phase.name()])),
        })
    }

    /// Counts one judged answer; one of a slot that was not there from the start counts nowhere.
    pub(super) fn answer(
        &self,
        outcome: &'static str,
        slot: &'static str,
        causes: &(impl Iterator<Item = &'static str> + Clone),
        total: Duration,
        upstream: Duration,
    ) {
        let Some(own) = self.slots.iter().find(|own| own.slot == slot) else { return };
        let counters = OUTCOMES.iter().zip(&own.outcomes);
        if let Some((_, counter)) = counters.into_iter().find(|(name, _)| **name == outcome) {
            counter.inc();
        }
        for (at, cause) in causes.clone().enumerate() {
            if !causes.clone().take(at).any(|earlier| earlier == cause) {
                self.findings.with_label_values(&[cause, outcome]).inc();
            }
        }
        own.duration.observe(total.as_secs_f64());
        own.upstream.observe(upstream.as_secs_f64());
    }

    /// Counts one request that streamed through unguarded.
    pub(super) fn passed(&self) {
        self.passed.inc();
    }

    /// Notes how long a phase of the backend's answer took.
    pub(super) fn phase(&self, phase: Phase, took: Duration) {
        if let Some(histogram) = self.phases.get(phase as usize) {
            histogram.observe(took.as_secs_f64());
        }
    }
}
