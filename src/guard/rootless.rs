//! Documents whose root is not around their verbs: missing, behind notices, or around the verbs as its text.

use super::beside;
use super::causes::document as causes;
use super::edit;
use super::finding::{Finding, Grade};
use super::mend::{Ending, mend};
use super::notices::without_notices;
use super::recover::{Circumstances, Recovered, has_words_beside, recover, shifted};
use super::twiml::chars::{name_len, plain};
use super::twiml::{self, Document, grammar};

/// The document that a root without elements holds as its text: the whole of it, or its verbs.
pub fn within_root(
    text: &str,
    document: &Document,
    circumstances: Circumstances,
) -> Option<Recovered> {
    let root = document.root()?;
    let (first, last) = (root.texts.first()?, root.texts.last()?);
    if document.elements.len() > 1 || circumstances.whole_only || circumstances.wrappings == 0 {
        return None;
    }
    let (start, end) = (text.get(..first.start)?, text.get(last.end..)?);
    let in_cdata = start.ends_with("<![CDATA[")
        && end.starts_with("]]>")
        && root
            .texts
            .iter()
            .filter(|span| !text.get((*span).clone()).is_some_and(|t| t.trim().is_empty()))
            .count()
            == 1;
    let raw = text.get(first.start..last.end)?.trim();
    let (cause, inner) = if in_cdata {
        (&causes::wrapped_in_cdata::CAUSE, raw.to_owned())
    } else {
        let escaped = raw.starts_with("&lt;") && !raw.contains("<![CDATA[");
        (&causes::wrapped_escaped::CAUSE, escaped.then(|| plain(raw).into_owned())?)
    };
    let named = inner.strip_prefix('<')?;
    let name = named.get(..name_len(named))?;
    let inner = if grammar::allows("Response", name) {
        format!("<Response>{inner}</Response>")
    } else {
        inner
    };
    let inside = Circumstances { wrappings: circumstances.wrappings - 1, ..circumstances };
    let Recovered::Document { text: inner, document, findings } = recover(&inner, inside) else {
        return None;
    };
    // As text the root's content is well-formed: only what is a document for certain is taken for one.
    let torn = findings.iter().any(|finding| finding.repair == Some(Grade::Inferred));
    if torn || has_words_beside(&findings) || document.verbs().next().is_none() {
        return None;
    }
    let evidence = text.get(first.start..)?.chars().take(80).collect::<String>();
    let wrapped =
        Finding::new(cause, evidence).at(text.as_bytes(), first.start).repaired(Grade::Inferred);
    let findings = findings.into_iter().map(|finding| Finding { place: None, ..finding });
    Some(Recovered::Document {
        text: inner,
        document,
        findings: std::iter::once(wrapped).chain(findings).collect(),
    })
}

/// Verbs without the root around them, and nothing else: one is put around.
pub fn without_root(text: &str, circumstances: Circumstances) -> Option<Recovered> {
    let verbs = without_declaration(text).trim_start_matches('\u{feff}');
    let begins = verbs.trim_start().strip_prefix('<').is_some_and(|inner| {
        let name = inner.get(..name_len(inner)).unwrap_or_default();
        grammar::allows("Response", name)
    });
    let ends = verbs.trim_end().ends_with('>');
    if circumstances.whole_only || circumstances.ending == Ending::Unsure || !begins || !ends {
        return None;
    }
    let rooted = format!("<Response>{verbs}</Response>");
    let edits = mend(&rooted, Ending::Unsure)?;
    // The root's end tag is not the backend's: it says nothing about where the verbs had to end.
    if edits.iter().any(|edit| edit.cause.is(&causes::end_tag_missing::CAUSE)) {
        return None;
    }
    let mended = edit::apply(&rooted, &edits);
    let document = twiml::read(&mended).ok()?;
    let root = document.root()?;
    let only_verbs =
        document.verbs().all(|verb| grammar::allows("Response", verb.name_in(&mended)))
            && root
                .texts
                .iter()
                .all(|span| mended.get(span.clone()).is_some_and(|text| text.trim().is_empty()));
    let missing = Finding::new(&causes::root_missing::CAUSE, super::words::first_line(text))
        .at(text.as_bytes(), 0)
        .repaired(Grade::Inferred);
    let inner = edit::findings(&rooted, &edits);
    let inner = inner.into_iter().map(|finding| Finding { place: None, ..finding });
    let findings = std::iter::once(missing).chain(inner).collect();
    only_verbs.then_some(Recovered::Document { text: mended, document, findings })
}

/// What stands behind notices of PHP, if it is a document in a wrapping, or one without its root.
pub fn behind_notices(text: &str, circumstances: Circumstances) -> Option<Recovered> {
    let rest = without_notices(text);
    let before = text.get(..text.len() - rest.len()).filter(|before| !before.is_empty())?;
    if circumstances.whole_only || circumstances.wrappings == 0 || beside::quotes(before).is_some()
    {
        return None;
    }
    let circumstances = Circumstances { wrappings: circumstances.wrappings - 1, ..circumstances };
    let Recovered::Document { text: inner, document, findings } = recover(rest, circumstances)
    else {
        return None;
    };
    let noticed = Finding::new(&causes::text_before::CAUSE, super::words::first_line(before))
        .at(text.as_bytes(), 0)
        .repaired(Grade::Inferred);
    let findings = findings.into_iter().map(|finding| shifted(finding, text, before.len()));
    Some(Recovered::Document {
        text: inner,
        document,
        findings: std::iter::once(noticed).chain(findings).collect(),
    })
}

/// A text without the declaration that it begins with.
fn without_declaration(text: &str) -> &str {
    let trimmed = text.trim_start();
    let declared = trimmed.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>"));
    declared.map_or(text, |(_, rest)| rest.strip_prefix(['\r', '\n']).unwrap_or(rest))
}
