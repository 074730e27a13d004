//! Where tests let a log write to.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::log::Log;
use super::settings::LogFormat;

/// Keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Blocks until something is sent, for each write.
pub(crate) struct Blocked {
    let_go: Receiver<()>,
    kept: Kept,
    begun: Arc<AtomicBool>,
}

impl Blocked {
    pub(crate) fn new(let_go: Receiver<()>, kept: Kept) -> Self {
        Self { let_go, kept, begun: Arc::default() }
    }

    /// Offers a line to a log that writes here, and waits until its writer is blocked with it: from
    /// then on it takes nothing more.
    pub(crate) fn log(self) -> Log {
        let begun = Arc::clone(&self.begun);
        let log = Log::to(LogFormat::Json, false, self);
        assert!(log.offer("{}".to_owned()));
        let start = Instant::now();
        while !begun.load(Relaxed) {
            assert!(start.elapsed() < Duration::from_secs(10), "nothing is written");
            sleep(Duration::from_millis(1));
        }
        log
    }
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.store(true, Relaxed);
        let _ = self.let_go.recv();
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
