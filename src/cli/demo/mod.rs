//! `demo`: a misbehaving backend, the guard in front of it, a simulated Twilio that calls.

mod answers;
mod backend;
mod calls;
mod folder;
mod guarded;
mod scenarios;
mod table;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::args::DemoArgs;
use super::exit::Exit;
use super::output::{Written, complain, out};
use crate::guard::Verdict;
use crate::probe::{Refused, Webhook, accepts};
use guarded::{Guarded, StartError};
use scenarios::SCENARIOS;
use table::Row;

/// The scenario whose incident is named on the last screen.
const TELLING: &str = "/voice/bare-amp";

/// Runs the command: 0 if every delivery was accepted, 1 if one was not.
pub fn run(args: &DemoArgs) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(DemoError::Runtime).and_then(|runtime| runtime.block_on(demo(args))) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("twiml-guard: {error}\n"));
            error.exit()
        }
    }
}

/// Why the demo did not run.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// No backend.
    #[error("could not start the demo's backend: {0}")]
    Backend(io::Error),
    /// No output.
    #[error("could not write to standard output: {0}")]
    Output(io::Error),
    /// No runtime.
    #[error("could not start: {0}")]
    Runtime(io::Error),
    /// No guard.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl DemoError {
    fn exit(&self) -> Exit {
        match self {
            Self::Start(error) => error.exit(),
            Self::Backend(_) | Self::Output(_) | Self::Runtime(_) => Exit::Io,
        }
    }
}

async fn demo(args: &DemoArgs) -> Result<Exit, DemoError> {
    let backend = backend::start().await.map_err(DemoError::Backend)?;
    let nobody = backend::nobody().await.map_err(DemoError::Backend)?;
    let mut guarded = Guarded::start(args.listen, backend, nobody, args.log)?;
    let Some(rows) = walk(&mut guarded, backend).await? else {
        guarded.stop().await;
        return Ok(Exit::Fine);
    };
    let Some(all_spoken_to) = calls(&guarded, backend).await? else {
        guarded.stop().await;
        return Ok(Exit::Fine);
    };
    let is_fine = rows.iter().all(Row::is_accepted) && all_spoken_to;
    let exit = if is_fine { Exit::Fine } else { Exit::Found };
    // What nobody looked at yet is recorded as well.
    while guarded.next().is_some() {}
    let closing = format!("\n{}\n{}", table::closing(&rows), on_record(&rows, &guarded.folder));
    if say(&closing)? == Written::Read && !args.once {
        keep_serving(&mut guarded, backend).await?;
    }
    guarded.stop().await;
    Ok(exit)
}

/// All rows, or `None` when nobody reads any more or the demo was ended.
async fn walk(
    guarded: &mut Guarded,
    backend: SocketAddr,
) -> Result<Option<Vec<Row<'static>>>, DemoError> {
    let intro = format!(
        "A misbehaving backend, the guard in front of it, and a simulated Twilio that calls every route.\n\
         backend http://{backend}   guard http://{}   budget {} ms\n\n{}",
        guarded.address,
        guarded::BUDGET.as_millis(),
        table::head(),
    );
    if say(&intro)? == Written::Closed {
        return Ok(None);
    }
    let mut rows: Vec<Row<'static>> = Vec::with_capacity(SCENARIOS.len());
    for scenario in SCENARIOS {
        if guarded.is_stopped() {
            return Ok(None);
        }
        let new_kind = rows.last().is_none_or(|last| last.scenario.kind != scenario.kind);
        let heading = if new_kind { table::heading(scenario.kind) } else { String::new() };
        let response = Webhook::new(scenario.slot, scenario.path)
            .host(guarded::PUBLIC_HOST)
            .send(guarded.address)
            .await;
        let accepted = match &response {
            Ok(response) => accepts(response, scenario.slot),
            Err(error) => Err(Refused { code: 11200, why: error.to_string() }),
        };
        let judgement = match &response {
            Ok(response) => guarded.record_of(response).await,
            Err(_) => None,
        };
        let row = Row { scenario, response, accepted, judgement };
        if say(&(heading + &row.line()))? == Written::Closed {
            return Ok(None);
        }
        rows.push(row);
    }
    Ok(Some(rows))
}

/// Whether every caller behind the guard was spoken to; `None` when nobody reads any more.
async fn calls(guarded: &Guarded, backend: SocketAddr) -> Result<Option<bool>, DemoError> {
    if say(&calls::head())? == Written::Closed {
        return Ok(None);
    }
    let mut all_spoken_to = true;
    let mut at = 0;
    while let Some(told) = calls::told(at, backend, guarded.address).await {
        if guarded.is_stopped() || say(&told.line)? == Written::Closed {
            return Ok(None);
        }
        all_spoken_to &= told.was_spoken_to;
        at += 1;
    }
    Ok(Some(all_spoken_to))
}

/// The commands that tell more of what was just recorded.
fn on_record(rows: &[Row<'_>], folder: &Path) -> String {
    let own = own_name();
    let place = quoted(&folder.to_string_lossy());
    let repaired = rows.iter().filter(|row| row.verdict() == Verdict::Repaired);
    let of_a_document = repaired.clone().find(|row| row.scenario.path == TELLING);
    let shown = of_a_document.or_else(|| repaired.clone().next()).and_then(Row::incident);
    let show = shown.map(|id| format!("  {own} incidents show {id} --state-dir {place}\n"));
    format!(
        "On record, with what the backend said and what Twilio got instead:\n  \
         {own} incidents --state-dir {place}\n{}  \
         {own} incidents stats --state-dir {place}\n",
        show.unwrap_or_default(),
    )
}

/// How this program was called.
fn own_name() -> String {
    quoted(&std::env::args_os().next().unwrap_or_default().to_string_lossy())
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

async fn keep_serving(guarded: &mut Guarded, backend: SocketAddr) -> Result<(), DemoError> {
    let guard = guarded.address;
    let own = own_name();
    let hint = format!(
        "\nStill serving. Try:\n  \
         curl -i http://{guard}/                      all routes\n  \
         curl -i -X POST http://{guard}/voice/bom     through the guard\n  \
         curl -i -X POST http://{backend}/voice/bom     what the backend really says\n  \
         curl -is -X POST http://{backend}/voice/bare-amp | {own} explain\n\
         Ctrl-C ends it.\n"
    );
    let mut written = say(&hint)?;
    while written == Written::Read {
        let Some(incident) = guarded.wait().await else { break };
        written = say(&table::live(&incident))?;
    }
    Ok(())
}

fn say(text: &str) -> Result<Written, DemoError> {
    out(text).map_err(DemoError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert_eq!(quoted("/var/lib/twiml-guard/demo"), "/var/lib/twiml-guard/demo");
        assert_eq!(quoted("/it's here"), "'/it'\\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
