//! `incidents tail`: a line for each incident as it is recorded.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use uuid::Uuid;

use super::args::TailArgs;
use super::source::Source;
use super::{Failure, json, row, say};
use crate::cli::output::{Written, complain};
use crate::cli::text::wrapped;
use crate::clock;
use crate::incidents::store::{Filter, Page, Reader, StoreError, StoredIncident};
use crate::incidents::view::IncidentView;
use crate::shutdown::Shutdown;

/// How often it is looked for new ones.
const LOOK: Duration = Duration::from_millis(250);
/// Incidents that are read at once.
const BATCH: usize = 500;
/// Columns of an id in the list: its millisecond and a little more.
const ID: usize = 18;

/// Follows along until a signal, or until nobody reads any more.
pub(super) fn run(args: &TailArgs) -> Result<(), Failure> {
    let source = Source::find(&args.store)?;
    let filter = args.filter.filter(&source, clock::now_ms())?;
    let shutdown = Shutdown::on_signals().map_err(Failure::Output)?;
    let mut tail =
        Tail { args, source, filter, open: None, left: None, greeted: false, waiting: false };
    while !shutdown.is_raised() && tail.look()? == Written::Read && !reader_gone(LOOK) {}
    Ok(())
}

/// Waits, but not longer than until the other end of a pipe is closed: whether it is.
fn reader_gone(most: Duration) -> bool {
    let output = io::stdout();
    let mut watched = [PollFd::new(&output, PollFlags::empty())];
    let most = Timespec::try_from(most).ok();
    match poll(&mut watched, most.as_ref()) {
        Ok(_) => watched.iter().any(|output| output.revents().contains(PollFlags::ERR)),
        // A signal came.
        Err(_) => false,
    }
}

struct Tail<'a> {
    args: &'a TailArgs,
    source: Source,
    filter: Filter,
    open: Option<Open>,
    /// The last incident of the store that was read before.
    left: Option<(Uuid, i64)>,
    /// Whether the head was printed.
    greeted: bool,
    /// Whether it was said that there is no store.
    waiting: bool,
}

/// A store that is read.
struct Open {
    reader: Reader,
    /// Which file it is.
    file: Option<(u64, u64)>,
    /// The last incident that was looked at.
    seq: i64,
}

impl Tail<'_> {
    /// Prints what is new.
    fn look(&mut self) -> Result<Written, Failure> {
        let file = fs::metadata(self.source.path()).ok().map(|file| (file.dev(), file.ino()));
        if self.open.as_ref().is_some_and(|open| open.file != file) {
            // What was written to the old file last is not lost.
            let _ = self.print_new();
            self.close();
        }
        if self.open.is_none() && !self.begin(file)? {
            return Ok(Written::Read);
        }
        match self.print_new() {
            Err(Failure::Store(error)) if passes(&error) => {
                self.close();
                self.wait_for(&error);
                Ok(Written::Read)
            }
            done => done,
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let latest = open.reader.incidents(&Filter::default(), Page { limit: 1, before: None });
        let latest = latest.ok().and_then(|mut latest| latest.pop());
        self.left = Some(latest.map_or((Uuid::nil(), 0), |latest| (latest.row.id, latest.seq)));
    }

    /// Opens the store; `false` where there is none to read yet.
    fn begin(&mut self, file: Option<(u64, u64)>) -> Result<bool, Failure> {
        let reader = match self.source.open() {
            Ok(reader) => reader,
            Err(Failure::Store(error)) if passes(&error) => {
                self.wait_for(&error);
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        };
        // A store that is just being made has no tables yet.
        let Ok(latest) = reader.latest() else { return Ok(false) };
        let seq = match self.left {
            // The same store came back; a file's number alone may be another file's by now.
            Some((id, seq)) if has(&reader, id, seq)? => seq,
            Some(_) => 0,
            None if self.waiting => 0,
            None => latest,
        };
        self.open = Some(Open { reader, file, seq });
        if !self.greeted {
            self.greet(seq == 0)?;
        }
        self.waiting = false;
        Ok(true)
    }

    /// The head, and the latest incidents as far as they are asked for, unless all are shown.
    fn greet(&mut self, all: bool) -> Result<(), Failure> {
        self.greeted = true;
        if !self.args.json {
            say(&row::head(ID))?;
        }
        let Some(open) = self.open.as_ref().filter(|_| !all) else { return Ok(()) };
        let page = Page { limit: self.args.lines, before: None };
        let mut last = open.reader.incidents(&self.filter, page)?;
        last.reverse();
        self.print(last)?;
        Ok(())
    }

    fn wait_for(&mut self, error: &StoreError) {
        if !self.waiting {
            complain(&format!("twiml-guard: waiting: {error}\n"));
        }
        self.waiting = true;
    }

    fn print_new(&mut self) -> Result<Written, Failure> {
        loop {
            let Some(open) = &mut self.open else { return Ok(Written::Read) };
            // Recorded meanwhile and not asked for: looked at as well.
            let latest = open.reader.latest()?;
            let new = open.reader.after(open.seq, &self.filter, BATCH)?;
            let more = new.len() == BATCH;
            open.seq = match new.last() {
                Some(last) if more => last.seq,
                Some(last) => latest.max(last.seq),
                None => latest,
            };
            if self.print(new)? == Written::Closed {
                return Ok(Written::Closed);
            }
            if !more {
                return Ok(Written::Read);
            }
        }
    }

    fn print(&self, incidents: Vec<StoredIncident>) -> Result<Written, Failure> {
        let mut text = String::new();
        let now_ms = clock::now_ms();
        for incident in incidents {
            if self.args.json {
                text += &json(&IncidentView::new(incident, None), serde_json::to_string)?;
                text.push('\n');
            } else {
                let id = incident.row.id.to_string();
                text += &row::line(&incident.row, id.get(..ID).unwrap_or(&id), now_ms);
                if let Some(summary) = &incident.row.summary {
                    text += &wrapped("  ", summary);
                }
            }
        }
        if text.is_empty() { Ok(Written::Read) } else { say(&text) }
    }
}

/// Whether this incident stands at this place in the store.
fn has(reader: &Reader, id: Uuid, seq: i64) -> Result<bool, Failure> {
    let found = reader.by_prefix(&id.to_string())?;
    Ok(found.iter().any(|incident| incident.seq == seq))
}

/// Whether a store may yet come, or come back.
fn passes(error: &StoreError) -> bool {
    !matches!(error, StoreError::Foreign | StoreError::Newer { .. })
}
