//! A finding: a cause seen in an answer, with place and evidence.

use std::fmt;

use super::causes::Cause;

/// A cause seen in an answer.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which cause.
    pub cause: &'static Cause,
    /// Where in the decoded body, if it is in the body.
    pub place: Option<Place>,
    /// What was seen, one line, as the backend sent it (invisible bytes not yet made visible).
    pub evidence: String,
    /// The grade of the repair that removed it; `None` when nothing did.
    pub repair: Option<Grade>,
}

impl Finding {
    /// A finding without place.
    pub fn new(cause: &'static Cause, evidence: impl Into<String>) -> Self {
        Self { cause, place: None, evidence: evidence.into(), repair: None }
    }

    /// Whether it is of this cause.
    pub fn is(&self, cause: &Cause) -> bool {
        self.cause.is(cause)
    }

    /// The same finding at a byte offset of `text`.
    #[must_use]
    pub fn at(mut self, text: &[u8], offset: usize) -> Self {
        self.place = Some(Place::of(text, offset));
        self
    }

    /// The same finding, removed by a repair.
    #[must_use]
    pub fn repaired(mut self, grade: Grade) -> Self {
        self.repair = Some(grade);
        self
    }
}

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Byte offset from 0.
    pub offset: usize,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset; offsets past the end mean the end.
    pub fn of(text: &[u8], offset: usize) -> Self {
        let offset = offset.min(text.len());
        let before = text.get(..offset).unwrap_or_default();
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let in_line = before.get(line_start..).unwrap_or_default();
        Self { offset, line, column: String::from_utf8_lossy(in_line).chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// How certain a repair is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// The same call flow for certain.
    Lossless,
    /// The only sensible reading.
    Inferred,
}

impl Grade {
    /// The grade's name in config and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::Lossless => "lossless",
        }
    }
}
