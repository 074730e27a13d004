//! Web pages: telling them, naming where they come from, and what they say.

use memchr::memmem;

use super::foreign::Foreign;

/// Whether a body is (the start or a piece of) a web page.
pub fn is_html(foreign: &Foreign<'_>) -> bool {
    let head = head(foreign.text);
    let start = head.trim_start();
    let page = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<title",
        "<h1",
        "<center",
        "<pre",
        "<div",
        "<p>",
        "<br",
        "<b>",
        "<script",
        "<table",
        "<font",
    ];
    page.iter().any(|mark| start.starts_with(mark))
        || head.contains("<!doctype html")
        || head.contains("<html")
        || (head.contains("<body") && head.contains("<h1"))
        || (foreign.content_type.essence() == "text/html"
            && ["<title", "<h1", "<p>", "<div", "<br", "<b>"]
                .iter()
                .any(|mark| head.contains(mark)))
}

/// Whether a page is the empty shell of a single-page app, served with a success status.
pub fn is_single_page_app(foreign: &Foreign<'_>) -> bool {
    if !foreign.status.is_success() || !is_html(foreign) {
        return false;
    }
    let text = foreign.text.to_ascii_lowercase();
    let mount =
        ["root", "app", "__next", "__nuxt", "svelte", "q-app", "ember-app"].iter().any(|id| {
            text.contains(&format!("id=\"{id}\""))
                || text.contains(&format!("id={id}>"))
                || text.contains(&format!("id='{id}'"))
        }) || text.contains("<app-root");
    mount && text.contains("<script")
}

/// What a page says: its title and first heading, else its first visible words; at most 200
/// characters on one line.
pub fn heading(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = element(text, &lower, "<title");
    let first = element(text, &lower, "<h1").filter(|heading| Some(heading) != title.as_ref());
    let said = match (title, first) {
        (Some(title), Some(heading)) => format!("{title} / {heading}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => visible_text(text),
    };
    match said.char_indices().nth(200) {
        Some((end, _)) => said.get(..end).unwrap_or_default().to_owned(),
        None => said,
    }
}

fn element(text: &str, lower: &str, tag: &str) -> Option<String> {
    let find = |from: usize, what: &str| {
        let at = memmem::find(lower.as_bytes().get(from..)?, what.as_bytes())?;
        Some(from + at)
    };
    let open = find(find(0, tag)?, ">")? + 1;
    let end = find(open, "</")?;
    let content = visible_text(text.get(open..end)?);
    (!content.is_empty()).then_some(content)
}

/// The text that a browser would show, blanks folded; scripts, styles, comments and tags left out.
pub fn visible_text(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        words.extend(rest.get(..at).unwrap_or_default().split_whitespace());
        let tag = rest.get(at..).unwrap_or_default();
        let lower = tag.get(..tag.len().min(8)).unwrap_or_default().to_ascii_lowercase();
        let end = if lower.starts_with("<!--") {
            "-->"
        } else if lower.starts_with("<script") {
            "</script>"
        } else if lower.starts_with("<style") {
            "</style>"
        } else {
            ">"
        };
        rest = find_ignoring_case(tag, end)
            .and_then(|found| tag.get(found + end.len()..))
            .unwrap_or_default();
    }
    words.extend(rest.split_whitespace());
    words.join(" ")
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    if needle.len() == 1 {
        return text.find(needle);
    }
    text.as_bytes()
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// The first 16 KiB in lower case.
pub(super) fn head(text: &str) -> String {
    let mut end = text.len().min(16 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_the_words_a_person_would_quote() {
        assert_eq!(heading("<html><title>500</title><h1>Oops  now</h1></html>"), "500 / Oops now");
        assert_eq!(heading("<p>just <b>this</b></p><script>x()</script>"), "just this");
    }
}
