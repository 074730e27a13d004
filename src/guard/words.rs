//! Telling prose from acknowledgements, JSON and the output of programs.

use std::sync::LazyLock;

use super::foreign::Foreign;
use super::marks::Marks;
use crate::twilio::Slot;

/// The first line that says something, at most 200 characters.
pub fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(200).collect()
}

/// The first bytes as text, at most 120 characters.
pub fn first_bytes(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(480)).unwrap_or_default())
        .chars()
        .take(120)
        .collect()
}

/// Whether a body is JSON: an object, an array or a string, whatever its type says; with a JSON
/// type, anything that parses.
pub fn is_json(foreign: &Foreign<'_>) -> bool {
    let text = foreign.text.trim();
    let typed = foreign.content_type.essence().ends_with("json");
    let shaped = text.starts_with(['{', '[', '"']);
    (typed || shaped) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        || typed && shaped
}

/// Whether a text is a bare acknowledgement that a program sends to a program.
pub fn is_acknowledgement(text: &str, slot: Slot) -> bool {
    let text = text.trim().trim_end_matches(['.', '!']).to_lowercase();
    // A person is answered so, too.
    let reply = slot == Slot::Messaging && matches!(text.as_str(), "yes" | "no");
    ACKNOWLEDGEMENTS.contains(&text.as_str()) && !reply
}

const ACKNOWLEDGEMENTS: [&str; 43] = [
    "ok",
    "okay",
    "200",
    "200 ok",
    "ok 200",
    "success",
    "successful",
    "succeeded",
    "accepted",
    "202 accepted",
    "queued",
    "received",
    "request received",
    "webhook received",
    "message received",
    "ack",
    "acknowledged",
    "done",
    "true",
    "false",
    "yes",
    "no",
    "1",
    "0",
    "null",
    "none",
    "nil",
    "undefined",
    "created",
    "201 created",
    "submitted",
    "submitted successfully",
    "processed",
    "no content",
    "it works",
    "event received",
    "event_received",
    "message queued",
    "message sent",
    "sent",
    "pong",
    "alive",
    "healthy",
];

/// Whether a whole text is nobody's greeting: what servers say in place of an answer, an object that
/// nobody turned into text, or escaped markup.
pub fn is_for_programs(text: &str) -> bool {
    let whole = text.trim();
    let gap = placeholder(whole).and_then(|gap| gap.chars().nth(1));
    is_refusal(whole)
        || is_printed_object(whole)
        || whole.contains("&lt;Response")
        || gap.is_some_and(|c| c.is_ascii_lowercase())
}

/// The line that gives away the output of a program, if there is one.
pub fn smells_of_a_program(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lower_marks = lines.find(|line| {
        let lower = line.to_lowercase();
        PROGRAMS.is_any_in(&lower)
            || has_file_and_line(line)
            || formatted_gap(line)
            || names_an_exception(line)
    });
    lower_marks.map(|line| {
        line.char_indices().nth(200).map_or(line, |(at, _)| line.get(..at).unwrap_or(line))
    })
}

/// Whether a whole text is what servers and frameworks say in place of an answer.
fn is_refusal(text: &str) -> bool {
    const REFUSALS: [&str; 23] = [
        "access denied",
        "application error",
        "array",
        "bad request",
        "default backend - 404",
        "err",
        "error",
        "failed",
        "failure",
        "file not found",
        "forbidden",
        "invalid request",
        "invalid signature",
        "nan",
        "nginx error",
        "no healthy upstream",
        "not found",
        "request timeout",
        "timeout",
        "too many requests",
        "twilio request validation failed",
        "unauthorized",
        "upstream connect error or disconnect/reset before headers",
    ];
    // What a framework's page says to whoever opened it.
    const APOLOGIES: [&str; 4] = ["whoops", "oops", "an error occurred", "an error has occurred"];
    let text = text.trim_end_matches(['.', '!']).to_lowercase();
    REFUSALS.contains(&text.as_str())
        || APOLOGIES.iter().any(|start| text.starts_with(start))
        || text.contains("something went wrong")
}

/// Whether a whole text is how a language prints an object that nobody turned into text.
fn is_printed_object(text: &str) -> bool {
    let bracketed = text.starts_with('<') && text.ends_with('>') && !text.contains(['/', '?']);
    let java = text.rsplit_once('@').is_some_and(|(class, hash)| {
        class.contains('.')
            && !text.contains(char::is_whitespace)
            && hash.len() >= 6
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
    });
    let dotted = text.split('.').count() > 2
        && text.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_uppercase())
                && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    bracketed
        || java
        || dotted
        || text.starts_with("#<")
        || text.starts_with("[object ")
        || text.starts_with("Resource id #")
        || text.starts_with("map[")
        || text.ends_with("Response {}")
}

/// Longer words than this are nobody's, unless they are URLs.
const LONGEST_WORD: usize = 120;

/// A word that is something encoded, if there is one.
pub fn packed(text: &str) -> Option<&str> {
    let packed =
        |word: &&str| word.len() > LONGEST_WORD && word.is_ascii() && !word.contains("://");
    text.split_whitespace().find(packed).and_then(|word| word.get(..LONGEST_WORD))
}

static PROGRAMS: LazyLock<Marks> = LazyLock::new(|| Marks::new(MARKS));

/// In lower case; each is found in no sentence that one would speak to a caller.
pub(super) const MARKS: [&str; 62] = [
    "traceback (most recent call last)",
    "fatal error",
    "parse error:",
    "uncaught ",
    "unhandled exception",
    "unhandledpromiserejection",
    "stack trace",
    "stacktrace",
    "segmentation fault",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "gateway time-out",
    "undefined variable",
    "undefined index",
    "deprecationwarning",
    "errno",
    "econnrefused",
    "etimedout",
    "enotfound",
    "syntaxerror",
    "typeerror",
    "referenceerror",
    "nullpointerexception",
    "sqlstate",
    "sql syntax",
    "psycopg",
    "could not connect to server",
    "connection refused",
    "<?php",
    "<%",
    "{{",
    "{%",
    "</",
    "/>",
    "<br",
    "<html",
    "<!doctype",
    "${",
    "#{",
    "panic: ",
    "goroutine ",
    "exception in thread ",
    "ora-0",
    "error ts",
    "curl: (",
    "#!/",
    "undefined offset",
    "is not a function",
    "object reference not set",
    "no route matches",
    "[object object]",
    "cannot get /",
    "cannot post /",
    "method not allowed",
    "csrf",
    "permission denied",
    "not found: /",
    "select * from ",
    "missing parameter:",
    "lorem ipsum",
];

/// A gap `%s` or `%(name)s` that nobody filled.
fn formatted_gap(line: &str) -> bool {
    line.match_indices('%')
        .filter_map(|(at, _)| line.get(at..))
        .any(|rest| formatted(rest).is_some())
}

/// Endings of source files.
pub(super) const ENDINGS: [&str; 12] =
    [".py", ".php", ".rb", ".js", ".ts", ".java", ".go", ".cs", ".rs", ".ex", ".pl", ".kt"];

/// What the last word of an exception's name ends with.
pub(super) const EXCEPTIONS: [&str; 4] = ["Error", "Exception", "Fault", "ERROR"];

/// `file.py:12`, `File "x.py", line 3`, `x.php on line 7`.
fn has_file_and_line(line: &str) -> bool {
    // Most lines have no full stop amid them.
    line.contains('.')
        && ENDINGS.iter().any(|ending| {
            line.match_indices(ending)
                .any(|(at, _)| is_number_of_line(line.get(at + ending.len()..).unwrap_or_default()))
        })
}

/// Whether the number of a line stands behind a file's name.
pub(super) fn is_number_of_line(after: &str) -> bool {
    let after = after.trim_start_matches(['"', '\'', ')', ',', '(', ':', ' ']);
    let after = after.strip_prefix("on ").unwrap_or(after);
    let after = after.strip_prefix("line ").unwrap_or(after);
    after.starts_with(|c: char| c.is_ascii_digit())
}

/// `ValueError: …`, `java.lang.IllegalStateException: …`, `Error: …`.
fn names_an_exception(line: &str) -> bool {
    let Some((head, _)) = line.split_once(':') else {
        return line.split_whitespace().count() == 1 && is_exception_word(line);
    };
    if line.starts_with("ERROR ") || is_qualified(head) {
        return true;
    }
    head.split_whitespace().last().is_some_and(is_exception_word)
        && head.split_whitespace().count() <= 3
}

/// `com.example.jdbc.Driver`: a class with its package.
fn is_qualified(text: &str) -> bool {
    let mut parts = text.split('.').rev();
    parts.next().is_some_and(|class| class.starts_with(|c: char| c.is_ascii_uppercase()))
        && text.split('.').count() > 2
        && parts.all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

fn is_exception_word(word: &str) -> bool {
    let word = word.trim_end_matches(['.', '!']);
    let [error, exception, fault, whole] = EXCEPTIONS;
    (word.ends_with(error) || word.ends_with(exception) || word.ends_with(fault) || word == whole)
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '\\'))
}

/// The first gap of a template that nobody filled: `{name}`, `{{name}}`, `${name}`, `%(name)s`,
/// `%s`. Braces around anything but a name are data.
pub fn placeholder(text: &str) -> Option<&str> {
    let marks = memchr::memchr2_iter(b'{', b'%', text.as_bytes());
    marks.filter_map(|at| text.get(at..)).find_map(|rest| {
        let len = braced(rest).or_else(|| formatted(rest))?;
        rest.get(..len)
    })
}

/// The length of `{name}` at the start of a text.
fn braced(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('{')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ' ');
    let name = inner.get(..inner.find(|c| !is_part(c))?)?;
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' '));
    let filled = !name.trim().is_empty() && name.split_whitespace().count() == 1;
    (named && filled && inner.get(name.len()..)?.starts_with('}')).then_some(name.len() + 2)
}

/// The length of `%s` or `%(name)s` at the start of a text: no byte of a URL is escaped so.
fn formatted(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('%')?;
    let len = if let Some(named) = inner.strip_prefix('(') {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = named.find(|c| !is_part(c)).filter(|&len| len > 0)?;
        named.get(name..)?.strip_prefix(')')?.starts_with(['s', 'd']).then_some(name + 4)?
    } else {
        inner.starts_with('s').then_some(2)?
    };
    let after = rest.get(len..)?.chars().next();
    after.is_none_or(|c| !c.is_alphanumeric()).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_nobodys_greeting() {
        for text in ["OK", " ok\n", "Success!", "queued", "Submitted successfully!", "1"] {
            assert!(is_acknowledgement(text, Slot::Voice), "{text}");
        }
        for text in ["Ok, please hold the line.", "Your order is done and on its way", "Thank you"]
        {
            assert!(!is_acknowledgement(text, Slot::Voice), "{text}");
        }
    }

    #[test]
    fn a_reply_is_one_on_messaging() {
        assert!(is_acknowledgement("Yes", Slot::Voice));
        assert!(!is_acknowledgement("Yes", Slot::Messaging));
        assert!(is_acknowledgement("OK", Slot::Messaging));
    }

    #[test]
    fn programs_are_smelled() {
        for text in [
            "Traceback (most recent call last):\n  File",
            "ValueError: bad",
            "Error: connect ECONNREFUSED",
            "at app.js:12:3",
            "in /srv/app.php on line 7",
            "Hello {{ name }}",
            "java.lang.NullPointerException: x",
            "  File \"a.py\", line 3",
            "KeyError",
            "Dear ${name}",
            "Hello %s",
        ] {
            assert!(smells_of_a_program(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_programs_say_to_programs_is_told() {
        for text in [
            "Forbidden",
            "[object Promise]",
            "com.twilio.twiml.VoiceResponse@1b6d3586",
            "Twilio.TwiML.VoiceResponse",
            "<VoiceResponse object at 0x7f1c>",
            "&lt;Response&gt;",
        ] {
            assert!(is_for_programs(text), "{text}");
        }
        for text in ["Forbidden City tours start at ten.", "Mr. Smith. Dr. Jones.", "a@b.example"] {
            assert!(!is_for_programs(text), "{text}");
        }
    }

    #[test]
    fn prose_is_not() {
        for text in [
            "Thank you for calling. Press 1 for sales: our team is waiting.",
            "שלום, הגעתם למרפאה.",
            "Hours: 9 to 5. Closed on Sunday.",
            "Your code is 1234.",
            "Notice: this call may be recorded.",
            "Sorry, an error occurred. Please call again later.",
            "Forbidden City tours start at ten.",
            "Your code is not found on the receipt; 100%sure",
            "We have noticed a warning sign. An error occurred to nobody.",
        ] {
            assert_eq!(smells_of_a_program(text), None, "{text}");
        }
    }

    #[test]
    fn gaps_of_templates_are_told_from_data() {
        for text in [
            "/status?sid={call_sid}",
            "https://{{ host }}/a",
            "https://${HOST}/a",
            "/a/{0}",
            "/a/%s",
            "/a/%s?b=c",
            "/a/%(sid)s",
            "#{sid}",
        ] {
            assert!(placeholder(text).is_some(), "{text}");
        }
        for text in [
            "/a?b=%7Bsid%7D",
            "{}",
            "{\"a\":{\"b\":1}}",
            "{&quot;a&quot;: 1}",
            "100%sure",
            "5%",
            "%20s",
            "{a, b}",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "{hold the line}",
            "{",
            "%",
            "%(",
        ] {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }
}
