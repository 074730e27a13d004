//! What a running guard can take over from a new configuration, and which files it watches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::keys::{ALIAS_KEYS, KEYS, Key, Kind, NOTIFY_KEYS, ROUTE_KEYS};
use super::layers::{Entries, Layers};
use super::tokens;
use super::value::Value;

impl Config {
    /// This configuration with the values of the running one wherever a change needs a restart;
    /// and the names of the keys that differed.
    #[must_use]
    pub fn taken_over(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut kept = Vec::new();
        let mut keep = |name, differs: bool| {
            if differs {
                kept.push(name);
            }
        };
        keep("listen", self.listen != running.listen);
        keep("tls", self.tls.is_some() != running.tls.is_some());
        keep("connection limits", self.clients != running.clients);
        keep("ops", (self.ops, self.ops_drain) != (running.ops, running.ops_drain));
        keep("admin", self.admin != running.admin);
        keep("workers", self.workers != running.workers);
        keep("state_dir", self.state_dir != running.state_dir);
        keep("reload_every", self.reload_every != running.reload_every);
        keep("log", self.log != running.log);
        keep("incidents", self.incidents != running.incidents);
        keep("notify", self.notify != running.notify);
        keep("otlp", self.otlp != running.otlp);
        keep("callbacks_max_size, callbacks_keep_for", self.callbacks != running.callbacks);
        if self.tls.is_some() != running.tls.is_some() {
            self.tls = running.tls.clone();
        }
        self.listen = running.listen.clone();
        self.clients = running.clients;
        self.ops = running.ops;
        self.ops_drain = running.ops_drain;
        self.admin = running.admin.clone();
        self.workers = running.workers;
        self.state_dir = running.state_dir.clone();
        self.reload_every = running.reload_every;
        self.log = running.log;
        self.incidents = running.incidents.clone();
        self.notify = running.notify.clone();
        self.otlp = running.otlp.clone();
        self.callbacks = running.callbacks;
        (self, kept)
    }
}

/// Every file that a configuration is made of: its own, and those that keys and variables name.
pub(super) fn files(
    found: Option<&Path>,
    layers: &Layers,
    env: &BTreeMap<String, String>,
) -> Vec<PathBuf> {
    let tables = [
        (ROUTE_KEYS, &layers.routes),
        (NOTIFY_KEYS, &layers.notify),
        (ALIAS_KEYS, &layers.aliases),
    ];
    let mut files: Vec<_> = found.map(Path::to_owned).into_iter().collect();
    files.extend(named(KEYS, &layers.entries));
    for (keys, entries) in tables {
        files.extend(entries.iter().flat_map(|(entries, _)| named(keys, entries)));
    }
    files.extend(tokens::files(|name| env.get(name).cloned()));
    files.sort();
    files.dedup();
    files
}

fn named(keys: &[Key], entries: &Entries) -> Vec<PathBuf> {
    let names = keys.iter().filter(|key| key.kind == Kind::File);
    let values = names.filter_map(|key| entries.get(key.path));
    let paths = values.filter_map(|entry| match &entry.value {
        Value::Path(path) => Some(path.clone()),
        _ => None,
    });
    paths.collect()
}
