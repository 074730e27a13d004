//! The live table of the walk: at most 100 columns.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::scenarios::Scenario;
use crate::cli::text::fitted;
use crate::guard::explain::catalogue;
use crate::guard::{DeliveryKind, Judgement, Outcome, Verdict};
use crate::incidents::Incident;
use crate::probe::{ProbeError, Refused, Response};
use crate::telemetry::visible::visible_bounded;

const PATH: usize = 18;
const SAYS: usize = 29;
const LOGS: usize = 28;
const DOES: usize = 17;
/// Digits of an id: its millisecond and 12 random bits.
const ID: usize = 18;

/// What came of one scenario.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Which one.
    pub scenario: &'a Scenario,
    /// What was delivered.
    pub response: Result<Response, ProbeError>,
    /// Whether Twilio takes it.
    pub accepted: Result<(), Refused>,
    /// What the guard recorded; nothing for an answer that is fine.
    pub judgement: Option<std::sync::Arc<Judgement>>,
}

impl Row<'_> {
    /// What became of the answer: without a record it is as the backend wrote it.
    pub(super) fn verdict(&self) -> Verdict {
        self.judgement.as_ref().map_or(Verdict::Untouched, |judgement| judgement.verdict)
    }

    /// The id under which the guard recorded it, as far as it takes to be the only one.
    pub(super) fn incident(&self) -> Option<&str> {
        let header = self.response.as_ref().ok()?.headers.get("twiml-guard-incident")?;
        header.to_str().ok()?.get(..ID)
    }

    /// Whether Twilio got something that it takes.
    pub(super) fn is_accepted(&self) -> bool {
        self.response.is_ok() && self.accepted.is_ok()
    }

    /// The row as printed, with its line end.
    pub(super) fn line(&self) -> String {
        let took = self.response.as_ref().map_or(Duration::ZERO, |response| response.elapsed);
        let style = if self.is_accepted() { style_of(self.verdict()) } else { refused() };
        let does = match &self.response {
            Ok(response) => delivered(self.judgement.as_deref(), &response.body),
            Err(_) => "nothing".to_owned(),
        };
        let logs = would_log(self.judgement.as_deref());
        let mut line = line(self.scenario.path, self.scenario.says, &logs, (style, &does), took);
        let why = match (&self.response, &self.accepted) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(why)) => Some(why.to_string()),
            _ => None,
        };
        if let Some(why) = why {
            let style = refused();
            let why = visible_bounded(&why, 80);
            let _ = writeln!(line, "  {style}not accepted:{style:#} {why}");
        }
        line
    }
}

/// A row for a request that somebody else sent.
pub(super) fn live(incident: &Incident) -> String {
    let judgement = &incident.judgement;
    let says = match &incident.exchange.outcome {
        Outcome::Answered(answer) => format!("status {}", answer.status.as_u16()),
        Outcome::Failed(_) => "no answer".to_owned(),
    };
    let path = incident.exchange.request.target.split('?').next().unwrap_or_default();
    let does = delivered(Some(judgement), &judgement.delivery.body);
    let style = style_of(judgement.verdict);
    let took = incident.exchange.elapsed;
    line(path, &says, &would_log(Some(judgement)), (style, &does), took)
}

fn line(
    path: &str,
    says: &str,
    logs: &str,
    (style, does): (Style, &str),
    took: Duration,
) -> String {
    let [path, says] = [fitted(path, PATH), fitted(says, SAYS)];
    let [logs, does] = [fitted(logs, LOGS), fitted(does, DOES)];
    format!("{path} {says} {logs} {style}{does}{style:#} {:>4}\n", millis(took))
}

/// Four characters, with a decimal where it says something.
fn millis(took: Duration) -> String {
    let tenths = took.as_micros() / 100;
    if tenths < 100 {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        (tenths / 10).to_string()
    }
}

fn would_log(judgement: Option<&Judgement>) -> String {
    match judgement.map(Judgement::codes).unwrap_or_default().first() {
        // The level is in the long form only.
        Some(&code) => catalogue::code(code).replace(" error:", "").replace(" warning:", ""),
        None => "nothing".to_owned(),
    }
}

fn delivered(judgement: Option<&Judgement>, body: &[u8]) -> String {
    let Some(judgement) = judgement else { return Verdict::Untouched.name().to_owned() };
    let what = match judgement.delivery.kind {
        DeliveryKind::Original => return judgement.verdict.name().to_owned(),
        DeliveryKind::Empty => "(empty)".to_owned(),
        DeliveryKind::Refusal => judgement.delivery.status.as_u16().to_string(),
        DeliveryKind::Repaired | DeliveryKind::Fallback(_) | DeliveryKind::Redirect => {
            first_verb(body)
        }
    };
    format!("{} {what}", judgement.verdict.name())
}

/// The table's head.
pub(super) fn head() -> String {
    let bold = Style::new().bold();
    let line = format!(
        "{:PATH$} {:SAYS$} {:LOGS$} {:DOES$} {:>4}",
        "route", "what the backend said", "Twilio would have logged", "guard delivered", "ms"
    );
    format!("{bold}{line}{bold:#}\n")
}

/// A heading between rows.
pub(super) fn heading(kind: &str) -> String {
    let dim = Style::new().dimmed();
    format!("{dim}{kind}{dim:#}\n")
}

/// The closing line.
pub(super) fn closing(rows: &[Row<'_>]) -> String {
    let count = |verdict| rows.iter().filter(|row| row.verdict() == verdict).count();
    let refused_rows = rows.iter().filter(|row| !row.is_accepted()).count();
    let accepted = if refused_rows == 0 {
        "Twilio accepts every one".to_owned()
    } else {
        format!("Twilio would NOT accept {refused_rows}")
    };
    format!(
        "{} answers: {} untouched, {} repaired, {} replaced; {accepted}.\n",
        rows.len(),
        count(Verdict::Untouched),
        count(Verdict::Repaired),
        count(Verdict::Replaced),
    )
}

fn style_of(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Untouched => AnsiColor::Green,
        Verdict::Repaired => AnsiColor::Cyan,
        Verdict::Replaced => AnsiColor::Yellow,
    };
    color.on_default()
}

fn refused() -> Style {
    AnsiColor::Red.on_default().bold()
}

/// The first element inside the root.
fn first_verb(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let inside = text.split_once("<Response").and_then(|(_, rest)| rest.split_once('<'));
    match inside {
        Some((_, rest)) if !rest.starts_with('/') => {
            rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        }
        _ => "(empty)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_fits_100_columns() {
        assert!(
            anstream::adapter::strip_str(&head()).to_string().trim_end().chars().count() <= 100
        );
    }

    #[test]
    fn texts_fit_their_column() {
        for scenario in super::super::scenarios::SCENARIOS {
            assert!(scenario.path.len() <= PATH, "{}", scenario.path);
            assert!(scenario.says.chars().count() <= SAYS, "{}", scenario.says);
        }
    }

    #[test]
    fn times_are_short() {
        assert_eq!(millis(Duration::from_micros(449)), "0.4");
        assert_eq!(millis(Duration::from_micros(9_990)), "9.9");
        assert_eq!(millis(Duration::from_millis(1_002)), "1002");
    }

    #[test]
    fn the_first_verb_is_named() {
        assert_eq!(first_verb(b"<?xml version='1.0'?><Response> <Say voice='x'>a"), "Say");
        assert_eq!(first_verb(b"<Response/>"), "(empty)");
        assert_eq!(first_verb(b"<Response></Response>"), "(empty)");
    }
}
