//! Events that are said once in a while, and counted meanwhile.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::event::TARGET;
use crate::telemetry::fields;
use crate::telemetry::log::{Log, human_level, json_line, now};
use crate::telemetry::settings::LogFormat;
use crate::telemetry::visible::visible_bounded;

/// Kinds of event that are remembered.
const REMEMBERED: usize = 1_024;

/// An event of few fields.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// `INFO` or `WARN`.
    pub(super) level: &'static str,
    /// Its constant message.
    pub(super) message: &'static str,
    /// Masked and bounded.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// Its line, without the line end.
    pub(super) fn line(&self, log: &Log) -> String {
        match log.format() {
            LogFormat::Json => json_line(self.level, self.message, TARGET, &self.fields),
            LogFormat::Human => {
                let mut line = format!(
                    "{} {} {}",
                    now(),
                    human_level(self.level, log.colours()),
                    self.message
                );
                for (name, value) in &self.fields {
                    let value = match value {
                        Value::String(text) => visible_bounded(text, 1_024),
                        other => other.to_string(),
                    };
                    // Writing to a String can't fail.
                    let _ = write!(line, "  {name}={value}");
                }
                line
            }
        }
    }
}

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Repeated(HashMap<(String, String), Repetition>);

#[derive(Debug)]
struct Repetition {
    /// When one was last said.
    last: Instant,
    /// How many were held back since.
    held: u64,
    /// What is said of those, but for their number.
    again: Event,
}

impl Repeated {
    /// Counts an event: whether the like was said lately. `again`: what is said of those held back.
    pub(super) fn is_again(
        &mut self,
        key: (String, String),
        log: &Log,
        again: impl FnOnce() -> Event,
    ) -> bool {
        if let Some(repetition) = self.0.get_mut(&key) {
            repetition.held += 1;
            return true;
        }
        if self.0.len() >= REMEMBERED {
            self.say(log, Duration::ZERO);
        }
        self.0.insert(key, Repetition { last: Instant::now(), held: 0, again: again() });
        false
    }

    /// Says how often the same was seen since it was last said, `age` ago or longer, and forgets
    /// what went quiet.
    pub(super) fn say(&mut self, log: &Log, age: Duration) {
        self.0.retain(|_, repetition| {
            if repetition.last.elapsed() < age {
                return true;
            }
            if repetition.held == 0 {
                return false;
            }
            let mut event = repetition.again.clone();
            event.fields.push((fields::COUNT, repetition.held.into()));
            log.offer(event.line(log));
            repetition.last = Instant::now();
            repetition.held = 0;
            true
        });
        if age.is_zero() {
            self.0.clear();
        }
    }
}
