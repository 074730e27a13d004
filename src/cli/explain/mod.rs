//! `explain`: reads a saved answer or a slug, prints where it breaks or what the cause is.

pub(super) mod draw;
mod json;
pub(super) mod report;

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use http::Uri;

use super::args::ExplainArgs;
use super::exit::Exit;
use super::output::{complain, out};
use crate::guard::explain::{Asked, catalogue, explain, paste};
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
    let (asked, policy) = circumstances(args)?;
    let mut pasted = paste::read(&input(args.subject.as_deref())?);
    let explanation = explain(&pasted, &asked, &policy);
    if args.url.is_none() && explanation.depends_on_the_own_host() {
        pasted.notes.push(
            "which host is the backend's own decides here; --url URL (what was asked) tells".into(),
        );
    }
    let text = if args.json {
        json::render(&pasted, &explanation)
    } else {
        report::render(&pasted, &explanation)
    };
    Ok((text, if explanation.found_something() { Exit::Found } else { Exit::Fine }))
}

fn circumstances(args: &ExplainArgs) -> Result<(Asked, Policy), Refusal> {
    let mut asked = Asked::in_slot(args.slot);
    let mut policy = Policy::default();
    let Some(url) = &args.url else { return Ok((asked, policy)) };
    let parsed = url.parse::<Uri>().ok().filter(|uri| uri.authority().is_some());
    let Some(uri) = parsed else {
        let message =
            format!("expected a whole URL such as https://pbx.example.com/voice, found `{url}`");
        return Err(refuse(Exit::Usage, message));
    };
    if let Some(target) = uri.path_and_query() {
        target.as_str().clone_into(&mut asked.target);
    }
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        let authority = authority.as_str().to_ascii_lowercase();
        policy.public_origin = Some(format!("{scheme}://{authority}"));
        policy.own_hosts.push(authority.clone());
        asked.host = Some(authority);
    }
    Ok((asked, policy))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::Slot;

    fn args(url: &str) -> ExplainArgs {
        ExplainArgs {
            subject: None,
            slot: Slot::Voice,
            url: Some(url.to_owned()),
            json: false,
            list: false,
            markdown: false,
        }
    }

    #[test]
    fn the_url_that_was_asked_names_the_own_host() {
        let (asked, policy) =
            circumstances(&args("https://PBX.example.com/voice?x=1")).ok().unwrap();
        assert_eq!(asked.target, "/voice?x=1");
        assert_eq!(policy.own_hosts, ["pbx.example.com"]);
        assert_eq!(policy.public_origin.as_deref(), Some("https://pbx.example.com"));
    }

    #[test]
    fn half_a_url_is_refused() {
        assert_eq!(circumstances(&args("/voice")).err().map(|r| r.exit), Some(Exit::Usage));
    }
}
