//! The catalogue of causes: one file each, one line each.

use super::exchange::Exchange;
use super::finding::Finding;

/// One named way in which an answer is not acceptable.
#[derive(Debug)]
pub struct Cause {
    /// Its stable name: log field, metric label, argument of `explain`.
    pub slug: &'static str,
    /// Where in the reading of an answer it is looked for.
    pub stage: Stage,
    /// Whether Twilio's caller suffers.
    pub level: Level,
    /// Twilio's codes that such an answer becomes, most likely first.
    pub codes: &'static [u32],
    /// What those codes rest on.
    pub evidence: Evidence,
    /// One line: what it is.
    pub explain: &'static str,
    /// One line: what to fix in the backend.
    pub remedy: &'static str,
    /// What the guard does about it, a few words.
    pub action: &'static str,
}

/// The order in which fetching and reading a document can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No whole answer came.
    Transport,
    /// The status line.
    Status,
    /// Content-Encoding.
    Coding,
    /// Bytes to characters.
    Charset,
    /// Characters to a document.
    Document,
    /// The document's verbs.
    Grammar,
    /// The document's URLs.
    Links,
    /// The headers.
    Headers,
}

/// How bad a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The caller hears the application error (or would, unrepaired).
    Fault,
    /// Twilio accepts it; recorded without changing the answer, or changed without need for alarm.
    Warning,
}

/// What a claim about Twilio's behaviour rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Twilio's own pages.
    Documented,
    /// Reports of users.
    Reported,
    /// Inferred from the above.
    Inferred,
}

/// Every cause, in the order of the stages.
pub static CAUSES: &[&Cause] = &[];

/// The cause with this slug.
pub fn by_slug(slug: &str) -> Option<&'static Cause> {
    CAUSES.iter().copied().find(|cause| cause.slug == slug)
}

#[allow(dead_code)]
type Check = fn(&Exchange) -> Option<Finding>;
