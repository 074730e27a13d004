//! Loading: which file, which layers, all mistakes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ConfigErrors, Origin};
use super::keys::KEYS;
use super::layers::{Entries, Entry, Layers};
use super::value::Value;
use super::{Config, reload, resolve};

/// Everything that a configuration is made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What the command line says.
    pub flags: Flags,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Where `config.toml` is looked for when no file is named.
    pub cwd: PathBuf,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--upstream`
    pub upstream: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
    /// `--ops`
    pub ops: Option<String>,
    /// `--state-dir`
    pub state_dir: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--observe`
    pub observe: bool,
}

/// A loaded configuration.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Every value, resolved.
    pub config: Config,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    /// Every file that was read: what a reload looks at.
    pub files: Vec<PathBuf>,
    /// Values with their origins, for `config print`.
    pub entries: Entries,
    /// The same of each route.
    pub routes: Vec<Entries>,
    /// The same of each webhook.
    pub notify: Vec<Entries>,
    /// The same of each alias.
    pub aliases: Vec<Entries>,
}

/// Loads a configuration; every mistake of every layer is reported at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let named = sources.flags.config.clone().or_else(|| {
        let path = sources.env.get("TWIML_GUARD_CONFIG").filter(|path| !path.is_empty());
        path.map(PathBuf::from)
    });
    let found = named
        .clone()
        .or_else(|| Some(sources.cwd.join("config.toml")).filter(|path| path.exists()));
    let read = found.as_deref().map(std::fs::read_to_string);
    assemble(sources, named.as_deref(), found, read)
}

/// The same for a configuration file's text, wherever it comes from; paths in it are seen from
/// `folder`.
pub fn load_text(sources: &Sources, folder: &Path, text: String) -> Result<Loaded, ConfigErrors> {
    let file = folder.join("config.toml");
    assemble(sources, Some(&file), Some(file.clone()), Some(Ok(text)))
}

/// Lays the layers over each other: defaults, file, environment, flags.
fn assemble(
    sources: &Sources,
    named: Option<&Path>,
    found: Option<PathBuf>,
    read: Option<std::io::Result<String>>,
) -> Result<Loaded, ConfigErrors> {
    let mut layers = Layers::default();
    layers.defaults();
    let mut text = String::new();
    if let (Some(path), Some(read)) = (&found, read) {
        match read {
            Ok(read) => {
                layers.file(&read, path.parent().unwrap_or(Path::new(".")));
                text = read;
            }
            Err(error) => layers.errors.push(ConfigError {
                origin: match (&sources.flags.config, named) {
                    (Some(_), _) => Origin::Flag("--config"),
                    (None, Some(_)) => Origin::Variable("TWIML_GUARD_CONFIG".to_owned()),
                    (None, None) => Origin::Default,
                },
                key: String::new(),
                message: format!(
                    "expected a readable configuration file, found `{}`: {error}",
                    path.display()
                ),
                help: None,
                span: None,
            }),
        }
    }
    layers.environment(&sources.env);
    flags(&mut layers, &sources.flags);
    if !layers.entries.contains_key("state_dir")
        && let Some((path, variable)) = default_state_dir(&sources.env)
    {
        let entry = Entry {
            value: Value::Path(path),
            origin: Origin::Variable(variable.to_owned()),
            span: None,
        };
        layers.entries.insert("state_dir", entry);
    }
    let files = reload::files(found.as_deref(), &layers, &sources.env);
    let config = resolve::resolve(&mut layers, &text, &sources.env);
    match config {
        Some(config) if layers.errors.is_empty() => Ok(Loaded {
            config,
            file: found,
            files,
            entries: layers.entries,
            routes: layers.routes.into_iter().map(|(entries, _)| entries).collect(),
            notify: layers.notify.into_iter().map(|(entries, _)| entries).collect(),
            aliases: layers.aliases.into_iter().map(|(entries, _)| entries).collect(),
        }),
        _ => {
            let file =
                found.map_or_else(|| "config.toml".to_owned(), |path| path.display().to_string());
            layers
                .errors
                .sort_by_key(|error| error.span.as_ref().map_or(usize::MAX, |span| span.start));
            let state_dir = match layers.entries.remove("state_dir") {
                Some(Entry { value: Value::Path(path), .. }) => Some(path),
                _ => None,
            };
            let ops = match layers.entries.get("ops.listen") {
                Some(Entry { value: Value::Address(address), .. }) => Some(Box::new(*address)),
                _ => None,
            };
            Err(ConfigErrors {
                errors: layers.errors,
                file,
                text,
                state_dir,
                ops,
                files: files.into(),
            })
        }
    }
}

fn flags(layers: &mut Layers, flags: &Flags) {
    layers.flag("listen", "--listen", flags.listen.as_deref());
    layers.flag("upstream", "--upstream", flags.upstream.as_deref());
    layers.flag("public_url", "--public-url", flags.public_url.as_deref());
    layers.flag("ops.listen", "--ops", flags.ops.as_deref());
    layers.flag("state_dir", "--state-dir", flags.state_dir.as_deref());
    layers.flag("log.format", "--log-format", flags.log_format.as_deref());
    layers.flag("observe", "--observe", flags.observe.then_some("true"));
}

/// `$STATE_DIRECTORY` (systemd), else the XDG state folder.
fn default_state_dir(env: &BTreeMap<String, String>) -> Option<(PathBuf, &'static str)> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("STATE_DIRECTORY") {
        let first = folder.split(':').next().unwrap_or(folder);
        return Some((PathBuf::from(first), "STATE_DIRECTORY"));
    }
    if let Some(folder) = set("XDG_STATE_HOME") {
        return Some((Path::new(folder).join("twiml-guard"), "XDG_STATE_HOME"));
    }
    set("HOME").map(|home| (Path::new(home).join(".local/state/twiml-guard"), "HOME"))
}

impl Loaded {
    /// The resolved configuration as TOML, each value with its origin as a comment.
    pub fn print(&self) -> String {
        let mut lines = Vec::new();
        let mut table = "";
        for key in KEYS {
            let (own_table, name) = key.path.split_once('.').unwrap_or(("", key.path));
            let Some(entry) = self.entries.get(key.path) else { continue };
            if own_table != table {
                table = own_table;
                lines.push(format!("\n[{table}]"));
            }
            // Written out, a default ops address would count as configured: taken, it would be an
            // error instead of a warning.
            let mark =
                if key.path == "ops.listen" && entry.origin == Origin::Default { "# " } else { "" };
            lines.push(format!(
                "{:<56} # {}",
                format!("{mark}{name} = {}", entry.value.written()),
                entry.origin
            ));
        }
        for (name, tables) in
            [("route", &self.routes), ("notify", &self.notify), ("alias", &self.aliases)]
        {
            for table in tables {
                lines.push(format!("\n[[{name}]]"));
                for (name, entry) in table {
                    lines.push(format!(
                        "{:<56} # {}",
                        format!("{name} = {}", entry.value.written()),
                        entry.origin
                    ));
                }
            }
        }
        let tokens = &self.config.signatures.source;
        if !tokens.is_empty() {
            lines.push(format!("\n# auth token: *** ({tokens})"));
        }
        lines.join("\n") + "\n"
    }
}
