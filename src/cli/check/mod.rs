//! `check`: GO or NO-GO, before the first real call.

mod examine;
mod follow;
mod lines;
mod refused;
mod start;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use http::Method;

use super::exit::Exit;
use super::output::{complain, out};
use crate::config::tokens::{self, AuthTokenError};
use crate::probe::{Ask, CaError, Client, Connector, Url, UrlError, parameters};
use crate::twilio::Slot;
use crate::twilio::signature::AuthToken;
use lines::{Line, Report, Verdict};

pub(super) use start::at_start;

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CheckArgs {
    /// The URL that Twilio is to be given, such as https://pbx.example.com/voice.
    #[arg(value_name = "URL")]
    pub url: String,
    /// What arrives there.
    #[arg(long, value_enum, default_value = "voice")]
    pub kind: Kind,
    /// Ask every URL on the same host that the documents hand out, too.
    #[arg(long)]
    pub follow: bool,
    /// The number's fallback URL: asked with ErrorCode and ErrorUrl.
    #[arg(long, value_name = "URL")]
    pub fallback: Option<String>,
    /// The host that Twilio would name, where URL is where the backend is from inside.
    #[arg(long, value_name = "NAME", conflicts_with = "public_url")]
    pub host: Option<String>,
    /// The whole URL that Twilio would ask and sign, where it differs from where to connect.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Certificates (PEM) to trust besides Mozilla's, for a private authority. Twilio won't.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What arrives at a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Calls.
    Voice,
    /// Messages.
    Messaging,
}

const HELP: &str = "Examples:
  twiml-guard check https://pbx.example.com/voice --follow
  twiml-guard check http://127.0.0.1:5000/voice --public-url https://pbx.example.com/voice

The auth token is taken from TWIML_GUARD_AUTH_TOKEN or TWILIO_AUTH_TOKEN, or from the files that
TWIML_GUARD_AUTH_TOKEN_FILE or TWILIO_AUTH_TOKEN_FILE name; it is never printed. Other hosts are
listed, never asked; link-local and metadata addresses are refused.

Exit codes: 0 GO, 1 NO-GO, 2 usage, 74 IO.

--json prints one object:
  verdict   GO or NO-GO
  url       what was checked, without its query
  signed    whether there was a token to sign with
  checks    one object for each question:
    verdict   go, no-go, warning, info
    check     route, get, tls, signature, fallback, action, redirect, callback, whisper, wait,
              stream, foreign, bound
    request   method and path
    says      what came
    cause     the slug of `twiml-guard explain SLUG` (or null)
    code      what Twilio would log (or null)
    fix       what to do (or null)";

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("could not write to standard output: {0}")]
    Output(std::io::Error),
    #[error("could not start: {0}")]
    System(std::io::Error),
    #[error(transparent)]
    Token(#[from] AuthTokenError),
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl CheckError {
    fn exit(&self) -> Exit {
        match self {
            Self::Output(_) | Self::System(_) | Self::Token(AuthTokenError::Io { .. }) => Exit::Io,
            Self::Ca(_) | Self::Token(AuthTokenError::Unfit { .. }) | Self::Url(_) => Exit::Usage,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs) -> Exit {
    match checked(args) {
        Ok(true) => Exit::Fine,
        Ok(false) => Exit::Found,
        Err(error) => {
            complain(&format!("twiml-guard: {error}\n"));
            error.exit()
        }
    }
}

fn checked(args: &CheckArgs) -> Result<bool, CheckError> {
    let plan = Plan::new(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CheckError::System)?;
    let signed = plan.token.is_some();
    let url = format!("{}://{}{}", plan.url.scheme.name(), plan.url.authority(), plan.url.path());
    let report = Report::new(url, signed, runtime.block_on(plan.run()));
    let text = if args.json {
        let json = serde_json::to_string_pretty(&report);
        json.map_err(|error| CheckError::Output(error.into()))? + "\n"
    } else {
        report.text()
    };
    out(&text).map_err(CheckError::Output)?;
    Ok(report.is_go())
}

/// What is asked.
struct Plan {
    url: Url,
    /// Where to connect, as it was given.
    inner: Url,
    slot: Slot,
    fallback: Option<Url>,
    follow: bool,
    connector: Connector,
    token: Option<AuthToken>,
}

impl Plan {
    fn new(args: &CheckArgs) -> Result<Self, CheckError> {
        let inner: Url = args.url.parse()?;
        let url = match (&args.public_url, &args.host) {
            (Some(public), _) => public.parse()?,
            (None, Some(host)) => {
                format!("{}://{host}{}", inner.scheme.name(), inner.target).parse()?
            }
            (None, None) => inner.clone(),
        };
        let fallback = args.fallback.as_deref().map(str::parse).transpose()?;
        let connector = Connector::new(args.ca_file.as_deref())?.detour(url.clone(), inner.clone());
        let slot = match args.kind {
            Kind::Messaging => Slot::Messaging,
            Kind::Voice => Slot::Voice,
        };
        let found = tokens::find(|name| std::env::var(name).ok(), None)?;
        let token = found.keyring.of(None).first().map(|&token| token.clone());
        Ok(Self { url, inner, slot, fallback, follow: args.follow, connector, token })
    }

    fn client(&self) -> Client {
        Client::new(self.connector.clone(), self.token.clone()).only(self.url.clone())
    }

    async fn run(&self) -> Vec<Line> {
        let mut client = self.client();
        let ask =
            Ask { method: Method::POST, url: self.url.clone(), params: parameters(self.slot) };
        let entry = examine::ask(&mut client, "route", self.slot, ask.clone()).await;
        let mut lines = Vec::new();
        let answer = entry.answer;
        lines.extend(answer.as_ref().and_then(|answer| examine::tls(&self.url, answer)));
        lines.push(entry.line);
        let Some(answer) = answer else { return lines };
        if matches!(answer.status.as_u16(), 401 | 403) {
            lines.extend(self.refused(&ask).await);
        }
        lines.push(self.get(&mut client).await);
        if let Some(url) = self.fallback.clone() {
            lines.push(self.fallback(&mut client, url).await);
        }
        lines.extend(follow::follow(&mut client, &answer, self.slot, self.follow).await);
        lines
    }

    /// The same with GET: what a redirect in front, or a number set to GET, would get.
    async fn get(&self, client: &mut Client) -> Line {
        let ask = Ask { method: Method::GET, url: self.url.clone(), params: parameters(self.slot) };
        let mut line = examine::ask(client, "get", self.slot, ask).await.line;
        if line.verdict == Verdict::NoGo {
            line.verdict = Verdict::Warning;
            line.fix = Some(
                "only matters where the number is set to GET, or where a redirect in front (http to https, `//`, a slash at the end) turns Twilio's POST into GET".to_owned(),
            );
        }
        line
    }

    async fn fallback(&self, client: &mut Client, url: Url) -> Line {
        if !client.may_ask(&url) {
            let request = examine::named(&Method::POST, &url);
            let says = format!("on {}, another host; not asked", url.host);
            return Line::new(Verdict::Info, "foreign", request, says);
        }
        let mut params = parameters(self.slot);
        params.push(("ErrorCode".to_owned(), "11200".to_owned()));
        params.push(("ErrorUrl".to_owned(), self.url.to_string()));
        let ask = Ask { method: Method::POST, url, params };
        examine::ask(client, "fallback", self.slot, ask).await.line
    }
}
