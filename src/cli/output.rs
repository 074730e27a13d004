//! Standard output and standard error for people: a closed pipe is no error, colours only where
//! they are welcome.

use std::io::{self, ErrorKind, Write};

/// Writes to standard output at once. A reader that went away (`| head`) is told by
/// [`Written::Closed`]: there is nobody left to write for.
pub fn out(text: &str) -> io::Result<Written> {
    let mut stdout = anstream::stdout().lock();
    closed_is_fine(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Writes to standard error; where even that fails there is nobody to tell.
pub fn complain(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Whether anybody still reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Yes.
    Read,
    /// The pipe was closed.
    Closed,
}

fn closed_is_fine(result: io::Result<()>) -> io::Result<Written> {
    match result {
        Ok(()) => Ok(Written::Read),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Closed),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_pipe_is_fine() {
        let broken = io::Error::from(ErrorKind::BrokenPipe);
        assert_eq!(closed_is_fine(Err(broken)).unwrap(), Written::Closed);
        assert!(closed_is_fine(Err(io::Error::from(ErrorKind::StorageFull))).is_err());
    }
}
