//! `incidents` as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
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
    /// Follow along: a line for each new incident.
    Tail(TailArgs),
    /// Count what became of all answers, per route and cause.
    Stats(StatsArgs),
    /// Delete everything from or to a number.
    Forget(ForgetArgs),
}

/// Where the store is.
#[derive(Debug, Default, Args)]
pub struct StoreArgs {
    /// A store by its file, such as a copied incidents.db (of a running guard: with its -wal).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["state_dir", "config"])]
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

fn limit(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(limit @ 1..=100_000) => Ok(limit),
        _ => Err("expected a whole number from 1 to 100000".to_owned()),
    }
}
