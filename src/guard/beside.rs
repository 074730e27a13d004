//! What stands beside a document: junk to drop, or words that make the document a quotation.

use super::envelope;
use super::mend::is_nearly;
use super::twiml::chars::name_len;
use super::twiml::grammar;
use super::words;

/// Words of programs that failed: what they print beside is what they stumbled over.
const FAILURES: [&str; 16] = [
    "traceback (most recent call last)",
    "fatal error",
    "parse error",
    "uncaught ",
    "unhandled exception",
    "stack trace",
    "internal server error",
    "bad gateway",
    "exception:",
    "panic:",
    "panicked at",
    "segmentation fault",
    "command not found",
    "throw new ",
    "died at ",
    "exception in thread ",
];

/// Marks of templates and sources that nobody ran, of patches and of mail.
const FOREIGN: [&str; 10] =
    ["<?php", "<?=", "<%", "{{", "{%", "{#", "\nfrom flask ", "diff --git", "\n@@ -", "\nsubject:"];

/// Words of a text that speaks of a document.
const SPEAKING: [&str; 12] = [
    "example",
    "sample",
    "usage",
    "should",
    "must",
    "expected",
    "instead",
    "todo",
    "deprecated",
    "subject",
    "like",
    "invalid",
];

/// The same in the line that goes on with the document.
const LEADING: [&str; 11] = [
    "return", "would", "send", "sending", "insert", "echo", "could", "cannot", "unable", "failed",
    "not",
];

/// The same in any line before the document.
const FAILED: [&str; 4] = ["failed", "cannot", "unable", "couldn't"];

/// Why the text on one side of a document makes it a quotation; `None` for what may be dropped.
pub fn quotes(part: &str) -> Option<String> {
    let lower = part.to_lowercase();
    let marks = FAILURES.iter().chain(&FOREIGN);
    if let Some(mark) = marks.copied().find(|mark| lower.contains(mark)) {
        return Some(format!("beside `{}`", mark.trim()));
    }
    if let Some(line) = part.lines().find(|line| tells_of_failure(line)) {
        return Some(format!("beside `{}`", words::first_line(line)));
    }
    if is_left_over(part) {
        return None;
    }
    twiml_beside(part).map(|name| format!("beside another `{name}`"))
}

/// A text without the source of PHP that it begins with, where that only prepares what follows: it was not run, and
/// decides nothing.
pub fn without_source(part: &str) -> &str {
    const DECISIONS: [&str; 8] =
        ["if", "else", "for", "while", "switch", "function", "echo", "return"];
    let text = part.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let short = || text.strip_prefix("<?").filter(|rest| rest.starts_with(char::is_whitespace));
    let Some(source) = text.strip_prefix("<?php").or_else(short) else { return part };
    let (source, rest) = source.split_once("?>").unwrap_or((source, ""));
    let decides = source.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        DECISIONS.contains(&word.trim_start_matches("end")) || word.starts_with("foreach")
    });
    let says_nothing = source.trim().is_empty() || text.contains("?>");
    let empty = source.trim().trim_end_matches(';').trim() == "echo ''";
    if (!decides || empty) && says_nothing { rest } else { part }
}

/// Whether what follows `<Response` is how a client of HTTP prints an answer that succeeded: `<Response [200]>`.
pub fn is_printed_status(after: &str) -> bool {
    after.trim_start().strip_prefix("[2").is_some_and(|rest| {
        rest.get(2..).is_some_and(|end| end.starts_with("]>"))
            && rest.bytes().take(2).all(|b| b.is_ascii_digit())
    })
}

/// A text without the answer printed so that it begins with.
pub fn without_printed_status(part: &str) -> &str {
    let printed =
        part.trim_start().strip_prefix("<Response").filter(|after| is_printed_status(after));
    printed.and_then(|after| after.split_once('>')).map_or(part, |(_, rest)| rest)
}

/// Why what is said just before a document makes it a quotation.
pub fn introduces(before: &str) -> Option<String> {
    let told = before.trim_end();
    let told = told.rsplit_once("\n```").map_or(told, |(told, _)| told).trim_end();
    let paragraph = told.rsplit("\n\n").next().unwrap_or_default();
    let spoken = paragraph.lines().find(|line| says(line, &SPEAKING));
    // The line that goes on with the document, or announces it.
    let line = before.rsplit('\n').next().filter(|line| !line.trim().is_empty());
    let line = line.or_else(|| told.lines().last().filter(|line| line.ends_with(':')));
    let line = line.unwrap_or_default();
    let leading = says(line, &LEADING) || matches!(line.trim(), "+" | "-") || is_logged(line);
    let shell = before.lines().find(|line| line.starts_with("$ ") || line.starts_with("@@ -"));
    let failed = before.lines().find(|line| says(line, &FAILED));
    let seen = spoken.or(leading.then_some(line)).or(shell).or(failed)?;
    Some(format!("behind `{}`", words::first_line(seen)))
}

/// Whether a line has one of the words, and is no notice: that names whatever the backend's sources hold.
fn says(line: &str, words: &[&str]) -> bool {
    let is_notice =
        line.contains(" on line ") || line.contains("Warning: ") || line.contains(['<', '>']);
    let said = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        words.contains(&word.as_str())
    };
    !is_notice && line.split_whitespace().any(said)
}

/// Whether a line says what is done with what follows it.
pub fn leads(line: &str) -> bool {
    says(line, &LEADING)
}

/// Whether a line is one of a log: it begins with a date or a level.
fn is_logged(line: &str) -> bool {
    const LEVELS: [&str; 7] = ["INFO", "DEBUG", "WARN", "WARNING", "ERROR", "TRACE", "FATAL"];
    let line = line.trim_start_matches(['[', '(']);
    let digits = line.bytes().take(10).map(|b| if b.is_ascii_digit() { b'0' } else { b });
    let shape: Vec<u8> = digits.collect();
    let word = line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    shape == b"0000-00-00" || shape == b"0000/00/00" || LEVELS.contains(&word)
}

/// `TypeError: …`, `NoMethodError (…`, a lone `Error`, or the head of an answer that failed, or of a
/// request.
fn tells_of_failure(line: &str) -> bool {
    let line = line.trim();
    let line = line.trim_start_matches('[');
    let names_status = line.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("status:"));
    let code = match line.get(7..).filter(|_| names_status) {
        Some(rest) => rest.split_whitespace().next(),
        None => line.strip_prefix("HTTP/").and_then(|rest| rest.split_whitespace().nth(1)),
    };
    let failed = code.is_some_and(|code| code.starts_with(['3', '4', '5']));
    let request = line.contains(" HTTP/") && !line.contains('"');
    // What a server logged of a request.
    let logged = line.rsplit_once("\" ").and_then(|(_, rest)| rest.split_whitespace().next());
    let failed = failed || logged.is_some_and(|code| code.len() == 3 && code.starts_with('5'));
    let word = line
        .split(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | '(' | ')' | ']'))
        .find(|w| !w.is_empty());
    let bare = word.is_some_and(|word| word.eq_ignore_ascii_case("error"));
    let named = line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        ["Error", "Exception"].iter().any(|end| {
            word.strip_suffix(end).is_some_and(|kind| {
                kind.len() > 1 && kind.starts_with(|c: char| c.is_ascii_uppercase())
            })
        })
    });
    failed || request || bare || named
}

/// Why quotes around a document make it a string of some program: something is escaped in it, or
/// source code stands around it. An object with quotes that nobody escaped is a broken wrapping.
pub fn holds_as_string(before: &str, after: &str, document: &str) -> Option<String> {
    let is_quote = |c: &char| matches!(c, '"' | '\'' | '`');
    let quote = before.trim_end().chars().last().filter(is_quote)?;
    if !after.trim_start().starts_with(quote) {
        return None;
    }
    if document.contains('\\') {
        return Some("inside a string with escapes".to_owned());
    }
    let is_object = before.trim_start().starts_with('{');
    let faulty =
        envelope::says_fault(before) || envelope::says_fault(after) || before.contains("false");
    let has_words = |part: &str| part.contains(char::is_alphanumeric);
    let source =
        if is_object { faulty || has_words(after) } else { has_words(before) || has_words(after) };
    source.then(|| "inside a string of a program".to_owned())
}

/// Why what stands before each line of a document makes it a comment, a quotation or a listing.
pub fn marks_lines(before: &str, document: &str) -> Option<String> {
    const COMMENTS: [&str; 11] = ["#", "//", ";", "--", "%", ">", "/*", "*", "|", "rem", "'"];
    let line = before.rsplit('\n').next().unwrap_or_default();
    let mark = line.trim();
    // A lone sign that touches the document is what a program printed too much.
    let apart = mark.len() > 1 || mark == "#" || line.ends_with(char::is_whitespace);
    let comments = apart && COMMENTS.iter().any(|comment| mark.eq_ignore_ascii_case(comment));
    let shape = |text: &str| -> Vec<char> {
        text.chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .take(mark.chars().count())
            .collect()
    };
    let mut lines = document.trim_end().lines().skip(1).peekable();
    // A `<` begins every line of a document.
    let repeated = !mark.is_empty()
        && mark != "<"
        && lines.peek().is_some()
        && lines.all(|line| shape(line.trim_start()) == shape(mark));
    let opened = before.trim_end().ends_with("/*");
    (comments || repeated || opened)
        .then(|| format!("behind `{}`", words::first_line(before.trim())))
}

/// Whether a text is nothing but end tags: what they would end is ended already.
pub fn is_left_over(part: &str) -> bool {
    let mut rest = part.trim();
    while let Some(tag) = rest.strip_prefix("</") {
        let Some(after) =
            tag.get(name_len(tag)..).and_then(|after| after.trim_start().strip_prefix('>'))
        else {
            return false;
        };
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// The name of a tag of TwiML, as markup or escaped: another document, or a piece of one.
fn twiml_beside(part: &str) -> Option<&str> {
    let raw = memchr::memchr_iter(b'<', part.as_bytes()).map(|at| at + 1);
    let escaped = memchr::memmem::find_iter(part.as_bytes(), b"&lt;").map(|at| at + 4);
    raw.chain(escaped).find_map(|at| {
        let inner = part.get(at..)?.trim_start_matches('/');
        let name = inner.get(..name_len(inner))?;
        let name = name.rsplit_once(':').map_or(name, |(_, local)| local);
        let root = name.eq_ignore_ascii_case("response")
            || name.starts_with('R')
                && !name.starts_with("Response")
                && is_nearly(name, "Response");
        (root || grammar::allows("Response", name)).then_some(name)
    })
}

/// Whether a page around a document shows or does more than the document: pictures, forms, or a
/// way to another page.
pub fn shows_more(part: &str) -> bool {
    const SHOWN: [&str; 9] = [
        "<img",
        "<input",
        "<form",
        "<button",
        "<iframe",
        "<video",
        "<canvas",
        "<select",
        "http-equiv=\"refresh",
    ];
    let lower = part.to_ascii_lowercase();
    SHOWN.iter().any(|mark| lower.contains(mark))
        || lower.contains("<script") && lower.contains("location")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_templates_and_other_twiml_make_a_quotation() {
        for part in [
            "TypeError: x is undefined\n    at /srv/app.js:3:4\n",
            "NoMethodError (undefined method `x'):\n",
            "org.xml.sax.SAXParseException; lineNumber: 1; ",
            "Error\n",
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "POST /voice HTTP/1.1\r\n",
            "{% extends \"base.xml\" %}",
            "<Say>Hi</Say>",
            "&lt;Response&gt;&lt;/Response&gt;",
            "<response/>",
            "<a:Response/>",
            "<Respone/>",
        ] {
            assert!(quotes(part).is_some(), "{part}");
        }
    }

    #[test]
    fn junk_is_none() {
        for part in [
            "debug: call received\n",
            "DEBUG: x < 3\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n",
            "<br />\n<b>Notice</b>:  Undefined index: From in <b>/srv/a.php</b> on line <b>12</b><br />\n",
            "Warning: Undefined variable $return in /srv/a.php on line 3\n",
            "<b>Warning</b>: Cannot modify header information - headers already sent in <b>/srv/a.php</b> on line <b>3</b><br />\n",
            "Sending TwiML\n",
            "127.0.0.1 - - \"POST /voice HTTP/1.1\" 200\n",
            "<script>track()</script>",
            "<!-- 12 ms -->",
            "done",
            "```xml\n",
        ] {
            assert_eq!(quotes(part).or_else(|| introduces(part)), None, "{part}");
        }
    }

    #[test]
    fn a_string_of_a_program_and_a_comment_are_no_answers() {
        let document = "<Response><Say>x</Say></Response>";
        for (before, after) in
            [("x = \"", "\""), ("{\"error\":\"x\",\"twiml\":\"", "\"}"), ("{'a': '", "', 'b': 1}")]
        {
            assert!(holds_as_string(before, after, document).is_some(), "{before}");
        }
        for (before, after) in
            [("\"", "\""), ("{\"ok\":true,\"twiml\":\"", "\"}"), ("{'twiml': '", "'}")]
        {
            assert_eq!(holds_as_string(before, after, document), None, "{before}");
        }
        for (before, document) in [
            ("# ", document),
            ("/*\n", document),
            ("1: ", "<Response>\n2: <Hangup/>\n3: </Response>"),
        ] {
            assert!(marks_lines(before, document).is_some(), "{before}");
        }
        assert_eq!(marks_lines("1: ", document), None);
        assert_eq!(marks_lines("debug\n", "<Response>\n</Response>"), None);
    }

    #[test]
    fn a_text_that_speaks_of_a_document_introduces_it() {
        for part in [
            "Could not render template: ",
            "Return TwiML like:\n\n",
            "# Example\n\n```xml\n",
            "2026-01-01 12:00:00 INFO ",
            "--- a\n+++ b\n+",
            "INFO: body: ",
            "$ curl /voice\n",
        ] {
            assert!(introduces(part).is_some(), "{part}");
        }
    }
}
