//! Finding the one document in a body, and judging what stands around it.

use std::ops::Range;

use super::beside;
use super::page_around::{carries, enclosing, open_elements};
use super::twiml::chars::is_blank;

/// Where the document of a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// No `<Response` root.
    Nowhere,
    /// One document; what stands around it may be dropped.
    One(Place),
    /// One document that is merely quoted, and why.
    Quoted(String),
    /// More than one root.
    Several(usize),
}

/// The place of the one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From declaration (or root) to the root's end, or the text's.
    pub document: Range<usize>,
    /// Whether the root's end tag was found.
    pub closed: bool,
    /// Whether an HTML page that shows nothing else stands around it.
    pub wrapped: bool,
}

/// Finds the one document.
pub fn locate(text: &str) -> Located {
    let mut roots: Vec<usize> = Vec::new();
    for tag in ["<Response", "<response", "<RESPONSE"] {
        if roots.is_empty() {
            roots = self::roots(text, tag).take(20).collect();
        }
    }
    let Some(&root) = roots.first() else { return Located::Nowhere };
    let start = with_prolog(text, root);
    let (end, closed, behind) = match roots.as_slice() {
        [_] => {
            let (end, closed) = end_of_root(text, root);
            (end, closed, end)
        }
        // The same said again is no second document to choose.
        &[_, last] if is_end_meant(text, root, last) => (text.trim_end().len(), false, text.len()),
        several => match said_again(text, several) {
            Some((end, behind)) => (end, true, behind),
            None => return Located::Several(several.len()),
        },
    };
    let before = without_torn_declaration(text.get(..start).unwrap_or_default());
    let before = beside::without_printed_status(beside::without_source(before));
    let after = text.get(behind..).unwrap_or_default();
    match surroundings(before, after, text.get(start..end).unwrap_or_default()) {
        Surroundings::Droppable { wrapped } => {
            Located::One(Place { document: start..end, closed, wrapped })
        }
        Surroundings::Quoting(why) => Located::Quoted(why),
    }
}

/// Offsets of every `<Response` (`tag`: by this spelling) that opens a tag.
fn roots<'t>(text: &'t str, tag: &'t str) -> impl Iterator<Item = usize> {
    let named = memchr::memmem::find_iter(text.as_bytes(), tag);
    named.filter(|at| {
        text.get(at + 9..).is_some_and(|after| {
            let opens = after.starts_with(|c: char| is_blank(c) || matches!(c, '>' | '/'));
            after.is_empty() || opens && !beside::is_printed_status(after)
        })
    })
}

/// More beginnings of a prolog than this are not tried.
const MAX_PROLOGS: usize = 8;

/// The start of the declaration or DOCTYPE that belongs to the root at `root`: only blanks,
/// comments, instructions and further declarations stand between.
fn with_prolog(text: &str, root: usize) -> usize {
    let before = text.get(..root).unwrap_or_default();
    let begins = |at: &usize| {
        let rest = before.get(*at..).unwrap_or_default();
        is_doctype(rest)
            || rest
                .strip_prefix("<?xml")
                .is_some_and(|after| after.starts_with(|c| is_blank(c) || c == '?'))
    };
    let starts = memchr::memchr_iter(b'<', before.as_bytes()).filter(begins);
    let mut starts = starts.take(MAX_PROLOGS);
    starts.find(|&at| is_prolog(before.get(at..).unwrap_or_default())).unwrap_or(root)
}

fn is_doctype(rest: &str) -> bool {
    rest.get(..9).is_some_and(|head| head.eq_ignore_ascii_case("<!doctype"))
}

/// Whether a text is nothing but declarations, a DOCTYPE, comments and instructions.
fn is_prolog(mut rest: &str) -> bool {
    loop {
        rest = rest.trim_start_matches(is_blank);
        let end = if rest.is_empty() {
            return true;
        } else if rest.starts_with("<?") {
            rest.find("?>").map(|at| at + 2)
        } else if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else if is_doctype(rest) {
            end_of_doctype(rest)
        } else {
            None
        };
        match end.and_then(|end| rest.get(end..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

/// Behind a DOCTYPE's `>`, or behind the one that follows its internal subset.
fn end_of_doctype(rest: &str) -> Option<usize> {
    let first = rest.find(['[', '>'])?;
    if rest.get(first..)?.starts_with('>') {
        return Some(first + 1);
    }
    let subset = first + rest.get(first..)?.find(']')?;
    Some(subset + rest.get(subset..)?.find('>')? + 1)
}

/// Whether the second of two roots is the end tag of the first that lost its slash: nothing follows it, and there is
/// no end tag.
fn is_end_meant(text: &str, first: usize, last: usize) -> bool {
    let tag = text.get(last..).unwrap_or_default().trim_end();
    let between = text.get(first + 1..last).unwrap_or_default();
    matches!(tag, "<Response>" | "<Response/>")
        && between.trim_end().ends_with('>')
        && between.contains('<')
        && !text.contains("</Response")
}

/// Where the first of several documents ends, and the last, if all are the same but for their
/// declarations.
fn said_again(text: &str, roots: &[usize]) -> Option<(usize, usize)> {
    let starts = roots.iter().map(|&root| with_prolog(text, root)).skip(1);
    let ends: Vec<usize> = starts.chain([text.len()]).collect();
    let mut ended = Vec::new();
    for (&root, &end) in roots.iter().zip(&ends) {
        let (len, closed) = end_of_root(text.get(..end)?, root);
        let last = end == text.len();
        if !closed || (!last && !is_prolog(text.get(len..end)?)) {
            return None;
        }
        ended.push(len);
    }
    let mut documents = roots.iter().zip(&ended).map(|(&root, &end)| text.get(root..end));
    let first = documents.next()?;
    (documents.all(|other| other == first)).then_some((*ended.first()?, *ended.last()?))
}

/// More of a torn declaration than this is none.
const MAX_DECLARATION: usize = 200;

/// What stands before a document, without the torn declaration that it begins with: `<xml version="1.0"?>`, `< ?xml …?>`,
/// or one that lost its end.
fn without_torn_declaration(before: &str) -> &str {
    let after_declaration = || {
        let text = before.trim_start_matches(|c| is_blank(c) || c == '\u{feff}');
        let inner = text.strip_prefix('<')?;
        let named = inner.trim_start_matches(|c| is_blank(c) || c == '?');
        let rest = named.get(..3).filter(|name| name.eq_ignore_ascii_case("xml")).map(|_| named)?;
        let len = rest.find(['<', '>']).map_or(rest.len(), |at| {
            at + usize::from(rest.get(at..).is_some_and(|rest| rest.starts_with('>')))
        });
        let content = rest.get(3..len)?;
        let declares = content.starts_with(is_blank)
            && len <= MAX_DECLARATION
            && (content.contains("version") || content.contains("encoding"));
        declares.then(|| rest.get(len..)).flatten()
    };
    after_declaration().unwrap_or(before)
}

/// Where the root ends: behind its end tag, or behind its own `/>`; the text's end if it has none.
fn end_of_root(text: &str, root: usize) -> (usize, bool) {
    let is_end_tag =
        |tag: &str| tag.get(..10).is_some_and(|it| it.eq_ignore_ascii_case("</Response"));
    let rest = text.get(root..).unwrap_or_default();
    let tag = rest.find('>').map_or(rest.len(), |at| at + 1);
    if rest.get(..tag).is_some_and(|tag| tag.ends_with("/>")) {
        return (root + tag, true);
    }
    let mut at = rest.len();
    while let Some(found) = rest.get(..at).and_then(|rest| rest.rfind("</")) {
        at = found;
        if !rest.get(found..).is_some_and(is_end_tag) {
            continue;
        }
        let after = rest.get(found + 10..).unwrap_or_default();
        let blanks = after.len() - after.trim_start_matches(is_blank).len();
        if after.get(blanks..).is_some_and(|after| after.starts_with('>')) {
            let end = found + 10 + blanks + 1;
            // Of several in a row, with nothing but end tags between, the first one ends it.
            let before = rest.get(..found).unwrap_or_default();
            let first = before.rfind("</Response>").map(|at| at + 11);
            let first = first.filter(|&first| {
                before
                    .get(first..)
                    .is_some_and(|tags| !tags.trim().is_empty() && beside::is_left_over(tags))
            });
            return (root + first.unwrap_or(end), true);
        }
    }
    (text.len(), false)
}

enum Surroundings {
    Droppable { wrapped: bool },
    Quoting(String),
}

fn surroundings(before: &str, after: &str, document: &str) -> Surroundings {
    if before.trim_start_matches(|c: char| is_blank(c) || c == '\u{feff}').is_empty()
        && after.trim_matches(is_blank).is_empty()
    {
        return Surroundings::Droppable { wrapped: false };
    }
    let quotation = beside::quotes(before).or_else(|| beside::quotes(after));
    if let Some(why) = quotation.or_else(|| beside::introduces(before)) {
        return Surroundings::Quoting(why);
    }
    if [">\\n", ">\\r\\n", "<\\/", "\\u0"].iter().any(|mark| document.contains(mark)) {
        return Surroundings::Quoting("inside a string with escapes".to_owned());
    }
    let open = match open_elements(before) {
        Ok(open) => open,
        Err(inside) => return Surroundings::Quoting(format!("inside {inside}")),
    };
    let enclosing = enclosing(&open);
    if !enclosing.is_empty() {
        return if carries(before, after, &enclosing) {
            Surroundings::Droppable { wrapped: true }
        } else {
            Surroundings::Quoting(format!("inside <{}>", enclosing.join("><")))
        };
    }
    if is_in_a_sentence(before, after) {
        return Surroundings::Quoting("inside a sentence".to_owned());
    }
    match beside::holds_as_string(before, after, document)
        .or_else(|| beside::marks_lines(before, document))
    {
        Some(why) => Surroundings::Quoting(why),
        None => Surroundings::Droppable { wrapped: false },
    }
}

/// Whether words stand on both sides in the document's own lines: a text that speaks of it. What a
/// program prints stands before or behind, or in lines of its own.
fn is_in_a_sentence(before: &str, after: &str) -> bool {
    let has_words = |line: &str| !line.contains(['<', '>']) && line.split_whitespace().any(is_word);
    let goes_on = after.trim_start().starts_with(char::is_lowercase);
    let led = before.trim_end().rsplit('\n').next().filter(|line| beside::leads(line));
    has_words(before.rsplit('\n').next().unwrap_or_default())
        && has_words(after.split('\n').next().unwrap_or_default())
        || goes_on && led.is_some_and(has_words)
}

fn is_word(text: &str) -> bool {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    word.chars().count() > 1 && word.chars().all(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?>\n<Response><Say>x</Say></Response>";

    fn one(before: &str, after: &str) -> bool {
        let text = format!("{before}{DOCUMENT}{after}");
        matches!(locate(&text), Located::One(place) if text[place.document.clone()] == *DOCUMENT)
    }

    #[test]
    fn noise_around_one_document_is_droppable() {
        for (before, after) in [
            ("", ""),
            ("\n \n", "\n"),
            ("DEBUG: x < 3\n", ""),
            (
                "<br />\n<b>Notice</b>:  Undefined variable in <b>/srv/a.php</b> on line <b>3</b><br />\n",
                "",
            ),
            ("", "<script>track()</script>"),
            ("<!-- cached -->", "<!-- 12 ms -->"),
            ("🙂", ""),
            ("<head/>", ""),
            ("<html><body>", "</body></html>"),
            ("<pre>", "</pre>"),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n", ""),
            ("```xml\n", "\n```"),
        ] {
            assert!(
                one(before, after),
                "{before:?} {after:?} {:?}",
                locate(&format!("{before}{DOCUMENT}{after}"))
            );
        }
    }

    #[test]
    fn quotations_are_told() {
        for (before, after) in [
            ("<html><body><h1>Docs</h1><pre>", "</pre></body></html>"),
            ("<!-- ", " -->"),
            ("<script>var x='", "'</script>"),
            ("<textarea>", "</textarea>"),
            ("Traceback (most recent call last):\n", ""),
            ("", "<b>Fatal error</b>: Uncaught"),
            ("<a title=\"", "\">"),
            ("<div style=\"display:none\">", "</div>"),
            ("<html><head><title>Example</title></head><body>", "</body></html>"),
        ] {
            let text = format!("{before}{DOCUMENT}{after}");
            assert!(matches!(locate(&text), Located::Quoted(_)), "{text}");
        }
    }

    #[test]
    fn more_than_one_root_is_no_choice_of_ours() {
        let other = "<Response><Say>y</Say></Response>";
        assert_eq!(locate(&format!("{DOCUMENT}{other}")), Located::Several(2));
        assert_eq!(locate(&format!("{other}{other}{DOCUMENT}")), Located::Several(3));
        assert_eq!(locate(&format!("<Response>{other}{other}</Response>")), Located::Several(3));
        assert!(one("", DOCUMENT) && one("", &format!("\n{DOCUMENT}\n")));
        assert_eq!(locate("<Responses/>"), Located::Nowhere);
    }
}
