//! Why a request is refused at the door.

/// What is wrong with a request: its answer, the metric's label and the words for both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The answer's status.
    pub status: u16,
    /// The kind of fault.
    pub reason: Reason,
    /// Expected, found, what to do.
    pub why: &'static str,
}

/// The kinds of faults; a closed set, since it labels a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A header name with an underscore that backends read as one that we act on.
    Alias,
    /// A chunked body that can be read in more than one way.
    Chunks,
    /// The body's length is told in more than one way, or in none that all understand.
    Framing,
    /// No host, several, or none that is one.
    Host,
    /// A method that is not served.
    Method,
    /// What is no HTTP at all, or a line that can be read in more than one way.
    Syntax,
    /// A target that is none, or too long a one.
    Target,
    /// Too large a head.
    TooLarge,
    /// A version of HTTP that is not spoken here.
    Version,
}

impl Reason {
    /// Every kind, in the order of its place in counters.
    pub const ALL: [Self; 9] = [
        Self::Alias,
        Self::Chunks,
        Self::Framing,
        Self::Host,
        Self::Method,
        Self::Syntax,
        Self::Target,
        Self::TooLarge,
        Self::Version,
    ];

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Chunks => "chunks",
            Self::Framing => "framing",
            Self::Host => "host",
            Self::Method => "method",
            Self::Syntax => "syntax",
            Self::Target => "target",
            Self::TooLarge => "too_large",
            Self::Version => "version",
        }
    }
}

pub(super) const fn bad(reason: Reason, why: &'static str) -> Fault {
    Fault { status: 400, reason, why }
}

pub(super) const fn syntax(why: &'static str) -> Fault {
    bad(Reason::Syntax, why)
}
