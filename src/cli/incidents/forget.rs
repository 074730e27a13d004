//! `incidents forget`: deletes everything from or to a number.

use serde::Serialize;

use super::args::ForgetArgs;
use super::ask::asked;
use super::source::Source;
use super::{Failure, filter, say, say_json};
use crate::cli::text::counted;
use crate::incidents::store::{self, Filter};

/// `{"forgotten": …}`
#[derive(Serialize)]
struct Forgotten {
    /// Incidents that were deleted.
    forgotten: usize,
}

/// Deletes what is asked for, after asking back.
pub(super) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let source = Source::find(&args.store)?;
    // Before the key: where nothing was ever recorded, the store is what is missing.
    let reader = source.open()?;
    let hash = filter::number(&args.number, &source)?;
    let count = reader.count(&Filter { number: Some(hash), ..Filter::default() })?;
    drop(reader);
    let what = counted(count, "incident", "incidents");
    let question = format!(
        "Delete {what} from or to this number from {}? This can't be undone.",
        source.shown()
    );
    if !args.yes && !asked(&question, "deletes")? {
        say("Nothing was deleted.\n")?;
        return Ok(());
    }
    let forgotten = store::forget(source.path(), hash)?;
    if args.json {
        say_json(&Forgotten { forgotten })?;
    } else {
        let what = counted(forgotten as u64, "incident", "incidents");
        say(&format!(
            "{what} deleted. Counts of outbreaks and routes stay; log files and copies are not touched.\n"
        ))?;
    }
    Ok(())
}
