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
    /// Run time of everything on this machine, and what the hypervisor gave to others, all cores together.
    pub machine: Duration,
}

impl Snapshot {
    /// Takes one.
    pub fn take(pids: &[i32]) -> Result<Self, String> {
        let (mut run, mut threads) = (Duration::ZERO, 0);
        for pid in pids {
            let clock = clock_getcpuclockid(Pid::from_raw(*pid))
                .map_err(|error| format!("process {pid}: {error}"))?;
            run += read(clock)?;
            let tasks = fs::read_dir(format!("/proc/{pid}/task"))
                .map_err(|error| format!("process {pid}: {error}"))?;
            for task in tasks.flatten() {
                // A thread may end in between.
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                threads +=
                    text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        let own = read(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(Self {
            at: Instant::now(),
            run,
            threads: Duration::from_nanos(threads),
            own,
            machine: machine()?,
        })
    }
}

/// From the first line of /proc/stat, in hundredths of a second: all but what is idle (and guests, which count twice).
fn machine() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
    let fields = text.lines().next().unwrap_or("").split_whitespace().skip(1);
    let busy = fields.enumerate().filter(|(at, _)| [0, 1, 2, 5, 6, 7].contains(at));
    Ok(Duration::from_millis(
        busy.filter_map(|(_, word)| word.parse::<u64>().ok()).sum::<u64>() * 10,
    ))
}

fn read(clock: ClockId) -> Result<Duration, String> {
    clock_gettime(clock).map(Duration::from).map_err(|error| format!("clock of a process: {error}"))
}
