//! `incidents call`: what one call or message went through, step by step.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::args::CallArgs;
use super::source::Source;
use super::{Failure, row, say, say_json};
use crate::admin::CONTROL;
use crate::cli::exit::Exit;
use crate::cli::mode::client::{Guard, Unreachable};
use crate::cli::output::complain;
use crate::cli::text::{counted, cut, minute, wrapped};
use crate::clock;
use crate::incidents::store::{Reader, StoreError};
use crate::incidents::timeline::{CallStory, Step};

/// Least characters of a SID that are looked up.
const LEAST: usize = 4;
/// Digits of an incident's id that is not on record.
const ID: usize = 18;
/// Most columns of a path.
const PATH: usize = 60;

/// What the store knows, and what the running guard remembers.
struct Told {
    story: CallStory,
    asked: Asked,
}

/// Whether the running guard was asked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It answered.
    Answered,
    /// The store stands for itself.
    Copied,
    /// None answered.
    Nobody,
}

#[derive(Serialize)]
struct Shown<'s> {
    #[serde(flatten)]
    story: &'s CallStory,
    /// Whether the running guard told what it remembers.
    live: bool,
}

/// Shows the call that is asked for.
pub(super) fn run(args: &CallArgs) -> Result<Exit, Failure> {
    let source = Source::find(&args.store)?;
    let reader = match source.open() {
        Ok(reader) => Some(reader),
        // A guard that has kept nothing yet may remember the call.
        Err(Failure::Store(StoreError::Missing { .. })) if args.store.db.is_none() => None,
        Err(failure) => return Err(failure),
    };
    let sid = find(reader.as_ref(), &args.sid)?;
    let (live, asked) = remembered(&source, args, &sid);
    let Some(story) = CallStory::read(reader.as_ref(), &sid, live)? else {
        complain(&format!("twiml-guard: {}\n", unknown(&sid, asked)));
        return Ok(Exit::Found);
    };
    let told = Told { story, asked };
    if args.json {
        say_json(&Shown { story: &told.story, live: told.asked == Asked::Answered })?;
    } else {
        say(&told.text(reader.as_ref())?)?;
    }
    Ok(Exit::Fine)
}

/// The whole SID that is meant: whole, by its beginning, by its end, or as the log shortens it.
fn find(reader: Option<&Reader>, word: &str) -> Result<String, Failure> {
    let word = word.trim();
    let (head, tail) = word.split_once('…').unwrap_or((word, ""));
    let is_plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    if head.len() + tail.len() < LEAST || !is_plain(head) || !is_plain(tail) {
        return Err(Failure::Usage(format!(
            "expected a SID (CA…, MM…, SM…), or at least {LEAST} characters of its beginning or its end, found `{word}`"
        )));
    }
    let Some(reader) = reader.filter(|_| word.len() < 34) else { return Ok(word.to_owned()) };
    let mut found = reader.sids(head, tail)?;
    if tail.is_empty() && !word.contains('…') {
        found.extend(reader.sids("", head)?);
        found.sort();
        found.dedup();
    }
    match &found[..] {
        [] => Ok(word.to_owned()),
        [sid] => Ok(sid.clone()),
        several => Err(Failure::Usage(format!(
            "expected a piece of one SID, found `{word}`, which several have; give more of it:\n  {}",
            several.join("\n  ")
        ))),
    }
}

/// What the running guard remembers.
fn remembered(source: &Source, args: &CallArgs, sid: &str) -> (Vec<Step>, Asked) {
    let Some(folder) = source.path().parent().filter(|_| args.store.db.is_none()) else {
        return (Vec::new(), Asked::Copied);
    };
    let answer: Result<_, Unreachable> =
        Guard::behind(folder.join(CONTROL)).ask("GET", &format!("/api/calls/{sid}"), None);
    let Ok((status, mut json)) = answer else { return (Vec::new(), Asked::Nobody) };
    let steps = json.get_mut("steps").map(serde_json::Value::take).unwrap_or_default();
    let steps = if status == 200 { serde_json::from_value(steps) } else { Ok(Vec::new()) };
    (steps.unwrap_or_default(), Asked::Answered)
}

fn unknown(sid: &str, asked: Asked) -> String {
    let who = match asked {
        Asked::Answered => "neither the store nor the running guard knows",
        Asked::Copied => "the store knows nothing of",
        Asked::Nobody => "no guard runs that could remember it, and the store knows nothing of",
    };
    format!(
        "{who} `{sid}`: steps are kept of calls in which something was wrong, and remembered of the latest ones; `twiml-guard incidents --each` lists what is on record"
    )
}

impl Told {
    fn text(&self, reader: Option<&Reader>) -> Result<String, Failure> {
        let CallStory { sid, steps, incidents, summary } = &self.story;
        let now_ms = clock::now_ms();
        let start = steps.first().map_or(0, |step| step.time_ms);
        let bold = Style::new().bold();
        let mut text = format!(
            "{bold}{}{bold:#}: {}, {}, since {}\n",
            cut(sid, 64),
            counted(steps.len() as u64, "step", "steps"),
            counted(incidents.len() as u64, "incident", "incidents"),
            minute(start, now_ms),
        );
        if self.asked == Asked::Nobody {
            text += "No guard runs: this is what the store has kept.\n";
        }
        text.push('\n');
        let ids = match reader {
            Some(reader) => row::shorts(reader, incidents.iter().map(|own| own.stored.row.id))?,
            None => Vec::new(),
        };
        let digits = ids.first().map_or(ID, String::len);
        for step in steps {
            text += &line(step, start, digits);
        }
        if !incidents.is_empty() {
            text.push('\n');
            text += &row::head(digits);
            for (incident, id) in incidents.iter().zip(&ids) {
                text += &row::line(&incident.stored.row, id, now_ms);
            }
        }
        if let Some(summary) = summary {
            text.push('\n');
            text += &wrapped("to blame: ", summary);
        }
        Ok(text)
    }
}

/// One step: when, what was asked as what, what was answered, what left.
fn line(step: &Step, start_ms: u64, digits: usize) -> String {
    let ms = step.time_ms.saturating_sub(start_ms);
    let at = format!("{:>9}  ", format!("+{}.{} s", ms / 1_000, ms % 1_000 / 100));
    let mut said = format!("{} {}", step.method, cut(&step.path, PATH));
    let role = step.role.as_ref().unwrap_or(&step.slot);
    // Writing to a String can't fail.
    let _ = write!(said, " ({role}{})", how(step));
    if let Some(status) = &step.status {
        let _ = write!(said, ", {status}");
    }
    if let Some(answered) = step.answered {
        let _ = write!(said, ": {answered}");
    }
    let _ = write!(said, "; {}", step.outcome);
    if let Some(cause) = &step.cause {
        let _ = write!(said, " ({cause})");
    }
    if !step.told.is_empty() {
        let _ = write!(said, ": {}", step.told);
    }
    if let Some(incident) = step.incident {
        let _ = write!(said, "; incident {:.digits$}", incident.to_string());
    }
    wrapped(&at, &said)
}

/// How the role is known, where that is a doubt.
fn how(step: &Step) -> &'static str {
    match step.belief.as_str() {
        "assumed" => ", assumed",
        "inferred" => ", inferred",
        "learnt" => ", learnt",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_on_one_line_after_its_offset() {
        let step = Step {
            time_ms: 12_345,
            duration_ms: 3,
            method: "POST".to_owned(),
            path: "/end".to_owned(),
            slot: "action".to_owned(),
            belief: "learnt".to_owned(),
            role: None,
            status: Some("in-progress".to_owned()),
            answered: Some(204),
            outcome: "replaced".to_owned(),
            cause: Some("no-content".to_owned()),
            told: "fallback \"action\"".to_owned(),
            incident: None,
        };
        assert_eq!(
            line(&step, 1_000, ID),
            "  +11.3 s  POST /end (action, learnt), in-progress: 204; replaced (no-content): fallback \"action\"\n"
        );
    }

    #[test]
    fn what_is_no_piece_of_a_sid_is_told() {
        for wrong in ["", "CA", "CA0'1", "…", "/etc/passwd"] {
            let error = find(None, wrong).unwrap_err();
            assert!(error.to_string().contains("expected a SID"), "{wrong}: {error}");
        }
        assert_eq!(find(None, " CA0123 ").unwrap(), "CA0123");
    }
}
