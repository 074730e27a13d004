//! `config check`, `config print`, `config schema`.

use super::exit::Exit;
use super::output::print;
use crate::config::{ConfigErrors, Loaded, Sources, load, schema};

/// Loads the configuration and says what is wrong with it, or that nothing is.
pub fn check(sources: &Sources) -> Exit {
    match load(sources) {
        Ok(loaded) => {
            let file = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
            let routes = loaded.config.routes.len();
            print(&format!("{file}: fine, {routes} {}\n", if routes == 1 { "route" } else { "routes" }))
        }
        Err(errors) => refuse(&errors),
    }
}

/// Prints the resolved configuration, each value with where it comes from.
pub fn show(sources: &Sources) -> Exit {
    match load(sources) {
        Ok(loaded) => print(&Loaded::print(&loaded)),
        Err(errors) => refuse(&errors),
    }
}

/// Prints the JSON Schema of the file.
pub fn json_schema() -> Exit {
    print(&schema())
}

/// Shows the mistakes on stderr; exit code 78.
pub fn refuse(errors: &ConfigErrors) -> Exit {
    super::output::complain(errors);
    Exit::Configuration
}
