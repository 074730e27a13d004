//! The auth tokens that requests may be signed with: of one account or several, two of each while
//! they are rotated.

use super::AuthToken;

/// Most tokens of one account: the old one and the new one.
const MAX_TOKENS: usize = 2;

/// Most accounts that have tokens of their own.
const MAX_ACCOUNTS: usize = 32;

/// Auth tokens by account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    /// Tokens that no account is named for.
    common: Vec<AuthToken>,
    accounts: Vec<(String, Vec<AuthToken>)>,
}

/// Why a text gives no tokens. Never tells the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is none.
    #[error("expected an auth token, found nothing but blanks and comments")]
    Empty,
    /// A line is no token.
    #[error(
        "line {line}: expected an auth token, or an account and its token (`AC…:token`), found {found}"
    )]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What is there instead.
        found: &'static str,
    },
    /// More tokens of an account than rotation needs.
    #[error(
        "line {line}: expected at most two auth tokens for {account} (the old one and the new one), found a third; drop the oldest"
    )]
    TooMany {
        /// The line, from 1.
        line: usize,
        /// Whose they are.
        account: String,
    },
    /// More accounts than are tried for one request.
    #[error("line {line}: expected at most 32 accounts with auth tokens of their own, found more")]
    TooManyAccounts {
        /// The line, from 1.
        line: usize,
    },
}

impl Keyring {
    /// Reads tokens, one a line: `token`, or `AC…:token` (or with a blank) for those of one
    /// account. Lines that begin with `#` are comments.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keyring = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keyring.add(at + 1, line)?;
            }
        }
        if keyring.is_empty() { Err(KeyringError::Empty) } else { Ok(keyring) }
    }

    fn add(&mut self, line: usize, text: &str) -> Result<(), KeyringError> {
        let malformed = |found| KeyringError::Malformed { line, found };
        let (account, token) = match text.split_once([':', ' ', '\t']) {
            Some((account, token)) if is_account(account) => (Some(account), token.trim()),
            Some(_) => return Err(malformed("blanks or a colon in a token")),
            None if is_account(text) && text.len() == 34 => {
                return Err(malformed("an account without its token"));
            }
            None => (None, text),
        };
        if token.contains(['"', '\'']) {
            return Err(malformed("quotes; write the token alone"));
        }
        if !token.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(malformed("characters that no token has"));
        }
        let token =
            AuthToken::new(token).ok_or_else(|| malformed("an account without its token"))?;
        let is_full = self.accounts.len() >= MAX_ACCOUNTS;
        let tokens = match account {
            None => &mut self.common,
            Some(sid) => match self.accounts.iter().position(|(own, _)| own == sid) {
                Some(at) => &mut self.accounts[at].1,
                None if is_full => return Err(KeyringError::TooManyAccounts { line }),
                None => &mut self.accounts.push_mut((sid.to_owned(), Vec::new())).1,
            },
        };
        if tokens.len() >= MAX_TOKENS {
            let account = account.unwrap_or("one account").to_owned();
            return Err(KeyringError::TooMany { line, account });
        }
        tokens.push(token);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.common.is_empty() && self.accounts.is_empty()
    }

    /// The tokens that a request of this account may be signed with, the most likely first. Where
    /// the request names none: all.
    pub fn of(&self, account: Option<&str>) -> Vec<&AuthToken> {
        let is_meant = |sid: &str| account.is_none_or(|account| account == sid);
        let own = self.accounts.iter().filter(|(sid, _)| is_meant(sid));
        let own = own.flat_map(|(_, tokens)| tokens);
        if account.is_some() {
            own.chain(&self.common).collect()
        } else {
            self.common.iter().chain(own).collect()
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() > 2 && text.starts_with("AC") && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "AC0123456789abcdef0123456789abcdef";

    fn revealed(keyring: &Keyring, account: Option<&str>) -> Vec<String> {
        keyring.of(account).into_iter().map(|token| token.reveal().to_owned()).collect()
    }

    #[test]
    fn an_accounts_own_tokens_come_before_the_common_ones() {
        let text = format!("# rotation\nnew\n\n  old \n{SID}:sub\nACother\tother\n{SID} sub2\n");
        let keyring = Keyring::parse(&text).unwrap();
        assert_eq!(revealed(&keyring, Some(SID)), ["sub", "sub2", "new", "old"]);
        assert_eq!(revealed(&keyring, Some("ACother")), ["other", "new", "old"]);
        assert_eq!(revealed(&keyring, Some("ACstranger")), ["new", "old"]);
        assert_eq!(revealed(&keyring, None), ["new", "old", "sub", "sub2", "other"]);
    }

    #[test]
    fn what_is_no_token_is_told_by_its_line_and_never_shown() {
        for (text, expected) in [
            ("", "nothing but blanks"),
            ("# s3cr3t\n\n", "nothing but blanks"),
            ("s3cr3t s3cr3t", "line 1: expected an auth token, or an account and its token"),
            ("a\nb\ns3cr3t", "line 3: expected at most two auth tokens for one account"),
            ("ACx:a\nACx:b\n\nACx s3cr3t", "line 4: expected at most two auth tokens for ACx"),
            (SID, "found an account without its token"),
            ("ACx:\n", "found an account without its token"),
            ("s3cr3t\u{5d0}", "characters that no token has"),
            ("\"s3cr3t\"", "found quotes; write the token alone"),
        ] {
            let said = Keyring::parse(text).unwrap_err().to_string();
            assert!(said.contains(expected) && !said.contains("s3cr3t"), "{text:?}: {said}");
        }
        let many = (0..33).map(|n| format!("AC{n}:t")).collect::<Vec<_>>().join("\n");
        assert_eq!(Keyring::parse(&many), Err(KeyringError::TooManyAccounts { line: 33 }));
    }
}
