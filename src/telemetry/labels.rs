//! Labels of metrics: closed sets, each with the words that it stands as.

/// What can become of an answer; `passed` was not judged.
pub const OUTCOMES: [&str; 5] = ["untouched", "repaired", "replaced", "failed", "passed"];

/// How bad an outbreak's cause is: what Twilio would not accept, and what it accepts all the same.
pub const LEVELS: [&str; 2] = ["fault", "warning"];

/// What a request can be refused for at the door.
pub const REFUSED: [&str; 9] =
    ["alias", "chunks", "framing", "host", "method", "syntax", "target", "too_large", "version"];

/// What is counted of one answer by its cause.
#[derive(Debug, Clone, Copy)]
pub struct CauseLabel {
    /// The cause's slug.
    pub slug: &'static str,
    /// Whether an answer with it may be left untouched.
    pub may_be_untouched: bool,
}

/// What became of a message to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was taken.
    Sent,
    /// It was given up.
    Failed,
    /// There were too many: the next message says how many.
    Held,
    /// It did not fit the queue.
    Dropped,
}

/// What became of something for a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// It was taken.
    Sent,
    /// It was refused.
    Failed,
    /// It did not fit the queue.
    Dropped,
}

/// A phase of the backend's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Until there was a connection, new or kept.
    Connect,
    /// From there to the answer's head.
    FirstByte,
    /// From the head to the end.
    Body,
}

/// What became of a callback that the backend did not take at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackCount {
    /// Twilio was answered in the backend's place.
    Acknowledged,
    /// The backend will not get it (again).
    GivenUp,
    /// It was put on disk.
    Queued,
    /// The backend took it from the queue.
    Redelivered,
}

impl CallbackCount {
    pub(super) const ALL: [Self; 4] =
        [Self::Acknowledged, Self::GivenUp, Self::Queued, Self::Redelivered];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::GivenUp => "given_up",
            Self::Queued => "queued",
            Self::Redelivered => "redelivered",
        }
    }
}

impl Told {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Dropped => "dropped",
        }
    }
}

impl Exported {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

impl Phase {
    pub(super) const ALL: [Self; 3] = [Self::Connect, Self::FirstByte, Self::Body];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::Body => "body",
        }
    }
}
