//! What changed between two texts, word by word, laid out on lines.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::cli::text::{COLUMNS, width};
use crate::telemetry::visible::visible;

/// Longest search for the smallest difference; a coarser one is as true.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lines shown before and after a changed one.
const AROUND: usize = 2;
/// Characters shown before and after a change in a long line.
const NEAR: usize = 80;
/// Columns before each line.
const INDENT: usize = 4;

/// What became of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is in both.
    Same,
    /// It was in the first only.
    Removed,
    /// It is in the second only.
    Added,
}

/// A piece of one of the texts, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// The difference as lines for people: `[-removed-]{+added+}`, invisible characters visible, lines
/// far from any change left out, at most `most` lines.
pub(super) fn text(before: &str, after: &str, most: usize) -> String {
    let mut lines = split(&diff(before, after));
    if most < usize::MAX {
        lines.iter_mut().for_each(shorten);
    }
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        lines.iter().skip(from).take(at + AROUND + 1 - from).any(is_changed)
    };
    let mut out = Lines { text: String::new(), left: most, missing: 0 };
    let mut same = 0;
    for (at, line) in lines.iter().enumerate() {
        if !near(at) {
            same += 1;
            continue;
        }
        out.note_same(&mut same);
        out.push(line);
    }
    out.note_same(&mut same);
    if out.missing > 0 {
        let _ = writeln!(out.text, "    … {} lines more; --full shows them", out.missing);
    }
    out.text
}

/// The pieces of both texts in their order, neighbours of one kind in one piece.
fn diff(before: &str, after: &str) -> Vec<Piece> {
    let (old, new) = (tokens(before), tokens(after));
    let deadline = Instant::now().checked_add(PATIENCE);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |kind, tokens: Option<&[&str]>| {
        let text = tokens.unwrap_or_default().concat();
        match pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.kind == kind => last.text += &text,
            _ => pieces.push(Piece { kind, text }),
        }
    };
    for op in capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline) {
        match op {
            DiffOp::Equal { .. } => push(Kind::Same, old.get(op.old_range())),
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                push(Kind::Removed, old.get(op.old_range()));
                push(Kind::Added, new.get(op.new_range()));
            }
        }
    }
    pieces
}

/// Words, runs of blanks, and every other character by itself.
fn tokens(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        ' ' => 0,
        c if c.is_alphanumeric() => 1,
        _ => 2,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let own = class(c);
        if last.is_some_and(|last| last != own || own == 2) {
            tokens.extend(text.get(start..at));
            start = at;
        }
        last = Some(own);
    }
    tokens.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    tokens
}

type Line = Vec<Piece>;

/// Lines of pieces, visible. A line end that changed is itself shown.
fn split(pieces: &[Piece]) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![Vec::new()];
    for piece in pieces {
        for part in piece.text.split_inclusive('\n') {
            let (text, ends) = match part.strip_suffix('\n') {
                Some(text) if piece.kind == Kind::Same => (text, true),
                Some(_) => (part, true),
                None => (part, false),
            };
            if let (false, Some(line)) = (text.is_empty(), lines.last_mut()) {
                line.push(Piece { kind: piece.kind, text: visible(text).into_owned() });
            }
            if ends {
                lines.push(Vec::new());
            }
        }
    }
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

/// Leaves out the middle of long pieces: a whole document may stand on one line.
fn shorten(line: &mut Line) {
    let last = line.len().saturating_sub(1);
    for (at, piece) in line.iter_mut().enumerate() {
        let (head, tail) = match piece.kind {
            Kind::Same if last == 0 => (2 * NEAR, 0),
            Kind::Same => (if at == 0 { 0 } else { NEAR }, if at == last { 0 } else { NEAR }),
            Kind::Removed | Kind::Added => (4 * NEAR, NEAR),
        };
        let count = piece.text.chars().count();
        if count <= head + tail + NEAR {
            continue;
        }
        let chars = || piece.text.chars();
        let left_out = count - head - tail;
        let start: String = chars().take(head).collect();
        let end: String = chars().skip(count - tail).collect();
        piece.text = format!("{start} … {left_out} characters … {end}");
    }
}

fn is_changed(line: &Line) -> bool {
    line.iter().any(|piece| piece.kind != Kind::Same)
}

/// Lines as far as there is room for them.
struct Lines {
    text: String,
    left: usize,
    missing: usize,
}

impl Lines {
    fn note_same(&mut self, same: &mut usize) {
        if *same > 0 && self.missing == 0 {
            let word = if *same == 1 { "line" } else { "lines" };
            let _ = writeln!(self.text, "    … {same} {word} the same");
        }
        *same = 0;
    }

    /// One line, in as many as it takes.
    fn push(&mut self, line: &Line) {
        if self.left == 0 {
            self.missing += 1;
            return;
        }
        self.left -= 1;
        let mut column = 0;
        self.text.push_str("    ");
        for piece in line {
            let (style, open, close) = match piece.kind {
                Kind::Same => (Style::new(), "", ""),
                Kind::Removed => (AnsiColor::Red.on_default(), "[-", "-]"),
                Kind::Added => (AnsiColor::Green.on_default(), "{+", "+}"),
            };
            let _ = write!(self.text, "{style}");
            for c in open.chars().chain(piece.text.chars()).chain(close.chars()) {
                if INDENT + column + width(c) > COLUMNS {
                    let _ = write!(self.text, "{style:#}\n    {style}");
                    column = 0;
                    self.left = self.left.saturating_sub(1);
                }
                column += width(c);
                self.text.push(c);
            }
            let _ = write!(self.text, "{style:#}");
        }
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(before: &str, after: &str) -> String {
        anstream::adapter::strip_str(&text(before, after, 1_000)).to_string()
    }

    #[test]
    fn only_the_words_that_changed_are_marked() {
        assert_eq!(
            plain("<Say>Tom & Jerry</Say>", "<Say>Tom &amp; Jerry</Say>"),
            "    <Say>Tom &{+amp;+} Jerry</Say>\n"
        );
        assert_eq!(
            plain("<Say voice=alice>", "<Say voice=\"alice\">"),
            "    <Say voice={+\"+}alice{+\"+}>\n"
        );
    }

    #[test]
    fn what_can_not_be_seen_is_shown() {
        assert_eq!(plain("\u{feff}<a/>\u{a0}", "<a/>"), "    [-<U+FEFF>-]<a/>[-<U+00A0>-]\n");
        assert_eq!(plain("a\r\nb", "a\nb"), "    a[-\\r-]\n    b\n");
        assert_eq!(plain("notice\n<a/>", "<a/>"), "    [-notice\\n-]\n    <a/>\n");
    }

    #[test]
    fn far_from_a_change_lines_are_left_out() {
        let before = "same\n".repeat(10) + "old\n" + &"same\n".repeat(10);
        let after = before.replace("old", "new");
        assert_eq!(
            plain(&before, &after),
            "    … 8 lines the same\n    same\n    same\n    [-old-]{+new+}\n    same\n    same\n    … 8 lines the same\n"
        );
    }

    #[test]
    fn a_document_on_one_line_is_shown_around_its_changes() {
        let say = "<Say>Hello</Say>".repeat(3_000);
        let before = format!("{say}<Say>Tom & Jerry</Say>{say}");
        let short = plain(&before, &before.replace('&', "&amp;"));
        assert!(short.contains("Tom &{+amp;+} Jerry"), "{short}");
        assert!(short.len() < 600, "{short}");
        assert_eq!(short.matches(" characters … ").count(), 2, "{short}");
        let gone = plain(&format!("{}<Response/>", "x ".repeat(5_000)), "<Response/>");
        assert!(gone.len() < 800 && gone.ends_with("-]<Response/>\n"), "{gone}");
        let full = text(&before, "", usize::MAX);
        assert!(full.len() > before.len());
    }

    #[test]
    fn long_ones_are_cut_and_say_so() {
        let before = "old\n".repeat(50);
        let cut = text(&before, "", 10);
        assert!(cut.ends_with("    … 40 lines more; --full shows them\n"), "{cut}");
    }

    proptest! {
        #[test]
        fn both_texts_can_be_had_back(before in "[ab<>& \n\u{feff}]{0,60}", after in "[ab<>& \n\u{feff}]{0,60}") {
            let pieces = diff(&before, &after);
            let of = |other| -> String {
                pieces.iter().filter(|piece| piece.kind != other).map(|piece| piece.text.as_str()).collect()
            };
            prop_assert_eq!(of(Kind::Added), before);
            prop_assert_eq!(of(Kind::Removed), after);
        }

        #[test]
        fn no_line_is_too_wide(before: String, after: String) {
            for line in plain(&before, &after).lines() {
                prop_assert!(crate::cli::text::columns(line) <= COLUMNS, "{}", line);
            }
        }
    }
}
