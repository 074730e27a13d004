//! The command line: arguments, start and drain order, output.

mod args;
mod check;
mod config_command;
pub mod demo;
mod drain;
mod exit;
mod explain;
mod healthcheck;
mod incidents;
mod learnt;
mod manager;
mod mode;
mod notify;
pub mod output;
mod reload;
mod serve;
mod text;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, ConfigCommand, NotifyCommand};
pub use exit::Exit;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe is nobody's.
            let _ = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.number());
            return ExitCode::from(code);
        }
    };
    run(cli).into()
}

fn run(cli: Cli) -> Exit {
    match cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Demo(args)) => demo::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Incidents(args)) => incidents::run(&args),
        Some(Command::Mode(args)) => mode::run(&args),
        Some(Command::Drain(args)) => drain::run(&args),
        Some(Command::Healthcheck(args)) => healthcheck::run(&args),
        Some(Command::Notify { command: NotifyCommand::Test(args) }) => notify::test(&args),
        Some(Command::Config { command }) => match command {
            ConfigCommand::Check(args) => config_command::check(&args),
            ConfigCommand::Learn(args) => learnt::run(&args),
            ConfigCommand::Print(args) => config_command::print(&args),
            ConfigCommand::Schema => config_command::schema(),
        },
    }
}
