//! Run time of processes, from the scheduler's own account.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this program so far.
pub fn own() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// What some processes had run at a moment.
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// Nanoseconds, all threads that live.
    pub threads: u64,
    /// Nanoseconds in steps of a clock tick, threads that ended too.
    pub processes: u64,
    own: Duration,
}

impl Snapshot {
    /// Takes one.
    pub fn take(pids: &[u32]) -> Result<Self, String> {
        let (mut threads, mut processes) = (0, 0);
        for pid in pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("process {pid}: {error}"))?;
            for task in tasks.flatten() {
                // A thread may end in between.
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                threads += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            }
            processes += ticks(*pid)? * (1_000_000_000 / rustix::param::clock_ticks_per_second());
        }
        Ok(Self { at: Instant::now(), threads, processes, own: own() })
    }

    /// Nanoseconds of this program since an earlier one.
    pub fn own_since(&self, earlier: &Self) -> u128 {
        (self.own - earlier.own).as_nanos()
    }
}

fn ticks(pid: u32) -> Result<u64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| format!("process {pid}: {error}"))?;
    let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
    let fields: Vec<&str> = behind.split_whitespace().collect();
    Ok([11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum())
}
