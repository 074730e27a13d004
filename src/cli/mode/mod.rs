//! `mode`: shows and switches what the running guard does with answers.

pub(super) mod client;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{ModeArgs, ModeWord, ReachArgs};
use super::config_command;
use super::exit::Exit;
use super::output::{complain, out};
use super::text::{cut, fitted};
use crate::admin::CONTROL;
use client::{Guard, Unreachable};

/// Columns of a route's name.
const ROUTE: usize = 60;

/// Runs the command.
pub(super) fn run(args: &ModeArgs) -> Exit {
    match modes(args) {
        Ok(modes) => show(&modes, args.json),
        Err(failure) => {
            complain(&format!("twiml-guard: {failure}\n"));
            failure.exit()
        }
    }
}

/// Why the command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody knows where the guard's socket is.
    #[error(
        "expected a state directory, found none configured; name it with --state-dir, or the admin listener with --admin"
    )]
    Homeless,
    /// The guard did not want to.
    #[error("the guard refused ({status}): {message}")]
    Refused {
        /// Of its answer.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The working directory can't be found.
    #[error("could not find the working directory: {0}")]
    System(#[from] std::io::Error),
    /// No guard answers.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The command line.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Homeless | Self::Refused { .. } | Self::Unreachable(_) => Exit::Unavailable,
            Self::System(_) => Exit::Io,
            Self::Usage(_) => Exit::Usage,
        }
    }
}

/// What the guard answers.
#[derive(Debug, Deserialize, Serialize)]
struct Modes {
    routes: Vec<RouteMode>,
}

/// The mode of one route; fields that a newer guard adds are passed over.
#[derive(Debug, Deserialize, Serialize)]
struct RouteMode {
    route: String,
    method: Option<String>,
    configured: String,
    current: String,
}

fn modes(args: &ModeArgs) -> Result<Modes, Failure> {
    let guard = guard(&args.reach)?;
    let (status, answer) = match args.mode {
        None => guard.ask("GET", "/api/mode", None)?,
        Some(word) => {
            let mut change = json!({ "mode": word.name() });
            if let Some(route) = &args.route {
                change["route"] = Value::from(route.as_str());
            }
            guard.ask("PUT", "/api/mode", Some(&change.to_string()))?
        }
    };
    if status != 200 {
        return Err(refused(status, &answer));
    }
    let fault = |error: serde_json::Error| {
        let message = format!("expected modes, found something else: {error}");
        Failure::Refused { status, message }
    };
    let mut modes: Modes = serde_json::from_value(answer).map_err(fault)?;
    if let (None, Some(name)) = (args.mode, &args.route) {
        let known: Vec<_> = modes.routes.iter().map(|own| own.route.clone()).collect();
        modes.routes.retain(|own| own.route == *name);
        if modes.routes.is_empty() {
            return Err(unknown(
                &format!("expected the name of a guarded route, found `{name}`"),
                &known,
            ));
        }
    }
    Ok(modes)
}

/// Asks the guard that is meant; gives its answer, if that is no refusal.
pub(super) fn ask(
    reach: &ReachArgs,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Result<Value, Failure> {
    match guard(reach)?.ask(method, path, body)? {
        (200, answer) => Ok(answer),
        (status, answer) => Err(refused(status, &answer)),
    }
}

/// The guard that is meant: behind the admin listener that is named, or the one of the state
/// directory.
fn guard(reach: &ReachArgs) -> Result<Guard, Failure> {
    if let Some(url) = &reach.admin {
        return Guard::at(url, reach.token_file.as_deref()).map_err(Failure::Usage);
    }
    let folder = config_command::state_dir(reach.state_dir.as_deref(), reach.config.as_deref())?;
    Ok(Guard::behind(folder.ok_or(Failure::Homeless)?.join(CONTROL)))
}

fn refused(status: u16, answer: &Value) -> Failure {
    let message = answer["error"].as_str().unwrap_or("without a reason").to_owned();
    match answer["known"].as_array() {
        Some(known) => {
            let known: Vec<_> = known.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            unknown(&message, &known)
        }
        None => Failure::Refused { status, message },
    }
}

fn unknown(message: &str, known: &[String]) -> Failure {
    let mut names: Vec<_> = known.iter().map(|name| format!("  {}", cut(name, 98))).collect();
    names.dedup();
    Failure::Usage(format!("{}; guarded routes:\n{}", cut(message, 400), names.join("\n")))
}

fn show(modes: &Modes, as_json: bool) -> Exit {
    let text = if as_json {
        serde_json::to_string_pretty(modes).unwrap_or_default() + "\n"
    } else {
        table(modes)
    };
    match out(&text) {
        Ok(_) => Exit::Fine,
        Err(error) => {
            complain(&format!("twiml-guard: could not write to standard output: {error}\n"));
            Exit::Io
        }
    }
}

fn table(modes: &Modes) -> String {
    let line = |route: &str, method: &str, configured: &str, current: &str| {
        let route = fitted(route, ROUTE);
        let (method, configured) = (fitted(method, 7), fitted(configured, 10));
        format!("{route}  {method}  {configured}  {}\n", cut(current, 10))
    };
    let mut text = line("route", "method", "configured", "now");
    for own in &modes.routes {
        let method = own.method.as_deref().unwrap_or("any");
        text += &line(&own.route, method, &own.configured, &own.current);
    }
    if modes.routes.iter().any(|own| own.configured != own.current) {
        text += "\nA switched route goes back to what is configured when the guard restarts,\nor with `twiml-guard mode reset`.\n";
    }
    text
}

impl ModeWord {
    /// The word in the API.
    const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
            Self::Reset => "reset",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_and_says_what_a_restart_does() {
        let route = |route: &str, current: &str| RouteMode {
            route: route.to_owned(),
            method: None,
            configured: "enforce".to_owned(),
            current: current.to_owned(),
        };
        let same = table(&Modes { routes: vec![route("/voice", "enforce")] });
        assert!(!same.contains("restarts"), "{same}");
        let long = format!("/{}\u{1b}[2J", "x".repeat(200));
        let text = table(&Modes { routes: vec![route(&long, "observe"), route("*", "enforce")] });
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("mode reset") && !text.contains('\u{1b}'), "{text}");
    }
}
