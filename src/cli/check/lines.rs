//! What was found, a line for each question.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::text::{cut, wrapped};
use crate::guard::CAUSES;

/// The whole.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `GO` or `NO-GO`.
    pub verdict: &'static str,
    /// What was checked, without query and credentials.
    pub url: String,
    /// Whether the requests were signed.
    pub signed: bool,
    /// In the order in which they were asked.
    pub checks: Vec<Line>,
}

/// One question.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    /// How it came out.
    pub verdict: Verdict,
    /// `route`, `get`, `tls`, `signature`, `fallback`, `action`, `redirect`, `callback`, `whisper`,
    /// `wait`, `stream`, `foreign`, `bound`.
    pub check: &'static str,
    /// What was asked.
    pub request: String,
    /// What came.
    pub says: String,
    /// The catalogue's cause.
    pub cause: Option<&'static str>,
    /// The code that Twilio would log.
    pub code: Option<u32>,
    /// What to do.
    pub fix: Option<String>,
}

/// How a question came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Fine.
    Go,
    /// A call would break.
    NoGo,
    /// Worth knowing; no reason against a call.
    Warning,
    /// Not asked.
    Info,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Go => "GO",
            Self::Info => "-",
            Self::NoGo => "NO-GO",
            Self::Warning => "WARN",
        }
    }
}

impl Line {
    pub fn new(
        verdict: Verdict,
        check: &'static str,
        request: String,
        says: impl Into<String>,
    ) -> Self {
        let says = says.into();
        Self { verdict, check, request, says, cause: None, code: None, fix: None }
    }

    pub fn code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// With the catalogue's remedy, unless there is a better one.
    pub fn cause(mut self, slug: &str) -> Self {
        if let Some(cause) = CAUSES.iter().find(|cause| cause.slug == slug) {
            self.cause = Some(cause.slug);
            self.code = self.code.or(cause.codes.first().copied());
            self.fix.get_or_insert_with(|| cause.remedy.to_owned());
        }
        self
    }

    pub fn text(&self) -> String {
        let head = format!("{:6} {:10} ", self.verdict.word(), self.check);
        let mut says = format!("{}: {}", cut(&self.request, 80), self.says);
        match (self.cause, self.code) {
            (Some(slug), Some(code)) => drop(write!(says, " ({slug}, {code})")),
            (None, Some(code)) => drop(write!(says, " ({code})")),
            (Some(slug), None) => drop(write!(says, " ({slug})")),
            (None, None) => {}
        }
        let mut text = wrapped(&head, &says);
        if let Some(fix) = self.fix.as_ref().filter(|_| self.verdict != Verdict::Go) {
            text.push_str(&wrapped(&format!("{:18}fix: ", ""), fix));
        }
        text
    }
}

impl Report {
    pub fn new(url: String, signed: bool, checks: Vec<Line>) -> Self {
        let is_go = checks.iter().all(|line| line.verdict != Verdict::NoGo);
        Self { verdict: if is_go { "GO" } else { "NO-GO" }, url, signed, checks }
    }

    pub fn is_go(&self) -> bool {
        self.verdict == "GO"
    }

    pub fn text(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|line| line.verdict == verdict).count();
        let mut text = format!("twiml-guard check {}\n", self.url);
        for line in &self.checks {
            text.push_str(&line.text());
        }
        let _ = writeln!(
            text,
            "{}: {} fine, {} broken, {} warned of{}",
            self.verdict,
            count(Verdict::Go),
            count(Verdict::NoGo),
            count(Verdict::Warning),
            if self.signed { "" } else { "; not signed, for want of a token in the environment" },
        );
        text
    }
}
