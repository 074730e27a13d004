//! Exit codes, after `sysexits.h` where it has one.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to complain about.
    Fine,
    /// The command did its work and found something.
    Found,
    /// The command line makes no sense.
    Usage,
    /// Something that the command needs is not there.
    Unavailable,
    /// A file or socket could not be used.
    Io,
    /// The configuration is wrong.
    Config,
}

impl Exit {
    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
