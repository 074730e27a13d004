//! What the simulated person does.

use std::collections::VecDeque;
use std::time::Duration;

/// What the person does when asked; the default listens, keys in nothing and stays on the line.
#[derive(Debug, Clone)]
pub struct Script {
    /// What is keyed in at each `<Gather>`; then nothing more.
    pub digits: VecDeque<String>,
    /// Whether something is said to a `<Record>`.
    pub speaks: bool,
    /// How `<Dial>` ends: `completed`, `no-answer`, `busy`, `failed`.
    pub dial: String,
    /// How `<Enqueue>` ends: `bridged`, `hangup`, `leave`, `queue-full`, ...
    pub queue: String,
    /// Whether the person hangs up at the end of the first stream.
    pub hangs_up_in_stream: bool,
    /// Media messages in each stream.
    pub frames: u32,
    /// Time between two of them; 20 ms are real time.
    pub pace: Duration,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            digits: VecDeque::new(),
            speaks: true,
            dial: "completed".to_owned(),
            queue: "bridged".to_owned(),
            hangs_up_in_stream: false,
            frames: 200,
            pace: Duration::from_millis(1),
        }
    }
}
