//! `incidents`: what was recorded, read from the store, while the guard runs or not.

pub(super) mod args;
mod ask;
mod call;
mod chosen;
mod export;
mod filter;
mod forget;
mod list;
mod replay;
mod row;
mod show;
mod source;
mod stats;
mod tail;

use std::io;

use serde::Serialize;

use super::exit::Exit;
use super::output::{Written, complain, out};
use crate::config::ConfigErrors;
use crate::incidents::identity::KeyError;
use crate::incidents::store::StoreError;
use args::{IncidentsArgs, IncidentsCommand};

/// Runs the command.
pub(super) fn run(args: &IncidentsArgs) -> Exit {
    let fine = |()| Exit::Fine;
    let done = match &args.command {
        None => list::run(&args.list).map(fine),
        Some(IncidentsCommand::Show(args)) => show::run(args).map(fine),
        Some(IncidentsCommand::Call(args)) => call::run(args),
        Some(IncidentsCommand::Tail(args)) => tail::run(args).map(fine),
        Some(IncidentsCommand::Stats(args)) => stats::run(args).map(fine),
        Some(IncidentsCommand::Replay(args)) => replay::run(args),
        Some(IncidentsCommand::Export(args)) => export::run(args).map(fine),
        Some(IncidentsCommand::Forget(args)) => forget::run(args).map(fine),
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            complain(&format!("twiml-guard: {failure}\n"));
            failure.exit()
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration, where it matters.
    #[error(transparent)]
    Config(#[from] Box<ConfigErrors>),
    /// Nobody knows where the store is.
    #[error(
        "expected a state directory, found none configured; name it with --state-dir, or a copied file with --db"
    )]
    Homeless,
    /// Numbers are kept as hashes only, and the key to them is missing.
    #[error(
        "numbers are recorded as keyed hashes, and the key is needed to look for one; it is the file `key` beside the store, copy it along: {0}"
    )]
    Key(#[from] KeyError),
    /// A backend's name that leads nowhere.
    #[error("expected a host that can be found, found `{host}`: {source}")]
    NoHost {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody can be told.
    #[error("could not write to standard output: {0}")]
    Output(io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be sent.
    #[error("could not start: {0}")]
    System(io::Error),
    /// The folder or file is not ours to read.
    #[error("could not read {path}: {source}; run this as the user that the guard runs as")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command line.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Output(_)
            | Self::System(_)
            | Self::Unreadable { .. }
            | Self::Store(StoreError::Folder { .. }) => Exit::Io,
            Self::Store(StoreError::Sqlite(error)) if is_io(error) => Exit::Io,
            Self::Homeless | Self::Key(_) | Self::NoHost { .. } | Self::Store(_) => {
                Exit::Unavailable
            }
            Self::Usage(_) => Exit::Usage,
        }
    }
}

fn is_io(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | DiskFull | PermissionDenied | ReadOnly | SystemIoFailure)
    )
}

fn say(text: &str) -> Result<Written, Failure> {
    out(text).map_err(Failure::Output)
}

fn say_json(value: &impl Serialize) -> Result<Written, Failure> {
    say(&(json(value, serde_json::to_string_pretty)? + "\n"))
}

fn json<T: Serialize>(
    value: &T,
    write: fn(&T) -> serde_json::Result<String>,
) -> Result<String, Failure> {
    write(value).map_err(|error| Failure::Output(error.into()))
}
