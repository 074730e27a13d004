//! `config learn`: what was learnt of URLs, as routes to paste.

use std::fmt::Write as _;

use super::args::LearnArgs;
use super::config_command;
use super::exit::Exit;
use super::output::{complain, out};
use super::text::{counted, written};
use crate::calls::{Learnt, learnt};
use crate::twilio::Slot;

/// Prints what the guard of a state directory has learnt.
pub(super) fn run(args: &LearnArgs) -> Exit {
    let folder = match config_command::state_dir(args.state_dir.as_deref(), args.config.as_deref())
    {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            complain("twiml-guard: nothing is learnt without a state directory; set state_dir\n");
            return Exit::Unavailable;
        }
        Err(error) => return failed(&error),
    };
    let text = match learnt(&folder) {
        Ok(urls) if urls.is_empty() => format!(
            "# {}: nothing learnt yet; the guard learns from each TwiML document that passes, and\n\
            # writes it down within seconds\n",
            folder.display()
        ),
        Ok(urls) => routes(urls),
        Err(error) => return failed(&error),
    };
    match out(&text) {
        Ok(_) => Exit::Fine,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Exit {
    complain(&format!("twiml-guard: {error}\n"));
    Exit::Io
}

/// One `[[route]]` per URL; those that stand for many come after those that stand for one.
fn routes(mut urls: Vec<Learnt>) -> String {
    urls.sort_by_key(|url| url.path.matches(ID).count());
    let mut text =
        "# Learnt from the TwiML that passed. Routes are tried in their order; `auto` lets\n\
        # the parameters decide.\n"
            .to_owned();
    for url in urls {
        text.push_str(&route(&url));
    }
    text
}

/// Stands for a segment that differs from call to call.
const ID: &str = "{id}";

fn route(url: &Learnt) -> String {
    let mut text = "\n".to_owned();
    for source in &url.sources {
        let _ = writeln!(text, "# {}", plain(source));
    }
    let last = written(url.last_ms, "%Y-%m-%d %H:%M");
    let _ = writeln!(text, "# seen {}, last {last}", counted(url.times, "time", "times"));
    let path = toml::Value::String(url.path.clone());
    let method = toml::Value::String(url.method.clone());
    let slot = slot(&url.slots);
    // What a pattern reads otherwise can't be written as one.
    let mark = if url.path.replace(ID, "").contains(['*', '{', '}']) { "# " } else { "" };
    let _ = writeln!(text, "{mark}[[route]]");
    let _ = writeln!(text, "{mark}path = {path}");
    let _ = writeln!(text, "{mark}method = {method}");
    let _ = writeln!(text, "{mark}slot = \"{slot}\"");
    text
}

fn slot(slots: &[Slot]) -> &'static str {
    match slots {
        [slot] => slot.name(),
        _ => "auto",
    }
}

/// Words from a document, for a comment.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str, slots: &[Slot]) -> Learnt {
        Learnt {
            method: "POST".to_owned(),
            path: path.to_owned(),
            slots: slots.to_vec(),
            sources: vec!["action of <Connect> from POST /voice".to_owned()],
            times: 12,
            last_ms: 1_770_000_000_000,
        }
    }

    #[test]
    fn routes_are_toml_and_say_where_they_come_from() {
        let text = routes(vec![
            url("/a/{id}", &[Slot::Voice]),
            url("/b\"c", &[Slot::Action, Slot::Voice]),
            url("/d*{", &[Slot::Voice]),
        ]);
        let read: toml::Table = toml::from_str(&text).unwrap();
        let told: Vec<_> = read["route"]
            .as_array()
            .unwrap()
            .iter()
            .map(|route| (route["path"].as_str().unwrap(), route["slot"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("/b\"c", "auto"), ("/a/{id}", "voice")]);
        assert!(
            text.contains(
                "# action of <Connect> from POST /voice\n# seen 12 times, last 2026-02-02 02:40\n"
            ),
            "{text}"
        );
        assert!(text.contains("# path = \"/d*{\""), "{text}");
    }
}
