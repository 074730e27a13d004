//! Draws the place of a finding: the lines around it, invisible bytes made visible.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::cli::text::{COLUMNS, columns, lines};
use crate::guard::Finding;
use crate::guard::causes::Level as CauseLevel;
use crate::guard::explain::one_line;
use crate::telemetry::visible::{visible, visible_bounded};

/// Lines shown before and after the one in question.
const AROUND: usize = 2;
/// Columns shown before and after the place in a long line.
const REACH: usize = 40;
/// Columns of a line's number, the bar, and the mark with its blanks.
const GUTTER: usize = 14;

/// A finding with its place, notes and remedy; ends in a line end.
pub(in crate::cli) fn finding(
    finding: &Finding,
    body: &[u8],
    notes: &[String],
    fix: &str,
) -> String {
    let cause = finding.cause;
    let level = match cause.level {
        CauseLevel::Fault => Level::ERROR,
        CauseLevel::Warning => Level::WARNING,
    };
    let place = finding.place.map(|place| format!(" at {place}")).unwrap_or_default();
    let title = format!("{}{place}", cause.explain.trim_end_matches('.'));
    let title = within(&title, "warning[]: ".len() + cause.slug.len());
    let fix = within(fix, "    = fix: ".len());
    let notes: Vec<_> = notes.iter().map(|note| within(note, "    = ".len())).collect();
    let evidence = visible_bounded(&one_line(&finding.evidence), 72);
    let seen = within(&evidence, "    = seen: ".len());
    let window = finding.place.and_then(|place| Window::around(body, place.offset));
    let mut unsaid = window.is_none();
    let mut group = Group::with_title(level.primary_title(title.as_str()).id(cause.slug));
    if let Some(window) = &window {
        let span = AnnotationKind::Primary.span(window.start..window.end);
        // Evidence that is but the line itself can be read above the mark.
        let said = finding
            .evidence
            .lines()
            .next()
            .is_some_and(|line| window.text.contains(visible(line.trim()).as_ref()));
        let fits = window.columns_before() + columns(&evidence) <= COLUMNS - GUTTER;
        let label = !said && fits;
        unsaid = !said && !fits;
        let span = if label { span.label(evidence.as_str()) } else { span };
        group = group.element(
            Snippet::source(window.text.as_str())
                .line_start(window.first_line)
                .fold(false)
                .annotation(span),
        );
    }
    if unsaid && !evidence.is_empty() {
        group = group.element(Level::NOTE.with_name("seen").message(seen.as_str()));
    }
    for note in &notes {
        group = group.element(Level::NOTE.with_name(None::<&str>).message(note.as_str()));
    }
    group = group.element(Level::HELP.with_name("fix").message(fix.as_str()));
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(COLUMNS);
    renderer.render(&[group]) + "\n"
}

/// The text broken into lines that leave so many columns free.
fn within(text: &str, free: usize) -> String {
    lines(text, COLUMNS.saturating_sub(free)).join("\n")
}

/// The lines around a place as they are printed, and where in them the place is.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    text: String,
    first_line: usize,
    start: usize,
    end: usize,
}

impl Window {
    /// `None` for an empty body. Offsets past the end mean the end.
    fn around(body: &[u8], offset: usize) -> Option<Self> {
        if body.is_empty() {
            return None;
        }
        let offset = offset.min(body.len());
        let lines = line_ranges(body);
        let line = lines.iter().rposition(|range| range.start <= offset)?;
        let first = line.saturating_sub(AROUND);
        let last = (line + AROUND).min(lines.len() - 1);
        let mut window = Self { text: String::new(), first_line: first + 1, start: 0, end: 0 };
        for (index, range) in lines.iter().enumerate().take(last + 1).skip(first) {
            let bytes = body.get(range.clone()).unwrap_or_default();
            if index > first {
                window.text.push('\n');
            }
            if index == line {
                window.push_marked(bytes, offset - range.start);
            } else {
                window.text.push_str(&clipped_end(bytes, 2 * REACH));
            }
        }
        Some(window)
    }

    /// Columns of the marked line up to the mark.
    fn columns_before(&self) -> usize {
        let before = self.text.get(..self.start).unwrap_or_default();
        before.rsplit('\n').next().map_or(0, columns)
    }

    fn push_marked(&mut self, line: &[u8], offset: usize) {
        let offset = offset.min(line.len());
        let (before, rest) = line.split_at(offset);
        let here = first_char(rest);
        let (here, after) = rest.split_at(here);
        self.text.push_str(&clipped_start(before, REACH));
        self.start = self.text.len();
        self.text.push_str(&shown(here));
        self.end = self.text.len();
        if line.is_empty() {
            // Something to mark: an empty line at the end is taken for the end of the one before.
            self.text.push(' ');
        }
        let before = self.columns_before().min(REACH);
        self.text.push_str(&clipped_end(after, 2 * REACH - before));
    }
}

/// Ranges of the lines without their ends; never empty.
fn line_ranges(body: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', body) {
        ranges.push(start..end);
        start = end + 1;
    }
    if start < body.len() || ranges.is_empty() {
        ranges.push(start..body.len());
    }
    ranges
}

fn shown(bytes: &[u8]) -> String {
    visible(&String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes))).into()
}

/// The end of a text that fits so many columns as it is shown.
fn clipped_start(bytes: &[u8], reach: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept = fitting(text.chars().rev(), reach);
    let start = text.len() - kept;
    let mark = if start > 0 { "…" } else { "" };
    format!("{mark}{}", visible(text.get(start..).unwrap_or_default()))
}

/// The beginning of a text that fits so many columns as it is shown.
fn clipped_end(bytes: &[u8], reach: usize) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text =
        String::from_utf8_lossy(bytes.get(..bytes.len().min(4 * reach + 4)).unwrap_or(bytes));
    let kept = fitting(text.chars(), reach);
    let mark = if kept < text.len() { "…" } else { "" };
    format!("{}{mark}", visible(text.get(..kept).unwrap_or_default()))
}

/// Bytes of the first characters that fit so many columns as they are shown.
fn fitting(chars: impl Iterator<Item = char>, reach: usize) -> usize {
    let mut buffer = [0; 4];
    let mut used = 0;
    let mut kept = 0;
    for c in chars {
        used += columns(&visible(c.encode_utf8(&mut buffer)));
        if used > reach {
            break;
        }
        kept += c.len_utf8();
    }
    kept
}

/// Length of the first character; 1 for a byte that begins none.
fn first_char(bytes: &[u8]) -> usize {
    let head = bytes.get(..bytes.len().min(4)).unwrap_or(bytes);
    match std::str::from_utf8(head) {
        Ok(text) => text.chars().next().map_or(0, char::len_utf8),
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default())
                .ok()
                .and_then(|text| text.chars().next())
                .map_or(1, char::len_utf8)
        }
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(body: &[u8], offset: usize) -> (usize, String, String) {
        let window = Window::around(body, offset).unwrap();
        let marked = window.text[window.start..window.end].to_owned();
        (window.first_line, marked, window.text)
    }

    #[test]
    fn the_character_at_the_offset_is_marked() {
        let (first, mark, text) = marked(b"one\ntwo\nthree\nfour\nfive\nsix", 10);
        assert_eq!((first, mark.as_str()), (1, "r"));
        assert_eq!(text, "one\ntwo\nthree\nfour\nfive");
    }

    #[test]
    fn invisible_characters_are_marked_as_they_are_shown() {
        let (_, mark, text) = marked("\u{feff}<Response/>".as_bytes(), 0);
        assert!(mark.contains("FEFF") || mark.contains("BOM"), "{mark}");
        assert!(text.ends_with("<Response/>"));
    }

    #[test]
    fn characters_of_several_bytes_are_kept_whole() {
        assert_eq!(marked("é<שלום".as_bytes(), 2).1, "<");
        assert_eq!(marked("é<שלום".as_bytes(), 3).1, "ש");
    }

    #[test]
    fn long_lines_are_clipped_around_the_place() {
        let body = format!("{}&{}", "a".repeat(5_000), "b".repeat(5_000));
        let (_, mark, text) = marked(body.as_bytes(), 5_000);
        assert_eq!(mark, "&");
        assert!(text.chars().count() < 130, "{text}");
    }

    #[test]
    fn the_end_and_beyond_are_places_too() {
        for offset in [11, 12, 500] {
            assert!(marked(b"<Response>\n", offset).1.is_empty());
        }
        assert_eq!(Window::around(b"", 0), None);
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_wider_than_the_screen(
            body in "[a-z <>\n\u{feff}\u{a0}\u{1b}🙂ש]{0,300}", offset in 0..400_usize, evidence: String,
        ) {
            let cause = crate::guard::causes::by_slug("text-before").unwrap();
            let found = Finding::new(cause, evidence).at(body.as_bytes(), offset);
            let drawn = finding(&found, body.as_bytes(), &["note ".repeat(60)], &"fix".repeat(60));
            for line in anstream::adapter::strip_str(&drawn).to_string().lines() {
                prop_assert!(columns(line) <= COLUMNS, "{}", line);
            }
        }
    }

    #[test]
    fn an_empty_last_line_is_marked_itself() {
        let cause = crate::guard::causes::by_slug("text-before").unwrap();
        let found = Finding::new(cause, "seen").at(b"one\n\n", 4);
        let drawn = finding(&found, b"one\n\n", &[], "fix");
        let plain = anstream::adapter::strip_str(&drawn).to_string();
        let mut below = plain.lines().skip_while(|line| !line.starts_with("2 |"));
        let mark = below.nth(1).unwrap_or_default();
        assert_eq!(mark.trim_start_matches([' ', '|']), "^ seen", "{plain}");
    }

    #[test]
    fn broken_utf_8_is_drawn() {
        for body in [&b"\xff\xfe<\0"[..], b"a\xc3", b"\n\n", b"\r\n\r\n"] {
            for offset in 0..=body.len() {
                let window = Window::around(body, offset).unwrap();
                assert!(window.text.get(window.start..window.end).is_some());
            }
        }
    }
}
