//! What a running guard can take over from a new configuration, and which files it watches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::keys::{ALIAS_KEYS, KEYS, Key, Kind, NOTIFY_KEYS, ROUTE_KEYS};
use super::layers::{Entries, Layers};
use super::route::Callbacks;
use super::tokens;
use super::value::Value;

impl Config {
    /// This configuration with the values of the running one wherever a change needs a restart;
    /// and the names of the keys that differed.
    #[must_use]
    pub fn taken_over(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut kept = Vec::new();
        let mut keep = |key, differs: bool| {
            if differs {
                kept.push(key);
            }
        };
        let (own, old) = (&self.clients, &running.clients);
        keep("listen", self.listen != running.listen);
        keep("tls", self.tls.is_some() != running.tls.is_some());
        keep("workers", self.workers != running.workers);
        keep("max_connections", own.max_connections != old.max_connections);
        keep("head_timeout", own.head_timeout != old.head_timeout);
        keep("idle_timeout", own.idle_timeout != old.idle_timeout);
        keep("write_timeout", own.write_timeout != old.write_timeout);
        keep("max_buffered", self.max_buffered != running.max_buffered);
        keep("state_dir", self.state_dir != running.state_dir);
        keep("reload_every", self.reload_every != running.reload_every);
        keep("callbacks", self.redelivers() && !running.redelivers());
        keep("callbacks_max_size", self.callbacks.max_size != running.callbacks.max_size);
        keep("callbacks_keep_for", self.callbacks.keep_for != running.callbacks.keep_for);
        keep("ops", (self.ops, self.ops_drain) != (running.ops, running.ops_drain));
        keep("admin", self.admin != running.admin);
        keep("log", self.log != running.log);
        keep("incidents", self.incidents != running.incidents);
        keep("notify", self.notify != running.notify);
        keep("otlp", self.otlp != running.otlp);
        if self.tls.is_some() != running.tls.is_some() {
            self.tls.clone_from(&running.tls);
        }
        self.listen = running.listen.clone();
        self.workers = running.workers;
        self.clients = running.clients;
        self.max_buffered = running.max_buffered;
        self.state_dir.clone_from(&running.state_dir);
        self.reload_every = running.reload_every;
        self.callbacks = running.callbacks;
        self.ops = running.ops;
        self.ops_drain = running.ops_drain;
        self.admin = running.admin.clone();
        self.log = running.log;
        self.incidents = running.incidents.clone();
        self.notify.clone_from(&running.notify);
        self.otlp = running.otlp.clone();
        (self, kept)
    }

    /// Whether any route keeps callbacks on disk; what keeps them is made at the start.
    fn redelivers(&self) -> bool {
        let mut routes = self.routes.iter().chain([&self.default_route]);
        routes.any(|route| route.callbacks == Callbacks::Redeliver)
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
