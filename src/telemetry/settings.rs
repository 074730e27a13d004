//! How log lines look.

/// Log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// How they look; `None`: human on a terminal, JSON otherwise.
    pub format: Option<LogFormat>,
    /// How much of an original body is printed.
    pub body: LogBody,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How much of an original body is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogBody {
    /// All that fits the line (under 15 KiB).
    #[default]
    Full,
    /// Nothing.
    None,
    /// The first 200 characters.
    Preview,
}
