//! Elements around a document: a page, an envelope or a wrapper that only carries it, or one that shows it.

use super::beside;
use super::envelope;
use super::pages::visible_text;
use super::twiml::chars::name_len;

/// The open elements that say what the document inside them is.
pub fn enclosing(open: &[String]) -> Vec<&str> {
    let plain = |name: &&str| !matches!(*name, "p" | "li" | "b" | "font");
    open.iter().map(String::as_str).filter(plain).collect()
}

/// Whether elements only carry what stands inside them: a page that shows nothing else, or the
/// envelope of a web service.
pub fn carries(before: &str, after: &str, enclosing: &[&str]) -> bool {
    if enclosing.len() > MAX_ENCLOSING {
        return false;
    }
    let lower = before.to_ascii_lowercase();
    let plain = |name: &str| matches!(name, "html" | "body" | "pre") || is_bare_box(&lower, name);
    let code = enclosing.last() == Some(&"code") && enclosing.iter().rev().nth(1) == Some(&"pre");
    let boxes = enclosing.get(..enclosing.len() - usize::from(code)).unwrap_or_default();
    let page = boxes.iter().all(|name| plain(name));
    (page || is_wrapper(&lower, enclosing) || is_envelope(before, after, enclosing))
        && [before, after].iter().all(|part| {
            let shown = visible_text(without_plain_title(part));
            shown.chars().all(|c| c == '\u{feff}') && !beside::shows_more(part)
        })
}

/// More elements than this carry nothing.
const MAX_ENCLOSING: usize = 12;

/// Whether an element of a page is one without a word about what is in it.
fn is_bare_box(lower: &str, name: &str) -> bool {
    matches!(name, "div" | "span" | "center" | "main" | "section" | "article")
        && lower.contains(&format!("<{name}>"))
        && !lower.contains(&format!("<{name} "))
}

/// Whether elements without attributes have names that carry a document and nothing else.
fn is_wrapper(lower: &str, enclosing: &[&str]) -> bool {
    const WRAPPERS: [&str; 10] = [
        "root", "twilio", "document", "answer", "reply", "return", "value", "voice", "string",
        "text",
    ];
    let known = |name: &str| envelope::is_field(name) && name != "body" || WRAPPERS.contains(&name);
    let bare = |name: &&str| {
        lower.contains(&format!("<{name}>")) || lower.contains(&format!("<{name} xmlns"))
    };
    enclosing.iter().all(|name| known(name) && bare(name))
}

/// A page's head without a title that merely names what it is.
fn without_plain_title(part: &str) -> &str {
    const PLAIN: [&str; 40] = [
        "answer",
        "api",
        "app",
        "application",
        "call",
        "calls",
        "document",
        "gather",
        "handler",
        "home",
        "hook",
        "incoming",
        "index",
        "ivr",
        "main",
        "menu",
        "message",
        "messages",
        "messaging",
        "my",
        "outgoing",
        "page",
        "phone",
        "reply",
        "response",
        "service",
        "site",
        "sms",
        "title",
        "twilio",
        "twiml",
        "untitled",
        "voice",
        "webhook",
        "welcome",
        "xml",
        "inbound",
        "outbound",
        "the",
        "hello",
    ];
    let lower = part.to_ascii_lowercase();
    let Some(start) = lower.find("<title>") else { return part };
    let Some(end) = lower.find("</title>").filter(|end| *end > start) else { return part };
    let title = lower.get(start + 7..end).unwrap_or_default();
    let mut words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    // What stands before a title in a head shows nothing.
    let head = part.get(..start).unwrap_or_default();
    if words.all(|word| PLAIN.contains(&word)) && visible_text(head).is_empty() {
        part.get(end + 8..).unwrap_or_default()
    } else {
        part
    }
}

/// Whether markup around a text only carries it.
pub fn only_carries(before: &str, after: &str) -> bool {
    [before, after].iter().all(|part| beside::quotes(part).is_none())
        && open_elements(before).is_ok_and(|open| carries(before, after, &enclosing(&open)))
}

/// Whether the elements around a document are what carries an answer of a web service: a SOAP
/// envelope that tells of no fault, or ASP.NET's `<string>`.
fn is_envelope(before: &str, after: &str, enclosing: &[&str]) -> bool {
    let told = |text: &str| {
        let lower = text.to_ascii_lowercase();
        ["fault", "error", "exception"].iter().any(|word| lower.contains(word))
    };
    let tags = before.split('<').skip(1);
    let root =
        tags.map(|tag| tag.get(..name_len(tag)).unwrap_or_default()).find(|name| !name.is_empty());
    let local = root.and_then(|name| name.rsplit(':').next()).unwrap_or_default();
    let soap = local == "Envelope" && enclosing.len() > 1;
    let ends = after.trim_end().ends_with('>');
    ends && (soap || matches!(enclosing, ["string"])) && !told(before) && !told(after)
}

/// HTML elements that `before` leaves open, outermost first; an unclosed comment, script or
/// attribute value swallows the document.
pub fn open_elements(before: &str) -> Result<Vec<String>, &'static str> {
    let lower = before.to_ascii_lowercase();
    let mut open: Vec<String> = Vec::new();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..).unwrap_or_default();
        let (end, what) = if rest.starts_with("<!--") {
            ("-->", "a comment")
        } else if rest.starts_with("<![cdata[") {
            ("]]>", "a CDATA section")
        } else if rest.starts_with("<script") {
            ("</script>", "<script>")
        } else if rest.starts_with("<style") {
            ("</style>", "<style>")
        } else if rest.starts_with("<textarea") {
            ("</textarea>", "<textarea>")
        } else if rest.starts_with(|_| true)
            && rest.get(1..2).is_some_and(|next| {
                next.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
            })
        {
            (">", "a tag")
        } else {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        let Some(close) = rest.find(end) else { return Err(what) };
        let tag = rest.get(..close).unwrap_or_default();
        rest = rest.get(close + end.len()..).unwrap_or_default();
        if end == ">" {
            note_tag(&mut open, tag);
        }
    }
    Ok(open)
}

fn note_tag(open: &mut Vec<String>, tag: &str) {
    const VOID: [&str; 12] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr",
    ];
    let inner = tag.get(1..).unwrap_or_default();
    if inner.starts_with(['!', '?']) || inner.ends_with('/') {
        return;
    }
    let name = |text: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match inner.strip_prefix('/') {
        Some(closing) => {
            let closing = name(closing);
            if let Some(at) = open.iter().rposition(|element| *element == closing) {
                open.truncate(at);
            }
        }
        None if VOID.contains(&name(inner).as_str()) => {}
        None => open.push(name(inner)),
    }
}
