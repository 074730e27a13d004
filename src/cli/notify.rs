//! `notify test`: posts a test message to each webhook.

use super::args::ServeArgs;
use super::config_command;
use super::exit::Exit;
use super::output::{complain, out};
use crate::incidents::try_webhooks;

/// Posts to every webhook and says what came of it.
pub(super) fn test(args: &ServeArgs) -> Exit {
    let notify = match config_command::load(args) {
        Ok(loaded) => loaded.config.notify,
        Err(exit) => return exit,
    };
    if notify.is_empty() {
        complain(
            "twiml-guard: the configuration has no [[notify]]; config.toml shows how to write one\n",
        );
        return Exit::Found;
    }
    let results = try_webhooks(&notify);
    let lines = results.iter().enumerate().map(|(at, result)| match result {
        Ok(()) => format!("[[notify]] {}: posted\n", at + 1),
        Err(why) => format!("[[notify]] {}: not posted: {why}\n", at + 1),
    });
    match out(&lines.collect::<String>()) {
        Ok(_) if results.iter().all(Result::is_ok) => Exit::Fine,
        Ok(_) => Exit::Found,
        Err(_) => Exit::Io,
    }
}
