//! The lists: outbreaks, and single incidents.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::ListArgs;
use super::source::Source;
use super::{Failure, row, say, say_json};
use crate::cli::text::{COLUMNS, ago, columns, counted, cut, fitted, minute, thousands, wrapped};
use crate::clock;
use crate::incidents::outbreak::Outbreak;
use crate::incidents::store::{Filter, Page, Reader, StoredIncident};
use crate::incidents::view::{IncidentList, IncidentView, OutbreakList, OutbreakView, texts};

/// Columns of the fields whose width is always the same.
const SINCE: usize = 12;
const LAST: usize = 10;
/// Least columns of a number.
const COUNT: usize = 7;
const CODE: usize = 6;
/// Most columns of a cause.
const CAUSE: usize = 28;

/// Lists what is asked for.
pub(super) fn run(args: &ListArgs) -> Result<(), Failure> {
    let source = Source::find(&args.store)?;
    let now_ms = clock::now_ms();
    let filter = args.filter.filter(&source, now_ms)?;
    let reader = source.open()?;
    let list = List { args, filter, reader, now_ms };
    if args.each { list.incidents() } else { list.outbreaks() }
}

struct List<'a> {
    args: &'a ListArgs,
    filter: Filter,
    reader: Reader,
    now_ms: u64,
}

/// Outbreaks, and the incidents of the one call or caller that was asked for.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    outbreaks: OutbreakList,
    #[serde(flatten)]
    incidents: Option<IncidentList>,
}

impl List<'_> {
    fn outbreaks(&self) -> Result<(), Failure> {
        // Whether it is over now is not what is asked of one call.
        let about_one = self.args.filter.is_about_one();
        let all = self.args.all || about_one;
        let found = self.reader.outbreaks(
            &self.filter,
            all,
            Page { limit: self.args.limit, before: None },
        )?;
        let incidents = if about_one { Some(self.page()?) } else { None };
        if self.args.json {
            let outbreaks = found.into_iter().map(OutbreakView::from).collect();
            let incidents = incidents.map(|(incidents, more)| list(incidents, more));
            let outbreaks = OutbreakList { outbreaks };
            say_json(&Found { outbreaks, incidents })?;
            return Ok(());
        }
        if found.is_empty() {
            say(&self.nothing(all)?)?;
            return Ok(());
        }
        let mut text = self.outbreak_table(&found)?;
        if let Some((incidents, more)) = incidents {
            text.push('\n');
            text += &self.incident_table(&incidents, more)?;
        }
        say(&text)?;
        Ok(())
    }

    fn incidents(&self) -> Result<(), Failure> {
        let (incidents, more) = self.page()?;
        if self.args.json {
            say_json(&list(incidents, more))?;
        } else if incidents.is_empty() {
            say(&self.nothing(true)?)?;
        } else {
            say(&self.incident_table(&incidents, more)?)?;
        }
        Ok(())
    }

    /// The newest incidents, and whether there are more.
    fn page(&self) -> Result<(Vec<StoredIncident>, bool), Failure> {
        let limit = self.args.limit;
        let page = Page { limit: limit.saturating_add(1), before: self.args.before };
        let mut incidents = self.reader.incidents(&self.filter, page)?;
        let more = incidents.len() > limit;
        incidents.truncate(limit);
        Ok((incidents, more))
    }

    fn outbreak_table(&self, found: &[Outbreak]) -> Result<String, Failure> {
        let open = found.iter().filter(|outbreak| outbreak.closed_ms.is_none()).count() as u64;
        let closed = found.len() as u64 - open;
        let mut text = counted(open, "open outbreak", "open outbreaks");
        if closed > 0 {
            let _ = write!(text, ", {} closed", thousands(closed));
        }
        if !self.filter.is_empty() {
            text += " with an incident that was asked for";
        }
        let _ = writeln!(text, ". Times are UTC, now {}.\n", minute(self.now_ms, self.now_ms));
        let cause = found.iter().map(|outbreak| columns(&outbreak.cause)).max().unwrap_or_default();
        let cause = cause.clamp(5, CAUSE);
        let count = found.iter().map(|outbreak| columns(&thousands(outbreak.count))).max();
        let count = count.unwrap_or_default().clamp(COUNT, 16);
        let route = COLUMNS - (SINCE + LAST + count + COUNT + cause + CODE + 6);
        let bold = Style::new().bold();
        let _ = writeln!(
            text,
            "{bold}{:SINCE$} {:LAST$} {:>count$} {:>COUNT$} {:route$} {:cause$} {:CODE$}{bold:#}",
            "since", "last", "count", "callers", "route", "cause", "Twilio",
        );
        let ids = row::shorts(&self.reader, found.iter().map(|outbreak| outbreak.id))?;
        for (outbreak, id) in found.iter().zip(ids) {
            text += &self.outbreak_line(outbreak, count, route, cause)?;
            text += &remedy_line(outbreak, &id, self.now_ms);
        }
        if found.len() == self.args.limit {
            let _ = writeln!(text, "\n--limit {} was reached; there may be more.", self.args.limit);
        }
        let _ = writeln!(text, "\nThe whole story: twiml-guard incidents show ID");
        if open > 0 {
            let _ = writeln!(text, "Is it fixed?     twiml-guard incidents replay --open");
        }
        Ok(text)
    }

    fn outbreak_line(
        &self,
        outbreak: &Outbreak,
        count: usize,
        route: usize,
        cause: usize,
    ) -> Result<String, Failure> {
        let style = match outbreak.closed_ms {
            None => AnsiColor::Yellow.on_default(),
            Some(_) => Style::new().dimmed(),
        };
        let code = outbreak.codes.first().map(u32::to_string).unwrap_or_default();
        Ok(format!(
            "{} {} {:>count$} {:>COUNT$} {} {style}{}{style:#} {}\n",
            fitted(&minute(outbreak.since_ms, self.now_ms), SINCE),
            fitted(&ago(outbreak.last_ms, self.now_ms), LAST),
            cut(&thousands(outbreak.count), count),
            cut(&thousands(outbreak.callers), COUNT),
            fitted(&self.route(outbreak)?, route),
            fitted(&outbreak.cause, cause),
            cut(&code, CODE),
        ))
    }

    /// The route, with the paths that were asked for where its name does not tell them.
    fn route(&self, outbreak: &Outbreak) -> Result<String, Failure> {
        if !outbreak.route.contains('*') {
            return Ok(outbreak.route.clone());
        }
        let paths = self.reader.paths(outbreak.id)?;
        Ok(format!("{} {}", outbreak.route, paths.join(" ")))
    }

    fn incident_table(&self, found: &[StoredIncident], more: bool) -> Result<String, Failure> {
        let ids = row::shorts(&self.reader, found.iter().map(|incident| incident.row.id))?;
        let mut text = row::head(ids.first().map_or(0, String::len));
        for (incident, id) in found.iter().zip(&ids) {
            text += &row::line(&incident.row, id, self.now_ms);
        }
        if let (true, Some(last)) = (more, found.last()) {
            let _ = writeln!(text, "\nOlder ones: --each --before {}", last.row.id);
        }
        Ok(text)
    }

    /// Why there is nothing to show.
    fn nothing(&self, all: bool) -> Result<String, Failure> {
        if let Some(hint) = self.args.filter.hint(&self.reader)? {
            return Ok(wrapped("", &format!("Nothing found: {hint}")));
        }
        let asked =
            if self.filter.is_empty() { "" } else { " with an incident that was asked for" };
        if all {
            let what = if self.args.each { "incident" } else { "outbreak" };
            if !self.filter.is_empty() {
                return Ok(format!("No {what} on record is what was asked for.\n"));
            }
            let copied = if self.args.store.db.is_some() {
                " A file copied while the guard ran needs the file of its name with -wal beside it."
            } else {
                ""
            };
            return Ok(format!("No {what} is on record.{copied}\n"));
        }
        let closed = self.reader.outbreaks(&self.filter, true, Page { limit: 1, before: None })?;
        Ok(match closed.first() {
            None => format!("No outbreak is open{asked}, nor is a closed one on record.\n"),
            Some(latest) => format!(
                "No outbreak is open{asked}; the latest was quiet since {}. --all shows closed ones.\n",
                minute(latest.last_ms, self.now_ms)
            ),
        })
    }
}

fn list(incidents: Vec<StoredIncident>, more: bool) -> IncidentList {
    let next = incidents.last().filter(|_| more).map(|last| last.row.id);
    let view = |incident| IncidentView::new(incident, None);
    IncidentList { incidents: incidents.into_iter().map(view).collect(), next }
}

/// Under an outbreak: its id, whether it is over, what to fix.
fn remedy_line(outbreak: &Outbreak, id: &str, now_ms: u64) -> String {
    let mut said = String::new();
    if let Some(closed) = outbreak.closed_ms {
        let _ = write!(said, "closed {}; ", minute(closed, now_ms));
    }
    if outbreak.reopened > 0 {
        let _ = write!(said, "came back {}; ", counted(outbreak.reopened.into(), "time", "times"));
    }
    if outbreak.observed > 0 {
        let _ = write!(said, "{} only observed; ", thousands(outbreak.observed));
    }
    let (_, remedy) = texts(&outbreak.cause);
    let remedy = if remedy.is_empty() { "unknown to this version" } else { remedy };
    let _ = write!(said, "fix: {remedy}");
    wrapped(&format!("  {id}  "), &said)
}
