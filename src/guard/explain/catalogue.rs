//! The catalogue as text: one cause for the terminal, all causes for the README.

use std::fmt::Write;

use super::super::causes::{CAUSES, Cause, Evidence, Level, Stage};
use crate::twilio::codes;

/// One cause in full, plain text of at most 80 columns, ending in a line end.
pub fn page(cause: &Cause) -> String {
    let mut page = format!("{}\n\n", cause.slug);
    let _ = writeln!(page, "{}", wrapped("what", cause.explain));
    let _ = writeln!(page, "{}", wrapped("fix", cause.remedy));
    let _ = writeln!(page, "{}", wrapped("guard", cause.action));
    let _ = writeln!(page, "{}", wrapped("level", level(cause.level)));
    let _ = writeln!(page, "{}", wrapped("found in", stage(cause.stage)));
    for (at, &number) in cause.codes.iter().enumerate() {
        let label = if at == 0 { "Twilio" } else { "" };
        let _ = writeln!(page, "{}", wrapped(label, &code(number)));
    }
    if cause.codes.is_empty() {
        let _ = writeln!(page, "{}", wrapped("Twilio", "logs nothing"));
    }
    let _ = writeln!(page, "{}", wrapped("rests on", evidence(cause.evidence)));
    page
}

/// Slug and explanation of every cause, one line each.
pub fn list() -> String {
    let width = CAUSES.iter().map(|cause| cause.slug.len()).max().unwrap_or(0);
    CAUSES.iter().fold(String::new(), |mut out, cause| {
        let _ = writeln!(out, "{:width$}  {}", cause.slug, cause.explain);
        out
    })
}

/// Every cause as a Markdown table, ending in a line end.
pub fn markdown() -> String {
    let mut out = String::from(
        "| cause | the answer | Twilio's code | the guard | the fix |\n| --- | --- | --- | --- | --- |\n",
    );
    for cause in CAUSES {
        let codes: Vec<_> = cause.codes.iter().map(u32::to_string).collect();
        let codes = match (codes.is_empty(), cause.evidence) {
            (true, _) => "none".to_owned(),
            // Ours to infer, not Twilio's word.
            (false, Evidence::Inferred) => format!("({})", codes.join(", ")),
            (false, _) => codes.join(", "),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {codes} | {} | {} |",
            cause.slug,
            cell(cause.explain),
            cell(cause.action),
            cell(cause.remedy)
        );
    }
    out
}

/// A code with its level and name: `12100 error: Document parse failure`.
pub fn code(number: u32) -> String {
    match codes::lookup(number) {
        Some(code) => {
            let level = match code.level {
                codes::Level::Error => "error",
                codes::Level::Warning => "warning",
            };
            format!("{number} {level}: {}", code.name)
        }
        None => number.to_string(),
    }
}

/// The slug that is meant by a misspelt one, if one is near.
pub fn near(slug: &str) -> Option<&'static str> {
    CAUSES
        .iter()
        .map(|cause| (distance(slug, cause.slug), cause.slug))
        .filter(|&(distance, known)| distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// Text for a table's cell: bars are escaped, and `<` wherever it is not code already.
fn cell(text: &str) -> String {
    let mut in_code = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        in_code ^= c == '`';
        match c {
            '|' => out.push_str("\\|"),
            '<' if !in_code => out.push_str("&lt;"),
            '\n' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Fault => "fault: the caller hears the application error",
        Level::Warning => "warning: Twilio takes the answer",
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Transport => "transport: no whole answer came",
        Stage::Status => "the status line",
        Stage::Coding => "Content-Encoding",
        Stage::Charset => "the character set",
        Stage::Document => "the document's text",
        Stage::Grammar => "the document's verbs",
        Stage::Links => "the document's URLs",
        Stage::Headers => "the headers",
        Stage::Stream => "the WebSocket",
    }
}

fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Documented => "Twilio's own pages",
        Evidence::Reported => "reports of users",
        Evidence::Inferred => "inference from Twilio's pages and reports",
    }
}

/// `label     text`, wrapped at 80 columns with the text in its own column.
fn wrapped(label: &str, text: &str) -> String {
    const INDENT: usize = 10;
    let mut out = format!("{label:INDENT$}");
    let mut column = INDENT;
    for (at, word) in text.split_whitespace().enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > 80 {
            let _ = write!(out, "\n{:INDENT$}", "");
            column = INDENT;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}

/// Edit distance of two short ASCII words.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().take(64).enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, right) in b.bytes().enumerate() {
            let before = row.get(j).copied().unwrap_or_default();
            let above = row.get(j + 1).copied().unwrap_or_default();
            let best = (diagonal + usize::from(left != right)).min(above + 1).min(before + 1);
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_page_and_a_row() {
        let table = markdown();
        for cause in CAUSES {
            let page = page(cause);
            assert!(page.starts_with(cause.slug));
            assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
            assert_eq!(table.matches(&format!("| `{}` |", cause.slug)).count(), 1);
        }
        assert_eq!(table.lines().count(), CAUSES.len() + 2);
    }

    #[test]
    fn cells_keep_code_and_escape_the_rest() {
        assert_eq!(cell("a|b `<x>` <y>"), "a\\|b `<x>` &lt;y>");
    }

    #[test]
    fn distances_are_edits() {
        assert_eq!(distance("html-page", "html-page"), 0);
        assert_eq!(distance("htm-pages", "html-page"), 2);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn codes_carry_their_name() {
        assert_eq!(code(12100), "12100 error: Document parse failure");
        assert_eq!(code(7), "7");
    }
}
