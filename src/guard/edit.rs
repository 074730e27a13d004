//! Edits: the bytes that a repair names, and nothing else.

use std::ops::Range;

use super::causes::Cause;
use super::finding::{Finding, Grade};

/// One repair: a span of a text, what takes its place, and why.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The cause that it removes.
    pub cause: &'static Cause,
    /// How certain it is.
    pub grade: Grade,
    /// Byte range of the text; may be empty (an insertion).
    pub span: Range<usize>,
    /// What takes its place.
    pub with: String,
    /// What was seen, for the record.
    pub evidence: String,
}

impl Edit {
    /// The finding that goes with the edit.
    pub fn finding(&self, text: &str) -> Finding {
        Finding::new(self.cause, self.evidence.clone())
            .at(text.as_bytes(), self.span.start)
            .repaired(self.grade)
    }
}

/// Applies edits, which must be in order and must not overlap; one that does is left out.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len() + edits.len() * 4);
    let mut at = 0;
    for edit in edits {
        let Some(kept) = text.get(at..edit.span.start) else { continue };
        result.push_str(kept);
        result.push_str(&edit.with);
        at = edit.span.end;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

/// One finding per cause, at its first place, with a count where there are more.
pub fn findings(text: &str, edits: &[Edit]) -> Vec<Finding> {
    let mut found: Vec<(Finding, usize)> = Vec::new();
    for edit in edits {
        match found.iter_mut().find(|(finding, _)| finding.is(edit.cause)) {
            Some((finding, count)) => {
                *count += 1;
                finding.repair = finding.repair.max(Some(edit.grade));
            }
            None => found.push((edit.finding(text), 1)),
        }
    }
    found
        .into_iter()
        .map(|(mut finding, count)| {
            if count > 1 {
                finding.evidence = format!("{} (and {} more)", finding.evidence, count - 1);
            }
            finding
        })
        .collect()
}
