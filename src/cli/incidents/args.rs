//! `incidents` as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// `incidents`, with the flags of its list.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  twiml-guard incidents                               open outbreaks, the latest on top
  twiml-guard incidents --all --since 3d              closed ones too
  twiml-guard incidents --number +15550104477         what happened to one caller
  twiml-guard incidents show 01970c3e-51f2            one incident, the whole story
  twiml-guard incidents call 1f03                     one call, step by step, by the end of its SID
  twiml-guard incidents replay --open                 is it fixed? sends the requests again
  twiml-guard incidents --db incidents.db --json      a copied file, for programs

Times are UTC. A command reads while `serve` writes, and after it was stopped.
The fields of --json are listed in the README; fields are only ever added."
)]
pub struct IncidentsArgs {
    /// What to do; without a command: list outbreaks.
    #[command(subcommand)]
    pub command: Option<IncidentsCommand>,
    /// The flags of the list.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What to do with what was recorded.
#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// Show one incident, the whole story on one page.
    Show(ShowArgs),
    /// Show what one call or message went through, step by step, and who is to blame.
    Call(CallArgs),
    /// Follow along: a line for each new incident.
    Tail(TailArgs),
    /// Count what became of all answers, per route and cause.
    Stats(StatsArgs),
    /// Send recorded requests again and say whether the backend was fixed; exit code 0 only if so.
    Replay(ReplayArgs),
    /// Write what was recorded as JSON Lines, as curl commands, or as tests for the backend.
    Export(ExportArgs),
    /// Delete everything from or to a number.
    Forget(ForgetArgs),
}

/// Where the store is.
#[derive(Debug, Default, Args)]
pub struct StoreArgs {
    /// A store by its file, such as a copied incidents.db (of a running guard: with its -wal).
    #[arg(long, value_name = "FILE", conflicts_with = "state_dir")]
    pub db: Option<PathBuf>,
    /// The guard's state directory [default: as `serve` finds it].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The guard's configuration [default: ./config.toml where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Which incidents; everything given must hold.
#[derive(Debug, Default, Args)]
pub struct FilterArgs {
    /// From this time on: 90s, 30m, 2h, 3d, 1w ago, or a time in RFC 3339 (UTC without an offset).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time, written alike.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// On this route, by its name.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// With this cause (`twiml-guard explain --list` names them).
    #[arg(long, value_name = "SLUG")]
    pub cause: Option<String>,
    /// Of this call or message: CA…, MM…, SM….
    #[arg(long, value_name = "SID")]
    pub call: Option<String>,
    /// From or to this full number, SIP address or client.
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,
    /// That would have become this code of Twilio.
    #[arg(long, value_name = "CODE")]
    pub code: Option<u32>,
}

/// Flags of `incidents` without a command.
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Which incidents.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Closed outbreaks too.
    #[arg(long)]
    pub all: bool,
    /// Single incidents instead of outbreaks, newest first.
    #[arg(long, conflicts_with = "all")]
    pub each: bool,
    /// Most lines of a list.
    #[arg(long, value_name = "N", default_value = "50", value_parser = limit)]
    pub limit: usize,
    /// With --each: only what is older than this incident.
    #[arg(long, value_name = "ID", requires = "each")]
    pub before: Option<Uuid>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// An incident or outbreak: its id, or at least four digits of its beginning.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Long bodies and values to their end.
    #[arg(long)]
    pub full: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents call`.
#[derive(Debug, Args)]
#[command(
    after_help = "A running guard is asked for what it remembers; without one, what the store has kept is shown: the
steps of calls in which something was wrong.

Exit codes: 0 shown, 1 nobody knows this call, 2 usage, 69 no store that can be used."
)]
pub struct CallArgs {
    /// A call or message: CA…, MM…, SM…, or a piece of it that no other has: its beginning, its
    /// last digits, or as the log shortens it.
    #[arg(value_name = "SID")]
    pub sid: String,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Which incidents.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Begin with so many of the latest.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 0)]
    pub lines: usize,
    /// A JSON object for each, one a line.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// From this time on: 90s, 30m, 2h, 3d, 1w ago, or a time in RFC 3339 (UTC without an offset).
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub since: String,
    /// On this route, by its name.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents replay`.
#[derive(Debug, Args)]
#[command(
    after_help = "The request goes out as Twilio sent it, to the configured backend of its route; further ones follow as
under `serve`. What was masked in the record goes out as a substitute, which is told. With an auth token
in TWIML_GUARD_AUTH_TOKEN or TWILIO_AUTH_TOKEN (or in the file that the same name with _FILE names) it is
signed. It carries `Twiml-Guard-Replay: ID`.

Exit codes: 0 everything is fixed, 1 not everything, 2 usage, 69 no backend could be reached."
)]
pub struct ReplayArgs {
    /// Incidents or outbreaks: their ids, or at least four digits of the beginning.
    #[arg(value_name = "ID", conflicts_with_all = ["open", "FilterArgs"])]
    pub ids: Vec<String>,
    /// Of each open outbreak, and each path that it touched, the newest incident on record.
    #[arg(long)]
    pub open: bool,
    /// Which outbreaks.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Send to this backend instead of the configured ones.
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Don't ask.
    #[arg(long)]
    pub yes: bool,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `incidents export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  twiml-guard incidents export --since 1d > incidents.jsonl
  twiml-guard incidents export 01970c3e-51f2 --as curl
  twiml-guard incidents export --open --as pytest --app shop.web:app > test_twilio.py

curl and pytest hold no number in clear: what was masked, or would have been, stands as a \
substitute. JSON Lines are the records as they were kept.")]
pub struct ExportArgs {
    /// Incidents or outbreaks: their ids, or at least four digits of the beginning.
    #[arg(value_name = "ID", conflicts_with_all = ["open", "FilterArgs"])]
    pub ids: Vec<String>,
    /// Of each open outbreak, and each path that it touched, the newest incident on record.
    #[arg(long)]
    pub open: bool,
    /// Which incidents, or, with --open, outbreaks.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// What to write.
    #[arg(long = "as", value_name = "FORMAT", value_enum, default_value = "json")]
    pub format: ExportFormat,
    /// The Flask app that the tests ask where neither APP_URL nor APP is set.
    #[arg(long, value_name = "MODULE:ATTRIBUTE", value_parser = app)]
    pub app: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// JSON Lines: an incident with its record on each.
    Json,
    /// A curl command for each request.
    Curl,
    /// One file of tests, complete in itself.
    Pytest,
}

/// Flags of `incidents forget`.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The full number, SIP address or client.
    #[arg(long, value_name = "NUMBER", required = true)]
    pub number: String,
    /// Don't ask.
    #[arg(long)]
    pub yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A module and an attribute of it, as Python names them.
fn app(word: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
    };
    match word.split_once(':') {
        Some((module, attribute))
            if module.split('.').all(is_name) && attribute.split('.').all(is_name) =>
        {
            Ok(word.to_owned())
        }
        _ => Err("expected a module and an attribute such as shop.web:app".to_owned()),
    }
}

fn limit(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(limit @ 1..=100_000) => Ok(limit),
        _ => Err("expected a whole number from 1 to 100000".to_owned()),
    }
}
