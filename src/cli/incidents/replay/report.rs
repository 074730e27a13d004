//! What a replay found, for people and as JSON.

use std::collections::HashSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use uuid::Uuid;

use super::plan::Planned;
use crate::cli::exit::Exit;
use crate::cli::text::{counted, cut, fitted, millis, wrapped};
use crate::guard::explain::one_line;
use crate::guard::{Exchange, Failure, Judgement, Outcome};
use crate::incidents::redact::Redaction;
use crate::incidents::replay::{Now, Substitute, compare};

/// Columns of the word that says what has become of an incident.
const WORD: usize = 12;
/// Most characters of what was seen in an answer.
const EVIDENCE: usize = 200;
/// What the guard puts on an answer that it changed.
const GUARDED: &str = "twiml-guard-incident";

/// All that was replayed: the JSON of `incidents replay --json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    replayed: Vec<Replayed>,
    fixed: usize,
    still_broken: usize,
    different: usize,
    not_replayed: usize,
    signed: bool,
}

/// One incident.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    id: Uuid,
    /// The incident that was named, where only its row was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_place_of: Option<Uuid>,
    route: String,
    slot: &'static str,
    method: String,
    path: String,
    upstream: String,
    /// What it was recorded for.
    cause: String,
    /// `fixed`, `still-broken`, `different` or `not-replayed`.
    result: &'static str,
    /// Why it was not replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What the backend says now.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Fresh>,
    substitutes: Vec<Substitute>,
    /// Headers that were not kept, and so not sent.
    left_out: Vec<String>,
    #[serde(skip)]
    found: Option<Now>,
    /// The backend that the incident was recorded of, where it is another one.
    #[serde(skip)]
    recorded_at: Option<String>,
}

/// The new answer.
#[derive(Debug, Serialize)]
struct Fresh {
    /// `null` where there was no answer.
    status: Option<u16>,
    content_type: Option<String>,
    elapsed_ms: u64,
    /// The slugs of all findings, the first first, no doubles.
    causes: Vec<&'static str>,
    /// What was seen of the first, masked.
    evidence: Option<String>,
    codes: Vec<u32>,
    #[serde(skip)]
    remedy: &'static str,
    #[serde(skip)]
    unreached: bool,
}

impl Replayed {
    /// What came of it; `answer` is `None` where nothing was sent.
    pub(super) fn new(
        planned: &Planned,
        answer: Option<(Exchange, Judgement)>,
        redaction: &Redaction,
    ) -> Self {
        let row = &planned.chosen.incident.row;
        let mut why = planned.request.as_ref().err().cloned();
        let mut found = None;
        let now = answer.map(|(exchange, judgement)| {
            if is_guarded(&exchange) {
                why = Some(
                    "a guard answered, not the backend; name the backend itself with --to"
                        .to_owned(),
                );
            } else {
                found = Some(compare(row, &judgement));
            }
            Fresh::new(&exchange, &judgement, redaction)
        });
        if now.is_none() && why.is_none() {
            why = Some("its request could not be put together".to_owned());
        }
        let request = planned.request.as_ref().ok();
        Self {
            id: row.id,
            in_place_of: planned.chosen.in_place_of.as_ref().map(|named| named.row.id),
            route: planned.route.name.clone(),
            slot: planned.slot.name(),
            method: row.method.clone(),
            path: row.path.clone(),
            upstream: planned.route.upstream().authority(),
            cause: row.cause.clone(),
            result: match found {
                Some(Now::Different) => "different",
                Some(Now::Fixed) => "fixed",
                Some(Now::StillBroken) => "still-broken",
                None => "not-replayed",
            },
            why,
            now,
            substitutes: request.map(|request| request.substitutes.clone()).unwrap_or_default(),
            left_out: request.map(|request| request.left_out.clone()).unwrap_or_default(),
            found,
            recorded_at: planned
                .chosen
                .record
                .as_ref()
                .map(|record| record.upstream.clone())
                .filter(|recorded| *recorded != planned.route.upstream().authority()),
        }
    }

    fn is_unreached(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.unreached)
    }

    /// A few lines about it.
    pub(super) fn text(&self, signed: bool) -> String {
        let (word, style) = match self.found {
            Some(Now::Different) => (Now::Different.name(), AnsiColor::Yellow.on_default()),
            Some(Now::Fixed) => (Now::Fixed.name(), AnsiColor::Green.on_default()),
            Some(Now::StillBroken) => (Now::StillBroken.name(), AnsiColor::Red.on_default().bold()),
            None => ("not replayed", Style::new().bold()),
        };
        let request = format!("{} {}", self.method, self.path);
        let mut text = format!(
            "{style}{}{style:#} {} {}\n",
            fitted(word, WORD),
            fitted(&request, 50),
            self.id
        );
        if let Some(named) = self.in_place_of {
            text += &wrapped("  for   ", &format!("{named}, of which only the row was kept"));
        }
        text += &wrapped("  was   ", &self.cause);
        if let Some(now) = &self.now {
            text += &wrapped("  now   ", &now.line());
            if self.found != Some(Now::Fixed) && !now.remedy.is_empty() {
                text += &wrapped("  fix   ", now.remedy);
            }
            if !signed && matches!(now.status, Some(401 | 403)) {
                text +=
                    "  note  the request went unsigned: the backend may have refused it for that\n";
            }
        }
        if let Some(recorded) = self.recorded_at.as_ref().filter(|_| self.is_unreached()) {
            let note = format!("it was recorded of the backend at {recorded}; name one with --to");
            text += &wrapped("  note  ", &note);
        }
        if let Some(why) = &self.why {
            text += &wrapped("  why   ", why);
        }
        if !self.substitutes.is_empty() {
            let all: Vec<_> = self
                .substitutes
                .iter()
                .map(|s| format!("{}={} for {}", s.name, cut(&s.sent, 60), cut(&s.recorded, 60)))
                .collect();
            text += &wrapped("  sent  ", &all.join(", "));
        }
        text
    }
}

impl Fresh {
    fn new(exchange: &Exchange, judgement: &Judgement, redaction: &Redaction) -> Self {
        let (status, content_type) = match &exchange.outcome {
            Outcome::Answered(answer) => (
                Some(answer.status.as_u16()),
                answer
                    .headers
                    .get(CONTENT_TYPE)
                    .map(|value| redaction.text(&String::from_utf8_lossy(value.as_bytes()))),
            ),
            Outcome::Failed(_) => (None, None),
        };
        let mut causes: Vec<&'static str> = Vec::new();
        for finding in &judgement.findings {
            if !causes.contains(&finding.cause.slug) {
                causes.push(finding.cause.slug);
            }
        }
        let first = judgement.findings.first();
        let masked = |evidence: &str| {
            let echoed = redaction.echo(evidence, &exchange.request.params);
            let line = one_line(&redaction.text(&echoed));
            line.chars().take(EVIDENCE).collect::<String>()
        };
        Self {
            status,
            content_type,
            elapsed_ms: u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX),
            causes,
            evidence: first.map(|finding| masked(&finding.evidence)),
            codes: judgement.codes(),
            remedy: first.map_or("", |finding| finding.cause.remedy),
            unreached: matches!(
                exchange.outcome,
                Outcome::Failed(
                    Failure::ConnectTimeout | Failure::Refused { .. } | Failure::Unreachable { .. }
                )
            ),
        }
    }

    fn line(&self) -> String {
        let mut line = match (self.status, &self.content_type) {
            (None, _) => "no answer".to_owned(),
            (Some(status), None) => status.to_string(),
            (Some(status), Some(content_type)) => format!("{status} {content_type}"),
        };
        // Writing to a String can't fail.
        let _ = write!(line, " in {}", millis(self.elapsed_ms));
        if let Some(first) = self.causes.first() {
            let _ = write!(line, "; {first}");
            if let Some(evidence) = self.evidence.as_deref().filter(|text| !text.is_empty()) {
                let _ = write!(line, ": {evidence}");
            }
        }
        line
    }
}

/// Whether the answer was changed by a guard on the way.
fn is_guarded(exchange: &Exchange) -> bool {
    match &exchange.outcome {
        Outcome::Answered(answer) => answer.headers.contains_key(GUARDED),
        Outcome::Failed(_) => false,
    }
}

impl Report {
    pub(super) fn new(replayed: Vec<Replayed>, signed: bool) -> Self {
        let count = |found| replayed.iter().filter(|one| one.found == found).count();
        Self {
            fixed: count(Some(Now::Fixed)),
            still_broken: count(Some(Now::StillBroken)),
            different: count(Some(Now::Different)),
            not_replayed: count(None),
            signed,
            replayed,
        }
    }

    /// Fine only if everything is fixed; 69 if nothing that was sent arrived anywhere.
    pub(super) fn exit(&self) -> Exit {
        let mut sent = self.replayed.iter().filter_map(|one| one.now.as_ref()).peekable();
        if sent.peek().is_some() && sent.all(|now| now.unreached) {
            return Exit::Unavailable;
        }
        if self.fixed == self.replayed.len() { Exit::Fine } else { Exit::Found }
    }

    /// The last lines.
    pub(super) fn summary(&self) -> String {
        if self.replayed.is_empty() {
            return String::new();
        }
        let mut parts = vec![format!("{} fixed", self.fixed)];
        for (count, what) in [
            (self.still_broken, "still broken"),
            (self.different, "different"),
            (self.not_replayed, "not replayed"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let mut text = format!("\n{}\n", parts.join(", "));
        if self.exit() == Exit::Unavailable {
            text += "No backend could be reached; is it running, and is this its address?\n";
        }
        if self.replayed.iter().any(|one| !one.substitutes.is_empty()) {
            text += &wrapped(
                "",
                "What was masked in the records went out as the substitutes named above; to the real values the backend may answer otherwise.",
            );
        }
        text
    }
}

/// What is about to be sent.
pub(super) fn heading(planned: &[Planned], open: bool, signed: bool) -> String {
    let count = planned.len() as u64;
    if planned.is_empty() {
        return "No open outbreak: nothing to replay.\n".to_owned();
    }
    let outbreaks: HashSet<Uuid> = planned.iter().map(|one| one.chosen.incident.outbreak).collect();
    let what = if open && outbreaks.len() < planned.len() {
        let outbreaks = counted(outbreaks.len() as u64, "open outbreak", "open outbreaks");
        format!("{count} incidents of {outbreaks}, one of each path")
    } else if open {
        match count {
            1 => "One incident of the one open outbreak".to_owned(),
            count => format!("One incident of each of {count} open outbreaks"),
        }
    } else {
        counted(count, "incident", "incidents")
    };
    let signature = if signed {
        "signed as Twilio signs"
    } else {
        "unsigned: there is no token in TWIML_GUARD_AUTH_TOKEN or TWILIO_AUTH_TOKEN (or …_FILE), nor in twilio.auth_token_file"
    };
    let mut backends: Vec<_> = planned.iter().map(|one| one.route.upstream().authority()).collect();
    backends.sort();
    backends.dedup();
    wrapped("", &format!("{what}, sent to {}, {signature}.", backends.join(", "))) + "\n"
}
