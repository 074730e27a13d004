//! Run time of processes, from the scheduler's own account.

use std::fs;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// What some processes had run at a moment.
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// Run time of all their threads, those that ended too.
    pub run: Duration,
    /// The same, but only threads that live, and in steps of the scheduler's tick: a check.
    pub threads: Duration,
    /// Run time of this program.
    pub own: Duration,
}

impl Snapshot {
    /// Takes one.
    pub fn take(pids: &[i32]) -> Result<Self, String> {
        let (mut run, mut threads) = (Duration::ZERO, 0);
        for pid in pids {
            let clock = clock_getcpuclockid(Pid::from_raw(*pid)).map_err(|error| format!("process {pid}: {error}"))?;
            run += read(clock)?;
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("process {pid}: {error}"))?;
            for task in tasks.flatten() {
                // A thread may end in between.
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                threads += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        let own = read(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(Self { at: Instant::now(), run, threads: Duration::from_nanos(threads), own })
    }
}

fn read(clock: ClockId) -> Result<Duration, String> {
    clock_gettime(clock).map(Duration::from).map_err(|error| format!("clock of a process: {error}"))
}
