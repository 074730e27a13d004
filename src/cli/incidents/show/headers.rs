//! Which headers the delivery has that the answer had not, and the other way round.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};

use crate::cli::text::wrapped;
use crate::incidents::record::Record;

type Headers = [(String, String)];

/// What every hop says anew.
const PER_HOP: &[&str] =
    &["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

/// One line for each header that changed; empty where there is no answer to compare with.
pub(super) fn text(record: &Record) -> String {
    let Some(answer) = record.attempts.last().and_then(|last| last.answer.as_ref()) else {
        return String::new();
    };
    // What enforcing would have changed is what there is to see in observe mode.
    let delivery = record.withheld.as_ref().unwrap_or(&record.delivery);
    let mut text = String::new();
    if answer.status != delivery.status {
        text += &line('~', &format!("status: {} -> {}", answer.status, delivery.status));
    }
    for (mark, said) in changes(&answer.headers, &delivery.headers) {
        text += &line(mark, &said);
    }
    text
}

/// `-` removed, `+` added, `~` changed; by name.
fn changes(before: &Headers, after: &Headers) -> Vec<(char, String)> {
    let names: BTreeSet<String> =
        before.iter().chain(after).map(|(name, _)| name.to_ascii_lowercase()).collect();
    let mut changes = Vec::new();
    for name in names.iter().filter(|name| !PER_HOP.contains(&name.as_str())) {
        let values = |headers| values(headers, name);
        match (&values(before)[..], &values(after)[..]) {
            (old, new) if old == new => {}
            ([old], [new]) => changes.push(('~', format!("{name}: {old} -> {new}"))),
            (old, new) => {
                changes.extend(old.iter().map(|value| ('-', format!("{name}: {value}"))));
                changes.extend(new.iter().map(|value| ('+', format!("{name}: {value}"))));
            }
        }
    }
    changes
}

fn values<'h>(headers: &'h Headers, name: &str) -> Vec<&'h str> {
    let own = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    own.map(|(_, value)| value.as_str()).collect()
}

fn line(mark: char, said: &str) -> String {
    let style = match mark {
        '-' => AnsiColor::Red.on_default(),
        '+' => AnsiColor::Green.on_default(),
        _ => Style::new(),
    };
    let lines = wrapped(&format!("    {mark} "), said);
    format!("{style}{}{style:#}\n", lines.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn changes_are_told_by_name() {
        let before = headers(&[
            ("Content-Type", "text/html"),
            ("Server", "x"),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
            ("Date", "d"),
        ]);
        let after = headers(&[
            ("content-type", "text/xml"),
            ("set-cookie", "a"),
            ("cache-control", "no-store"),
            ("date", "d"),
        ]);
        let told: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|(mark, said)| format!("{mark} {said}"))
            .collect();
        assert_eq!(
            told,
            [
                "+ cache-control: no-store",
                "~ content-type: text/html -> text/xml",
                "- server: x",
                "- set-cookie: a",
                "- set-cookie: b",
                "+ set-cookie: a",
            ]
        );
    }
}
