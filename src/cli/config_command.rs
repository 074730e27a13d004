//! `config`: checks, prints and describes the configuration.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::args::{LogFormatArg, ServeArgs};
use super::exit::Exit;
use super::output::{complain, out};
use crate::config::{self, Flags, Loaded, Sources};

/// Says everything that is wrong, or that nothing is.
pub(super) fn check(args: &ServeArgs) -> Exit {
    with_loaded(args, |loaded| {
        let config = &loaded.config;
        for warning in config.otlp.warnings.iter().chain(&config.signatures.warnings) {
            complain(&format!("twiml-guard: {warning}\n"));
        }
        match &loaded.file {
            Some(file) => format!("{}: fine\n", file.display()),
            None => "no configuration file; the defaults are fine\n".to_owned(),
        }
    })
}

/// Prints every value with its source.
pub(super) fn print(args: &ServeArgs) -> Exit {
    with_loaded(args, Loaded::print)
}

/// Prints the JSON schema of `config.toml`.
pub(super) fn schema() -> Exit {
    printed(&config::schema())
}

/// Loads what file, environment and flags say; the mistakes are told on standard error.
pub(super) fn load(args: &ServeArgs) -> Result<Loaded, Exit> {
    let sources = sources(args).map_err(|error| {
        complain(&format!("twiml-guard: could not find the working directory: {error}\n"));
        Exit::Io
    })?;
    config::load(&sources).map_err(|errors| {
        complain(&format!("{}\n", errors.render(io::stderr().is_terminal())));
        Exit::Config
    })
}

/// What a configuration is made of: flags, the environment, the working directory.
pub(super) fn sources(args: &ServeArgs) -> io::Result<Sources> {
    let cwd = std::env::current_dir()?;
    // Names and values that are no text can't be ours.
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(Sources { flags: flags(args), env, cwd })
}

/// The state directory that `serve` would use under these flags. A broken configuration keeps nobody
/// from what is there.
pub(super) fn state_dir(
    state_dir: Option<&str>,
    config: Option<&Path>,
) -> io::Result<Option<PathBuf>> {
    let sources = sources(&ServeArgs {
        state_dir: state_dir.map(str::to_owned),
        config: config.map(Path::to_owned),
        ..ServeArgs::default()
    })?;
    // A folder that is named needs no configuration to be known.
    let sources = match state_dir {
        Some(_) => Sources { env: BTreeMap::new(), cwd: PathBuf::from("/nonexistent"), ..sources },
        None => sources,
    };
    match config::load(&sources) {
        Ok(loaded) => Ok(loaded.config.state_dir),
        Err(errors) => {
            if let Some(folder) = &errors.state_dir {
                complain(&format!(
                    "warning: the configuration has mistakes (`twiml-guard config check` tells them); using {}\n",
                    folder.display()
                ));
            }
            Ok(errors.state_dir)
        }
    }
}

fn flags(args: &ServeArgs) -> Flags {
    Flags {
        config: args.config.clone(),
        listen: args.listen.clone(),
        upstream: args.upstream.clone(),
        public_url: args.public_url.clone(),
        ops: args.ops.clone(),
        state_dir: args.state_dir.clone(),
        log_format: args.log_format.map(LogFormatArg::name).map(str::to_owned),
        observe: args.observe,
    }
}

fn with_loaded(args: &ServeArgs, say: impl FnOnce(&Loaded) -> String) -> Exit {
    match load(args) {
        Ok(loaded) => printed(&say(&loaded)),
        Err(exit) => exit,
    }
}

fn printed(text: &str) -> Exit {
    match out(text) {
        Ok(_) => Exit::Fine,
        Err(error) => {
            complain(&format!("twiml-guard: could not write to standard output: {error}\n"));
            Exit::Io
        }
    }
}
