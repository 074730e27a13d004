//! The `twiml-guard` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    twiml_guard::cli::main()
}
