//! `explain`: reads a saved answer or a slug, prints where it breaks or what the cause is.

mod assumed;
pub(super) mod draw;
mod json;
pub(super) mod report;

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use super::args::ExplainArgs;
use super::exit::Exit;
use super::output::{complain, out};
use crate::guard::explain::{Asked, Explanation, catalogue, explain, paste};
use crate::guard::{Policy, causes};

/// Most bytes of a paste that are read.
const MAX_PASTE: u64 = 16 * 1024 * 1024;

/// Runs the command: 0 if Twilio takes the answer as it is, 1 if there is something to fix.
pub fn run(args: &ExplainArgs) -> Exit {
    let (text, exit) = match answer(args) {
        Ok(done) => done,
        Err(refusal) => {
            complain(&format!("twiml-guard: {}\n", refusal.message));
            return refusal.exit;
        }
    };
    match out(&text) {
        Ok(_) => exit,
        Err(error) => {
            complain(&format!("twiml-guard: could not write to standard output: {error}\n"));
            Exit::Io
        }
    }
}

struct Refusal {
    exit: Exit,
    message: String,
}

fn refuse(exit: Exit, message: impl Into<String>) -> Refusal {
    Refusal { exit, message: message.into() }
}

fn answer(args: &ExplainArgs) -> Result<(String, Exit), Refusal> {
    if args.list {
        return Ok((catalogue::list(), Exit::Fine));
    }
    if args.markdown {
        return Ok((catalogue::markdown(), Exit::Fine));
    }
    if let Some(cause) = args.subject.as_deref().and_then(causes::by_slug) {
        return Ok((catalogue::page(cause), Exit::Fine));
    }
    let mut pasted = paste::read(&input(args.subject.as_deref())?);
    let asked = Asked::of(&pasted, args.slot, args.url.as_deref())
        .map_err(|error| refuse(Exit::Usage, error.to_string()))?;
    let explanation = explain(&pasted, &asked, &Policy::default());
    pasted.notes.extend(assumed::notes(&asked, &explanation));
    let text = if args.json {
        json::render(&pasted, &asked, &explanation)
    } else {
        report::render(&pasted, &explanation)
    };
    Ok((text, if explanation.found_something() { Exit::Found } else { Exit::Fine }))
}

/// Whether the code that Twilio logged is one that this answer becomes; `None` where either is not
/// known.
fn expected(explanation: &Explanation) -> Option<bool> {
    let code = explanation.logged.as_ref()?.code?;
    let mut findings = explanation.judgement.findings.iter().peekable();
    findings.peek()?;
    Some(findings.any(|finding| finding.cause.codes.contains(&code)))
}

fn input(subject: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let bytes = match subject {
        None | Some("-") => {
            let stdin = io::stdin();
            if subject.is_none() && stdin.is_terminal() {
                return Err(refuse(
                    Exit::Usage,
                    "expected a saved answer or the slug of a cause, found nothing; try\n  \
                     curl -i -X POST URL | twiml-guard explain\n  \
                     twiml-guard explain FILE\n  \
                     twiml-guard explain --list",
                ));
            }
            read_all(stdin.lock()).map_err(|error| {
                refuse(Exit::Io, format!("could not read standard input: {error}"))
            })?
        }
        Some(path) => File::open(path).and_then(read_all).map_err(|error| unread(path, &error))?,
    };
    if bytes.is_empty() {
        let message = "expected the output of `curl -i`, found no bytes at all";
        return Err(refuse(Exit::Usage, message));
    }
    Ok(bytes)
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_PASTE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A word that is no file may be a misspelt slug.
fn unread(path: &str, error: &io::Error) -> Refusal {
    if error.kind() != io::ErrorKind::NotFound {
        return refuse(Exit::Io, format!("could not read {path}: {error}"));
    }
    let hint = match catalogue::near(path) {
        Some(slug) => format!("did you mean the cause `{slug}`?"),
        None => "`twiml-guard explain --list` names all causes".to_owned(),
    };
    refuse(Exit::Usage, format!("`{path}` is neither a file nor a cause; {hint}"))
}
