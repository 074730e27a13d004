//! Asks the person at the terminal before something is done that can't be undone.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::Failure;
use crate::cli::output::complain;

/// Whether the person at the terminal wants it; `yes`: what `--yes` does without asking.
pub(super) fn asked(question: &str, yes: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!(
            "expected somebody at a terminal to ask, found none; --yes {yes} without asking"
        )));
    }
    complain(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|source| Failure::Unreadable { path: "standard input".to_owned(), source })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
