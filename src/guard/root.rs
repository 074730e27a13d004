//! The root's own tags where they stand twice, carry a prefix, are misspelt, lost their first characters or hold blanks.

use std::ops::Range;

use super::causes::document as causes;
use super::edit::{self, Edit};
use super::finding::{Finding, Grade};
use super::recover::{Circumstances, Recovered, recover};
use super::respell::respell;
use super::twiml::chars::{is_blank, name_len};
use super::twiml::{Document, grammar};

/// The document that a text is once its root is spelt as TwiML knows it.
pub fn respelt(text: &str, circumstances: Circumstances) -> Option<Recovered> {
    let of_verbs = || edited(text, &respell(text)?, circumstances, holds_verbs_only);
    let of_prefixes = || edited(text, &unprefixed(text)?, circumstances, |_, _| true);
    let single = || edited(text, &nested(text)?, circumstances, |_, _| true);
    of_verbs().or_else(of_prefixes).or_else(single)
}

fn edited(
    text: &str,
    edits: &[Edit],
    circumstances: Circumstances,
    fits: fn(&Document, &str) -> bool,
) -> Option<Recovered> {
    let inside = Circumstances { wrappings: 0, ..circumstances };
    let Recovered::Document { text: inner, document, findings } =
        recover(&edit::apply(text, edits), inside)
    else {
        return None;
    };
    if !fits(&document, &inner) {
        return None;
    }
    // Places behind an edit are none of the body's.
    let inner_findings = findings.into_iter().map(|finding| Finding { place: None, ..finding });
    let findings = edit::findings(text, edits).into_iter().chain(inner_findings).collect();
    Some(Recovered::Document { text: inner, document, findings })
}

/// Whether below the root stand verbs, at least one, and nothing else.
fn holds_verbs_only(document: &Document, text: &str) -> bool {
    let mut verbs = document.verbs().peekable();
    verbs.peek().is_some()
        && verbs.all(|verb| grammar::allows("Response", verb.name_in(text)))
        && document.root().is_some_and(|root| {
            root.texts
                .iter()
                .all(|span| text.get(span.clone()).is_some_and(|t| t.trim().is_empty()))
        })
}

fn edit(text: &str, cause: &'static super::Cause, span: Range<usize>) -> Edit {
    let evidence = text.get(span.start..).unwrap_or_default().chars().take(60).collect();
    Edit { cause, grade: Grade::Inferred, span, with: String::new(), evidence }
}

/// Drops the prefix that the root carries from every name that has it, and its declaration.
fn unprefixed(text: &str) -> Option<Vec<Edit>> {
    let at = text.find(":Response")?;
    let before = text.get(..at)?;
    let prefix = before.rsplit('<').next()?;
    let is_name = !prefix.is_empty() && name_len(prefix) == prefix.len() && !prefix.contains(':');
    if !is_name
        || before.len() == prefix.len()
        || text.contains("<![CDATA[")
        || text.contains("<Response")
    {
        return None;
    }
    let named = format!("{prefix}:");
    let declaration = format!("xmlns:{prefix}=");
    let mut edits = Vec::new();
    for (at, _) in text.match_indices(&named) {
        if text.get(..at).is_some_and(|before| before.ends_with('<') || before.ends_with("</")) {
            edits.push(edit(text, &causes::name_prefixed::CAUSE, at..at + named.len()));
        }
    }
    if let Some(at) = text.find(&declaration) {
        let value = text.get(at + declaration.len()..)?;
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let end = at + declaration.len() + value.get(1..)?.find(quote)? + 2;
        let before = text.get(..at)?;
        edits.push(edit(
            text,
            &causes::name_prefixed::CAUSE,
            before.trim_end_matches(is_blank).len()..end,
        ));
    }
    edits.sort_by_key(|edit| edit.span.start);
    Some(edits)
}

/// Drops the outer one of two roots, where nothing stands between their start tags, nor between their end tags.
pub fn nested(text: &str) -> Option<Vec<Edit>> {
    const START: &str = "<Response>";
    const END: &str = "</Response>";
    let outer = text.find(START)?;
    let behind = outer + START.len();
    let between = text.get(behind..)?.find("<Response")?;
    let inner = behind + between;
    let prolog = text.get(behind..inner)?.trim();
    let declares = prolog.starts_with("<?xml ") && prolog.find("?>") == prolog.len().checked_sub(2);
    if !prolog.is_empty() && !declares {
        return None;
    }
    let rest = text.get(inner + 9..)?;
    if !rest.starts_with(|c| is_blank(c) || c == '>') || rest.contains("<Response") {
        return None;
    }
    let mut edits = vec![edit(text, &causes::root_doubled::CAUSE, outer..inner)];
    let mut ends = text.rmatch_indices(END).map(|(at, _)| at);
    if let (Some(last), Some(before)) = (ends.next(), ends.next()) {
        if ends.next().is_some() || !text.get(before + END.len()..last)?.trim().is_empty() {
            return None;
        }
        edits.push(edit(text, &causes::root_doubled::CAUSE, last..last + END.len()));
    }
    Some(edits)
}
