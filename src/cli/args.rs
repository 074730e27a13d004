//! The command line as typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::check::CheckArgs;
use super::incidents::args::IncidentsArgs;
use crate::twilio::{Slot, SlotSetting};

/// Reverse proxy between Twilio and your backend: passes good TwiML, repairs what can be
/// repaired, replaces the rest.
#[derive(Debug, Parser)]
#[command(
    name = "twiml-guard",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  twiml-guard --upstream http://127.0.0.1:5000        guard a backend, no config needed
  twiml-guard demo                                    see every cause repaired or replaced
  curl -i -X POST http://127.0.0.1:5000/voice | twiml-guard explain
  twiml-guard explain html-page                       what a cause is, and how to fix it
  twiml-guard check https://pbx.example.com/voice --follow   GO or NO-GO, before the first call
  twiml-guard incidents                               what goes wrong right now, and how to fix it
  twiml-guard mode observe                            stop changing answers, at once
  twiml-guard config check                            before a restart

Exit codes: 0 fine, 1 something was found, 2 usage, 69 unavailable, 74 IO, 78 configuration."
)]
pub struct Cli {
    /// What to do; without a command: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Guard a backend (the same as no command at all).
    Serve(ServeArgs),
    /// Walk a simulated Twilio caller through a misbehaving backend, with the guard in front.
    Demo(DemoArgs),
    /// Say where an answer breaks (`curl -i` output, a Debugger event), or what a cause is.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Say GO or NO-GO before the first real call: plays Twilio against a URL.
    Check(Box<CheckArgs>),
    /// Show what was recorded: outbreaks, single incidents, what became of all answers.
    Incidents(Box<IncidentsArgs>),
    /// Show or switch what the running guard does with answers, until it restarts.
    Mode(ModeArgs),
    /// Take the running guard out of the load (not ready, clients told to close); it goes on answering.
    Drain(DrainArgs),
    /// Say whether the guard on this machine is ready: 0 yes, 1 no, 69 it does not answer.
    Healthcheck(HealthcheckArgs),
    /// Try the webhooks of the configuration.
    Notify {
        /// What to do with them.
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Check, print or describe the configuration.
    Config {
        /// Which of them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

const EXPLAIN_HELP: &str = "Reads:
  curl -i, curl -v, several answers in a row, a bare body; what httpie and PowerShell print;
  a Twilio Debugger event (JSON or form), an Alert (`twilio api:monitor:v1:alerts:fetch -o json`).

Exit codes: 0 Twilio takes the answer as it is, 1 something was found or is not known, 2 usage.

--json prints one object:
  sentence        where it breaks, in one sentence
  found           whether the exit code is 1
  slot, slot_from what Twilio does with the answer; said, parameters, event or assumed
  request         method, url (null where the paste shows none)
  logged          what Twilio logged: code, message, sid, expected (or null)
  verdict         untouched, repaired or replaced; null where the body is missing
  codes           Twilio's codes that this answer becomes
  findings        cause, level, codes, explain, remedy, evidence, place, repair
  framework       name, by (or null)
  fixes           cause, says, code: what to write in that framework
  second_request  method, target: what the guard would ask again (or null)
  delivery        status, headers, body (or null where not known)
  earlier         status lines of answers that came before
  missing         pieces not in the paste: status, headers, body, rest-of-body
  notes           what was assumed, for people";

/// Flags of `serve`. Each overrides its `TWIML_GUARD_…` variable, which overrides the file.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Where Twilio's requests arrive [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The backend, `http://host:port` [default: http://127.0.0.1:5000].
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// The address that Twilio knows, such as `https://pbx.example.com`.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Where /livez, /readyz and /metrics are, or `off` [default: 127.0.0.1:9900].
    #[arg(long, value_name = "ADDRESS|off")]
    pub ops: Option<String>,
    /// Where state is kept.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The configuration [default: ./config.toml where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines look [default: human on a terminal, else json].
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormatArg>,
    /// Judge and record everything, change nothing.
    #[arg(long)]
    pub observe: bool,
    /// At the start, ask the backend on each configured route as Twilio would, and log what is
    /// wrong; never keeps the guard from serving.
    #[arg(long)]
    pub self_check: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormatArg {
    /// The word in config and environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the walk; exit code 0 only if every delivery was accepted.
    #[arg(long)]
    pub once: bool,
    /// Where the guard listens [default: 127.0.0.1:8080 if free, else any port].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Show the incident log as well, on standard error.
    #[arg(long)]
    pub log: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A saved answer or Debugger event, `-` for standard input, or the slug of a cause.
    #[arg(value_name = "FILE|SLUG")]
    pub subject: Option<String>,
    /// What Twilio does with the answer [default: what the request's parameters show, else voice].
    #[arg(long, value_name = "SLOT", value_parser = twiml_slot)]
    pub slot: Option<Slot>,
    /// The URL that was asked [default: the one in the paste]: decides which links and redirects
    /// are the backend's own.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// List all causes.
    #[arg(long, conflicts_with_all = ["subject", "json", "markdown", "url"])]
    pub list: bool,
    /// Print all causes as a Markdown table.
    #[arg(long, hide = true, conflicts_with_all = ["subject", "json", "url"])]
    pub markdown: bool,
}

/// Flags of `mode`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  twiml-guard mode                                    configured and current, per route
  twiml-guard mode observe                            deliver originals everywhere, at once
  twiml-guard mode enforce --route /voice             mend again on one route
  twiml-guard mode reset                              as configured

Exit codes: 0 done, 2 usage (an unknown route too), 69 no guard answers or it refused.")]
pub struct ModeArgs {
    /// What to switch to; without it: show.
    #[arg(value_name = "MODE", value_enum)]
    pub mode: Option<ModeWord>,
    /// One route alone, by its name (its path as configured; `*`: all other requests).
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// The guard that is meant.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Which running guard is meant.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// The guard's admin listener, http://host:port or unix:/path [default: the socket in its state
    /// directory].
    #[arg(long, value_name = "URL", conflicts_with_all = ["state_dir", "config"])]
    pub admin: Option<String>,
    /// The file with the token of an admin address.
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub token_file: Option<PathBuf>,
    /// The guard's state directory [default: as `serve` finds it].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The guard's configuration [default: ./config.toml where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    /// Put it back in.
    #[arg(long)]
    pub undo: bool,
    /// Wait until nothing is in flight, so long at most (`30s`, `10min`); exit code 1 if something is.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "undo")]
    pub wait: Option<Duration>,
    /// The guard that is meant.
    #[command(flatten)]
    pub reach: ReachArgs,
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::config::value::duration(text)
        .ok_or_else(|| "expected a number with ms, s, min or h, such as 30s".to_owned())
}

/// Flags of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Ask whether it lives (/livez), not whether it is ready (/readyz).
    #[arg(long)]
    pub live: bool,
    /// Where the guard's ops listener is [default: as `serve` finds it].
    #[arg(long, value_name = "ADDRESS")]
    pub ops: Option<String>,
    /// The guard's configuration [default: ./config.toml where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to switch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeWord {
    /// Judge, repair and replace.
    Enforce,
    /// Judge and record everything, change nothing.
    Observe,
    /// Whatever is configured.
    Reset,
}

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Post a test message to each `[[notify]]`; exit code 1 if one does not take it.
    Test(ServeArgs),
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with it; exit code 78 if anything is.
    Check(ServeArgs),
    /// Print what was learnt of URLs as routes to paste.
    Learn(LearnArgs),
    /// Print every value that holds, with its source.
    Print(ServeArgs),
    /// Print the JSON schema of config.toml.
    Schema,
}

/// Flags of `config learn`.
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// The guard's state directory [default: as `serve` finds it].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The guard's configuration [default: ./config.toml where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

fn twiml_slot(word: &str) -> Result<Slot, String> {
    match word.parse::<SlotSetting>() {
        Ok(SlotSetting::Fixed(slot)) if slot != Slot::Stream => Ok(slot),
        Ok(_) => Err(format!("an answer in slot `{word}` is never judged")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bare_and_serve_take_the_same_flags() {
        let bare = Cli::try_parse_from(["twiml-guard", "--upstream", "http://x:1"]).unwrap();
        assert_eq!(bare.serve.upstream.as_deref(), Some("http://x:1"));
        let named =
            Cli::try_parse_from(["twiml-guard", "serve", "--upstream", "http://x:1"]).unwrap();
        assert!(matches!(named.command, Some(Command::Serve(args)) if args.upstream.is_some()));
    }

    #[test]
    fn slots_without_a_judgement_are_refused() {
        for slot in ["stream", "pass", "auto", "nonsense"] {
            let parsed = Cli::try_parse_from(["twiml-guard", "explain", "--slot", slot]);
            assert_eq!(parsed.unwrap_err().exit_code(), 2, "{slot}");
        }
    }
}
