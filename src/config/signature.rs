//! What is known of Twilio's signatures: tokens, whose forwarded headers are believed, and what
//! happens to a request that Twilio did not sign.

use std::net::IpAddr;
use std::sync::Arc;

use super::error::ConfigError;
use super::layers::{Entries, Entry, Layers};
use super::listeners::mistake;
use super::networks::Network;
use super::resolve::Values;
use super::tokens::{self, FoundTokens};
use crate::twilio::signature::Keyring;

/// What happens to a request on a route by its signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignatureMode {
    /// It is not looked at.
    #[default]
    Off,
    /// It is looked at, counted and logged; nothing is refused.
    Observe,
    /// What Twilio did not sign is refused before the backend sees it.
    Enforce,
}

/// What signatures are checked with.
#[derive(Debug, Clone, Default)]
pub struct Signatures {
    /// The tokens.
    pub keyring: Arc<Keyring>,
    /// Where they come from; empty where there are none.
    pub source: String,
    /// What is unsafe about that.
    pub warnings: Vec<String>,
    /// Peers whose X-Forwarded-Host and Forwarded are believed.
    pub trusted_proxies: Vec<Network>,
}

impl Signatures {
    /// Whether a peer's forwarded headers are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

/// Finds the tokens, and reads the networks.
pub(super) fn resolve(
    layers: &Layers,
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
    errors: &mut Vec<ConfigError>,
) -> Signatures {
    let own = Values(&layers.entries);
    let configured = own.path(tokens::KEY);
    let found = tokens::find(variable, configured.as_deref()).unwrap_or_else(|error| {
        let help = "one token a line, or `AC…:token` for those of one account: \
                    `umask 077; cat > FILE`";
        let message = error.to_string();
        errors.push(match layers.entries.get(tokens::KEY) {
            Some(entry) if message.starts_with(tokens::KEY) => {
                mistake(tokens::KEY, entry, text, message, help)
            }
            _ => ConfigError {
                origin: super::error::Origin::Default,
                key: String::new(),
                message,
                help: Some(help.to_owned()),
                span: None,
            },
        });
        FoundTokens::default()
    });
    Signatures {
        keyring: Arc::new(found.keyring),
        source: found.source,
        warnings: found.warning.into_iter().collect(),
        trusted_proxies: networks(layers, text, errors),
    }
}

fn networks(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) -> Vec<Network> {
    let key = "trusted_proxies";
    let (Some(list), Some(entry)) = (Values(&layers.entries).list(key), layers.entries.get(key))
    else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for written in list {
        match written.parse() {
            Ok(network) => all.push(network),
            Err(expected) => {
                let message = format!("{expected}, found `{}`", written.escape_debug());
                let help = "name the front end's own address, as the guard sees it";
                errors.push(mistake(key, entry, text, message, help));
            }
        }
    }
    all
}

/// The mode that these keys say, else `base`; without a token nothing can be looked at.
pub(super) fn mode(
    entries: &Entries,
    base: SignatureMode,
    keyring: &Keyring,
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> SignatureMode {
    let own = Values(entries);
    if keyring.is_empty() {
        let needs_token = |key: &'static str, entry: &Entry, what: &str| {
            let message = format!("expected an auth token beside {what}, found none");
            let help = "give it in TWIML_GUARD_AUTH_TOKEN_FILE, in twilio.auth_token_file, or as the systemd credential `twilio-auth-token`";
            mistake(key, entry, text, message, help)
        };
        if let (Some("enforce"), Some(entry)) =
            (own.text("signature").as_deref(), entries.get("signature"))
        {
            errors.push(needs_token("signature", entry, "`signature = \"enforce\"`"));
        }
        if let (Some(true), Some(entry)) = (own.flag("resign"), entries.get("resign")) {
            errors.push(needs_token("resign", entry, "`resign = true`"));
        }
        return SignatureMode::Off;
    }
    match own.text("signature").as_deref() {
        Some("off") => SignatureMode::Off,
        Some("observe") => SignatureMode::Observe,
        Some("enforce") => SignatureMode::Enforce,
        _ => base,
    }
}
