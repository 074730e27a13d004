//! What a key is.

use std::time::Duration;

use crate::twilio::Slot;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its dotted path from the top of the file (or of a `[[route]]`, a `[[notify]]`).
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default as it would be written, where it has one.
    pub default: Option<&'static str>,
    /// One line: what it is.
    pub doc: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `127.0.0.1:8080`.
    Address,
    /// An address, or `off`.
    AddressOrOff,
    /// An address, `unix:/path`, or `off`.
    AddressOrSocket,
    /// An address, or `unix:/path`.
    Listen,
    /// A whole number in this range.
    Count(usize, usize),
    /// `13s`, `500ms`, in this range.
    Duration(Duration, Duration),
    /// `true` or `false`.
    Flag,
    /// Names in a list; from a flag or the environment with commas between them.
    List,
    /// GET, POST, …
    Method,
    /// A path of the file system.
    Path,
    /// A path of the file system, seen from the configuration file's folder.
    File,
    /// A pattern of request paths.
    Pattern,
    /// `https://pbx.example.com`.
    PublicUrl,
    /// `https://hooks.example.com/…`, never shown.
    SecretUrl,
    /// `1MiB`, `64kB`, `65536`, in this range of bytes.
    Size(usize, usize),
    /// Any text.
    Text,
    /// TwiML for this slot; `None`: for the route's own.
    Twiml(Option<Slot>),
    /// `http://127.0.0.1:5000`.
    Upstream,
    /// Several of them in a list; from a flag or the environment with commas between them.
    Upstreams,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, in a list.
    Words(&'static [&'static str]),
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        let name = if self.path == "ops.listen" { "ops" } else { self.path };
        format!("TWIML_GUARD_{}", name.replace('.', "_").to_uppercase())
    }

    /// Whether the environment may set it; TwiML and words for callers live in the file.
    pub fn has_variable(&self) -> bool {
        !self.path.starts_with("fallback.") || self.path == "fallback.language"
    }
}

pub(super) const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { path, kind, default, doc }
}

pub(super) const fn span(from_ms: u64, to_ms: u64) -> Kind {
    Kind::Duration(Duration::from_millis(from_ms), Duration::from_millis(to_ms))
}
