//! `incidents replay`: sends recorded requests again and says whether the backend was fixed.

mod plan;
mod report;
mod target;

use std::sync::Arc;

use self::plan::{Planned, prepared};
use self::report::{Replayed, Report};
use super::args::ReplayArgs;
use super::chosen;
use super::source::Source;
use super::{Failure, say, say_json};
use crate::cli::args::ServeArgs;
use crate::cli::config_command;
use crate::cli::exit::Exit;
use crate::cli::incidents::ask::asked;
use crate::cli::output::{Written, complain};
use crate::cli::text::counted;
use crate::config::{self, Config};
use crate::incidents::instruments;
use crate::incidents::redact::Redaction;
use crate::proxy::Again;

/// Replays what is asked for, after asking back.
pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    if args.ids.is_empty() && !args.open {
        return Err(Failure::Usage(
            "expected incidents to replay, found none; name their ids (`twiml-guard incidents` lists them), or give --open for one of each open outbreak".to_owned(),
        ));
    }
    let source = Source::find(&args.store)?;
    let reader = source.open()?;
    let config = configuration(args)?;
    let to = args.to.as_deref().map(target::read).transpose()?;
    let is_signed = !config.signatures.keyring.is_empty();
    let chosen = if args.open {
        chosen::of_open_outbreaks(&reader, &args.filter, &source)?
    } else {
        chosen::named(&reader, &args.ids)?
    };
    let planned: Vec<_> =
        chosen.into_iter().map(|chosen| Planned::new(chosen, &config, to.as_ref())).collect();
    let sendable = planned.iter().filter(|planned| planned.request.is_ok()).count();
    if sendable > 0 && !args.yes && !asked(&question(&planned), "sends")? {
        complain("Nothing was sent.\n");
        return Ok(Exit::Found);
    }
    if !args.json {
        say(&report::heading(&planned, args.open, is_signed))?;
    }
    let replayed = replay(&planned, config, args.json)?;
    let report = Report::new(replayed, is_signed);
    if args.json {
        say_json(&report)?;
    } else {
        say(&report.summary())?;
    }
    Ok(report.exit())
}

fn configuration(args: &ReplayArgs) -> Result<Config, Failure> {
    let serve = ServeArgs {
        config: args.store.config.clone(),
        state_dir: args.store.state_dir.clone(),
        ..ServeArgs::default()
    };
    let sources = config_command::sources(&serve)
        .map_err(|source| Failure::Unreadable { path: ".".to_owned(), source })?;
    Ok(config::load(&sources).map_err(Box::new)?.config)
}

fn question(planned: &[Planned]) -> String {
    let sendable = planned.iter().filter(|planned| planned.request.is_ok());
    let count = sendable.clone().count() as u64;
    let mut backends: Vec<String> =
        sendable.map(|planned| planned.route.upstream().authority()).collect();
    backends.sort();
    backends.dedup();
    format!(
        "Send {} again to {}? The backend takes them for Twilio's, and may act on them.",
        counted(count, "request", "requests"),
        backends.join(", "),
    )
}

/// Sends one after the other; tells each as it comes, unless the whole is told as JSON.
fn replay(planned: &[Planned], config: Config, json: bool) -> Result<Vec<Replayed>, Failure> {
    let keyring = Arc::clone(&config.signatures.keyring);
    let redaction = Redaction::of(&config);
    let public_url = config.public_url.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)?;
    let metrics = instruments().map_err(|error| Failure::System(std::io::Error::other(error)))?;
    let again = Again::new(Arc::new(config), metrics);
    let mut all = Vec::with_capacity(planned.len());
    for planned in planned {
        let id = planned.chosen.incident.row.id;
        let answer = planned.request.as_ref().ok().and_then(|request| {
            let account = request.pairs().find(|(name, _)| *name == "AccountSid");
            let tokens = keyring.of(account.map(|(_, sid)| sid));
            let request = prepared(request, id, tokens.first().copied(), public_url.as_deref());
            runtime.block_on(again.ask(&planned.route, planned.slot, request))
        });
        let replayed = Replayed::new(planned, answer, &redaction);
        if !json && say(&replayed.text(!keyring.is_empty()))? == Written::Closed {
            break;
        }
        all.push(replayed);
    }
    Ok(all)
}
