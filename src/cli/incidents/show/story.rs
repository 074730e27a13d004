//! The page: what happened in one line, then everything that tells why.

use std::fmt::Write as _;

use anstyle::Style;

use super::{Page, bodies, findings, headers, timeline};
use crate::cli::incidents::{Failure, row};
use crate::cli::text::{COLUMNS, ago, columns, counted, cut, fitted, minute, wrapped, written};
use crate::guard::causes;
use crate::guard::explain::{catalogue, one_line};
use crate::incidents::record::{ParamRecord, Record};
use crate::incidents::store::{Filter, Page as ListPage, StoredIncident};
use crate::incidents::view::texts;

/// Most columns of a value of the request without `--full`.
const VALUE: usize = 400;
/// Exchanges of the same call that are listed, before and after this one.
const SAME_CALL: usize = 10;

impl Page<'_> {
    pub(super) fn text(&self) -> Result<String, Failure> {
        let mut text = self.why();
        text += &self.facts()?;
        match self.record {
            None => text += &self.only_the_row(),
            Some(record) => {
                text += &section("Timeline", &timeline::text(record));
                text += &section("Request", &request(record, self.full));
                text += &section("Findings", &findings::text(record));
                text += &bodies::text(record, self.full);
                text += &section("Headers changed", &headers::text(record));
            }
        }
        text += &self.same_call()?;
        if self.record.is_some() {
            let _ = writeln!(
                text,
                "\nIs it fixed? twiml-guard incidents replay {}",
                self.incident.row.id
            );
        }
        Ok(text)
    }

    /// One line why, and what to fix where.
    fn why(&self) -> String {
        let row = &self.incident.row;
        let (explain, remedy) = texts(&row.cause);
        let seen = self.record.and_then(|record| record.findings.first()).map(|finding| {
            let place = finding
                .place
                .map(|place| format!(" at line {} column {}", place.line, place.column));
            let evidence = one_line(&finding.evidence);
            let said = if evidence.is_empty() { String::new() } else { format!(": {evidence}") };
            format!("{}{said}", place.unwrap_or_default())
        });
        let explain = if explain.is_empty() { row.cause.as_str() } else { explain };
        let outcome = row::outcome(row);
        let why = format!("{outcome}: {explain}{}", seen.unwrap_or_default());
        let style = row::style(row).bold();
        let why = cut(&why, COLUMNS);
        // The first word is the outcome itself: no escape can be in it.
        let rest = why.strip_prefix(outcome).unwrap_or(&why);
        let mut text = format!("{style}{outcome}{style:#}{rest}\n");
        if !remedy.is_empty() {
            text += &wrapped("fix: ", remedy);
        }
        let upstream = self.record.map(|record| format!(" of {}", record.upstream));
        let whose = format!("{} {}{}", row.method, row.path, upstream.unwrap_or_default());
        text += &wrapped("in:  ", &whose);
        if let Some(summary) = &row.summary {
            text += &wrapped("who: ", summary);
        }
        text
    }

    fn facts(&self) -> Result<String, Failure> {
        let row = &self.incident.row;
        let mut text = String::from("\n");
        let mut fact = |name: &str, value: &str| text += &wrapped(&format!("{name:<10}"), value);
        fact("incident", &row.id.to_string());
        let came = written(row.time_ms, "%Y-%m-%d %H:%M:%S.%3fZ");
        fact("time", &format!("{came}, {}", ago(row.time_ms, self.now_ms)));
        fact("route", &format!("{}, slot {}", row.route, row.slot));
        let asked_as = row.role.as_deref().unwrap_or(&row.slot);
        if let Some(belief) = &row.belief {
            fact("role", &format!("{asked_as} ({belief})"));
        }
        if let Some(sid) = &row.call_sid {
            let status = row.call_status.as_ref().map(|status| format!(", {status}"));
            fact("call", &format!("{sid}{}", status.unwrap_or_default()));
        }
        if let Some(stream) = &row.stream {
            fact("stream", stream);
        }
        if let Some(signature) = &row.signature {
            fact("signature", signature);
        }
        if let Some(sid) = &row.message_sid {
            fact("message", sid);
        }
        let inferred = causes::by_slug(&row.cause)
            .is_some_and(|cause| cause.evidence == causes::Evidence::Inferred);
        let codes: Vec<_> = row.codes.iter().map(|code| catalogue::code(*code)).collect();
        if !codes.is_empty() {
            let probably = if inferred { "probably (inferred, not Twilio's word) " } else { "" };
            fact("Twilio", &format!("{probably}{}", codes.join("; ")));
        }
        if row.causes.len() > 1 {
            fact("causes", &row.causes.join(", "));
        }
        if let Some(outbreak) = self.reader.outbreak(self.incident.outbreak)? {
            let state = match outbreak.closed_ms {
                None => "open".to_owned(),
                Some(closed) => format!("closed {}", minute(closed, self.now_ms)),
            };
            let told = format!(
                "{}, {} of {} since {}, last {}; {state}",
                outbreak.id,
                counted(outbreak.count, "incident", "incidents"),
                counted(outbreak.callers, "caller", "callers"),
                minute(outbreak.since_ms, self.now_ms),
                ago(outbreak.last_ms, self.now_ms),
            );
            fact("outbreak", &told);
        }
        if let Some(record) = self.record {
            let told = format!(
                "twiml-guard {}, configuration {}, capture {}",
                record.guard_version, record.config_hash, record.capture
            );
            fact("recorded", &told);
        }
        Ok(text)
    }

    /// In a storm not every incident is kept whole.
    fn only_the_row(&self) -> String {
        let why = match self.unreadable {
            Some(why) => format!("The whole record can't be shown: {why}."),
            None => "Only this much was kept: in an outbreak the first incidents, new answers, new paths and one a minute are kept whole.".to_owned(),
        };
        let mut text = wrapped("\n", &why);
        if let Some(nearest) = self.nearest {
            let _ = writeln!(
                text,
                "The nearest whole one of this outbreak:\n  twiml-guard incidents show {}",
                nearest.row.id
            );
        }
        text
    }

    /// The other exchanges of this call or conversation, in their order.
    fn same_call(&self) -> Result<String, Failure> {
        let row = &self.incident.row;
        let Some(sid) = row.call_sid.as_ref().or(row.message_sid.as_ref()) else {
            return Ok(String::new());
        };
        let filter = Filter { sid: Some(sid.clone()), ..Filter::default() };
        let page = ListPage { limit: SAME_CALL, before: Some(row.id) };
        let mut all = self.reader.incidents(&filter, page)?;
        all.reverse();
        let later = self.reader.after(self.incident.seq, &filter, SAME_CALL)?;
        let more = all.len() == SAME_CALL || later.len() == SAME_CALL;
        all.push(self.incident.clone());
        all.extend(later);
        let what = if row.call_sid.is_some() { "call" } else { "message" };
        let title = format!("The same {what}");
        if all.len() == 1 {
            let alone = format!("    no other exchange of this {what} is on record\n");
            return Ok(section(&title, &alone));
        }
        let ids = row::shorts(self.reader, all.iter().map(|incident| incident.row.id))?;
        let mut text = String::new();
        for (incident, id) in all.iter().zip(&ids) {
            text += &self.line(incident, id);
        }
        if more {
            text +=
                &wrapped("all of them: ", &format!("twiml-guard incidents --each --call {sid}"));
        }
        Ok(section(&title, &text))
    }

    fn line(&self, incident: &StoredIncident, id: &str) -> String {
        let line = row::line(&incident.row, id, self.now_ms);
        if incident.row.id == self.incident.row.id {
            let bold = Style::new().bold();
            return format!("{bold}{}{bold:#}\n", anstream::adapter::strip_str(line.trim_end()));
        }
        line
    }
}

/// A titled part of the page; nothing where there is nothing in it.
pub(super) fn section(title: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let bold = Style::new().bold();
    format!("\n{bold}{}{bold:#}\n{body}", cut(title, COLUMNS))
}

/// Parameters and headers, as they were sent.
fn request(record: &Record, full: bool) -> String {
    let most = if full { usize::MAX } else { VALUE };
    let row = &record.row;
    let target = format!("{} {}", row.method, record.request.target);
    let mut text = wrapped("    ", &cut(&target, most));
    let name = |param: &ParamRecord| columns(&param.name);
    let width = record.request.params.iter().map(name).max().unwrap_or_default().clamp(4, 30);
    for param in &record.request.params {
        let first = format!("    {}  ", fitted(&param.name, width));
        let mark = if param.masked { "  (masked)" } else { "" };
        text += &wrapped(&first, &format!("{}{mark}", cut(&param.value, most)));
    }
    for (name, value) in record.attempts.first().map(|first| &first.headers).into_iter().flatten() {
        text += &wrapped("    ", &cut(&format!("{name}: {value}"), most));
    }
    text
}
