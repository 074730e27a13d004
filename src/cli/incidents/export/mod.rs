//! `incidents export`: what was recorded, for programs and for the backend's own repository.

mod curl;
mod pytest;
mod quote;
mod told;

use super::args::{ExportArgs, ExportFormat};
use super::chosen::{self, Chosen};
use super::source::Source;
use super::{Failure, json, say};
use crate::cli::output::{Written, complain};
use crate::clock;
use crate::incidents::record::Record;
use crate::incidents::replay::Request;
use crate::incidents::store::{Filter, Page, Reader};
use crate::incidents::view::IncidentView;

/// Incidents that are read at once.
const PAGE: usize = 500;

/// Writes what is asked for to standard output.
pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    if args.app.is_some() && args.format != ExportFormat::Pytest {
        return Err(Failure::Usage(
            "expected --as pytest with --app, found another format".to_owned(),
        ));
    }
    let source = Source::find(&args.store)?;
    let reader = source.open()?;
    let filter = args.filter.filter(&source, clock::now_ms())?;
    let head = match args.format {
        ExportFormat::Json => String::new(),
        ExportFormat::Curl => curl::HEAD.to_owned(),
        ExportFormat::Pytest => pytest::head(args.app.as_deref()),
    };
    let mut export = Export { format: args.format, written: 0, left_out: Vec::new() };
    if !head.is_empty() && say(&head)? == Written::Closed {
        return Ok(());
    }
    let done = if args.open {
        export.all(chosen::of_open_outbreaks(&reader, &args.filter, &source)?)?
    } else if args.ids.is_empty() {
        export.filtered(&reader, &filter)?
    } else {
        export.all(chosen::named(&reader, &args.ids)?)?
    };
    if done == Written::Read && args.format == ExportFormat::Pytest {
        say(&pytest::foot())?;
    }
    export.tell();
    Ok(())
}

struct Export {
    format: ExportFormat,
    written: usize,
    left_out: Vec<String>,
}

impl Export {
    /// Every incident that the filter takes, newest first.
    fn filtered(&mut self, reader: &Reader, filter: &Filter) -> Result<Written, Failure> {
        let mut before = None;
        loop {
            let page = reader.incidents(filter, Page { limit: PAGE, before })?;
            let Some(last) = page.last().map(|incident| incident.row.id) else {
                return Ok(Written::Read);
            };
            before = Some(last);
            for incident in page {
                let record = reader.record(incident.seq)?;
                if record.is_none() && self.format != ExportFormat::Json {
                    // Of a storm only rows are kept; its first requests stand for all.
                    continue;
                }
                let chosen = Chosen { incident, record, in_place_of: None };
                if self.one(chosen)? == Written::Closed {
                    return Ok(Written::Closed);
                }
            }
        }
    }

    fn all(&mut self, chosen: Vec<Chosen>) -> Result<Written, Failure> {
        for chosen in chosen {
            if self.one(chosen)? == Written::Closed {
                return Ok(Written::Closed);
            }
        }
        Ok(Written::Read)
    }

    fn one(&mut self, chosen: Chosen) -> Result<Written, Failure> {
        let Chosen { incident, record, .. } = chosen;
        if self.format == ExportFormat::Json {
            self.written += 1;
            let view = IncidentView::new(incident, record);
            return say(&(json(&view, serde_json::to_string)? + "\n"));
        }
        let id = incident.row.id;
        let Some(record) = record.map(Record::into_masked) else {
            self.left_out.push(format!("{id}: its request was not kept"));
            return Ok(Written::Read);
        };
        if self.format == ExportFormat::Pytest
            && let Some(why) = pytest::passes_already(&record)
        {
            self.left_out.push(format!("{id}: {why}"));
            return Ok(Written::Read);
        }
        let request = match Request::of(&record) {
            Ok(request) => request,
            Err(unfit) => {
                self.left_out.push(format!("{id}: {unfit}"));
                return Ok(Written::Read);
            }
        };
        self.written += 1;
        say(&match self.format {
            ExportFormat::Curl => curl::text(&record, &request),
            ExportFormat::Json | ExportFormat::Pytest => pytest::case(&record, &request),
        })
    }

    /// What is missing in the export, for whoever looks.
    fn tell(&self) {
        const MOST: usize = 10;
        for line in self.left_out.iter().take(MOST) {
            complain(&format!("left out: incident {line}\n"));
        }
        if self.left_out.len() > MOST {
            complain(&format!("left out: {} more\n", self.left_out.len() - MOST));
        }
        if self.written == 0 {
            complain("nothing to export\n");
        }
    }
}
