//! The auth token that requests are signed with: from the environment, never from a flag
//! that others see in the list of processes.

use std::env;

use crate::twilio::signature::AuthToken;

/// Where it is looked for, the first first; each has a `_FILE` twin that names a file.
const NAMES: [&str; 2] = ["TWIML_GUARD_AUTH_TOKEN", "TWILIO_AUTH_TOKEN"];

/// A token that is named and not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// Nothing but blanks.
    #[error("expected an auth token in {path}, found blanks")]
    Blank {
        /// The file.
        path: String,
    },
    /// The file can't be read.
    #[error("could not read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The token, where there is one.
pub(super) fn from_environment() -> Result<Option<AuthToken>, TokenError> {
    find(|name| env::var(name).ok())
}

fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Option<AuthToken>, TokenError> {
    for name in NAMES {
        if let Some(token) = variable(name).as_deref().and_then(AuthToken::new) {
            return Ok(Some(token));
        }
        let Some(path) = variable(&format!("{name}_FILE")).filter(|path| !path.is_empty()) else {
            continue;
        };
        let token = std::fs::read_to_string(&path)
            .map_err(|source| TokenError::Unreadable { path: path.clone(), source })?;
        return match AuthToken::new(&token) {
            Some(token) => Ok(Some(token)),
            None => Err(TokenError::Blank { path }),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Option<AuthToken>, TokenError> {
        let get = |name: &str| variables.iter().find(|(own, _)| *own == name);
        find(|name| get(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_guards_own_variable_comes_first_and_a_file_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "54321\n").unwrap();
        let file = path.to_str().unwrap();
        let token = |text| AuthToken::new(text);
        assert_eq!(found(&[]).unwrap(), None);
        assert_eq!(found(&[("TWILIO_AUTH_TOKEN", "12345")]).unwrap(), token("12345"));
        let both = [("TWILIO_AUTH_TOKEN", "12345"), ("TWIML_GUARD_AUTH_TOKEN_FILE", file)];
        assert_eq!(found(&both).unwrap(), token("54321"));
        assert_eq!(
            found(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", file)]).unwrap(),
            token("54321")
        );
    }

    #[test]
    fn a_file_that_has_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let name = path.to_str().unwrap();
        assert!(found(&[("TWILIO_AUTH_TOKEN_FILE", name)]).unwrap_err().to_string().contains(name));
        std::fs::write(&path, " \n").unwrap();
        let said = found(&[("TWILIO_AUTH_TOKEN_FILE", name)]).unwrap_err().to_string();
        assert!(said.contains("expected an auth token"), "{said}");
    }
}
