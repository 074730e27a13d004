//! The layers: flags over environment over file over defaults; every value remembers its origin.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin, did_you_mean};
use super::keys::{self, ALIAS, KEYS, Key, Kind, NOTIFY, ROUTE, Repeated};
use super::value::{Raw, Value, read};

/// A value with its origin and, from the file, its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// Its place in the file.
    pub span: Option<Range<usize>>,
}

/// Values by dotted path.
pub type Entries = BTreeMap<&'static str, Entry>;

/// What was read of all layers.
#[derive(Debug, Default)]
pub struct Layers {
    /// Keys outside routes.
    pub entries: Entries,
    /// Each `[[route]]` with the place of its header.
    pub routes: Vec<(Entries, Range<usize>)>,
    /// Each `[[notify]]` likewise.
    pub notify: Vec<(Entries, Range<usize>)>,
    /// Each `[[alias]]` likewise.
    pub aliases: Vec<(Entries, Range<usize>)>,
    /// Every mistake so far.
    pub errors: Vec<ConfigError>,
}

impl Layers {
    /// Fills in the defaults.
    pub fn defaults(&mut self) {
        for key in KEYS {
            if let Some(Ok(value)) =
                key.default.map(|text| read(key.kind, &Raw::Word(text.to_owned())))
            {
                self.entries.insert(key.path, Entry { value, origin: Origin::Default, span: None });
            }
        }
    }

    /// Reads the file's text; `folder` is where files that it names are looked for.
    pub fn file(&mut self, text: &str, folder: &Path) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span();
            let line = span.as_ref().map_or(1, |span| line_of(text, span.start));
            let message = format!("not TOML: {}", error.message().replace('\n', ", "));
            self.errors.push(ConfigError {
                origin: Origin::File(line),
                key: String::new(),
                message,
                help: None,
                span,
            });
        }
        let mut reader = FileReader { text, folder, within: None, errors: Vec::new() };
        for (name, value) in table.get_ref() {
            match name.get_ref().as_ref() {
                "route" => self.routes.extend(reader.repeated(&ROUTE, value)),
                "alias" => self.aliases.extend(reader.repeated(&ALIAS, value)),
                "notify" => self.notify.extend(reader.repeated(&NOTIFY, value)),
                _ => reader.keys(&mut self.entries, KEYS, "", name, value),
            }
        }
        self.errors.append(&mut reader.errors);
    }

    /// Reads the environment: `TWIML_GUARD_…`, and its `_FILE` twin, which names a file that
    /// holds the value. Unknown names are passed over: others may use the prefix.
    pub fn environment(&mut self, variables: &BTreeMap<String, String>) {
        for key in KEYS.iter().filter(|key| key.has_variable()) {
            let name = key.variable();
            let twin = format!("{name}_FILE");
            let (name, text) = match (variables.get(&name), variables.get(&twin)) {
                (None, None) => continue,
                (Some(_), Some(_)) => {
                    let message = format!("expected {name} or {twin}, found both; unset one");
                    self.errors.push(bare(Origin::Variable(name), key.path, message));
                    continue;
                }
                (Some(text), None) => (name, text.clone()),
                (None, Some(path)) => match std::fs::read_to_string(path) {
                    Ok(text) => (twin, text.trim_end_matches(['\n', '\r']).to_owned()),
                    Err(error) => {
                        let message = format!("expected a readable file, found `{path}`: {error}");
                        self.errors.push(bare(Origin::Variable(twin), key.path, message));
                        continue;
                    }
                },
            };
            self.set(key, &Raw::Word(text), Origin::Variable(name));
        }
    }

    /// Reads a flag of the command line.
    pub fn flag(&mut self, path: &str, flag: &'static str, text: Option<&str>) {
        if let (Some(key), Some(text)) = (keys::find(path), text) {
            self.set(key, &Raw::Word(text.to_owned()), Origin::Flag(flag));
        }
    }

    fn set(&mut self, key: &'static Key, raw: &Raw, origin: Origin) {
        match read(key.kind, raw) {
            Ok(value) => {
                self.entries.insert(key.path, Entry { value, origin, span: None });
            }
            Err(message) => self.errors.push(bare(origin, key.path, message)),
        }
    }
}

fn bare(origin: Origin, key: &str, message: String) -> ConfigError {
    ConfigError { origin, key: key.to_owned(), message, help: None, span: None }
}

struct FileReader<'f> {
    text: &'f str,
    folder: &'f Path,
    /// Inside which of the tables that may be repeated.
    within: Option<&'static Repeated>,
    errors: Vec<ConfigError>,
}

impl FileReader<'_> {
    fn error(&mut self, key: &str, span: Range<usize>, message: String, help: Option<String>) {
        let origin = Origin::File(line_of(self.text, span.start));
        let key = match self.within {
            Some(table) => format!("{}.{key}", table.name),
            None => key.to_owned(),
        };
        self.errors.push(ConfigError { origin, key, message, help, span: Some(span) });
    }

    /// Reads one name of a table; tables of known keys are walked.
    fn keys(
        &mut self,
        entries: &mut Entries,
        known: &'static [Key],
        prefix: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let path = format!("{prefix}{}", name.get_ref());
        if let Some(key) = known.iter().find(|key| key.path == path) {
            if let Some(value) = self.value(key, value) {
                let origin = Origin::File(line_of(self.text, name.span().start));
                entries.insert(key.path, Entry { value, origin, span: Some(name.span()) });
            }
            return;
        }
        let inside = format!("{path}.");
        let is_table = known.iter().any(|key| key.path.starts_with(&inside));
        match value.get_ref() {
            DeValue::Table(table) if is_table => {
                for (name, value) in table {
                    self.keys(entries, known, &inside, name, value);
                }
            }
            _ if is_table => {
                let message = format!("expected a table [{path}], found something else");
                self.error(&path, value.span(), message, None);
            }
            _ => {
                let siblings = known
                    .iter()
                    .filter_map(|key| key.path.strip_prefix(prefix))
                    .map(|rest| rest.split('.').next().unwrap_or(rest));
                let tables = [ROUTE.name, NOTIFY.name, ALIAS.name];
                let at_top = prefix.is_empty() && self.within.is_none();
                let siblings: Vec<&str> =
                    siblings.chain(tables.into_iter().filter(|_| at_top)).collect();
                let help =
                    did_you_mean(name.get_ref(), siblings.iter().copied()).unwrap_or_else(|| {
                        let mut names: Vec<&str> = siblings.clone();
                        names.dedup();
                        format!("known here: {}", names.join(", "))
                    });
                self.error(&path, name.span(), format!("unknown key `{path}`"), Some(help));
            }
        }
    }

    /// Reads the tables `[[name]]`.
    fn repeated(
        &mut self,
        table: &'static Repeated,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<(Entries, Range<usize>)> {
        let name = table.name;
        let DeValue::Array(array) = value.get_ref() else {
            let message = format!("expected [[{name}]] tables, found something else");
            let help = Some(format!("write [[{name}]], with two brackets"));
            self.error(name, value.span(), message, help);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array {
            let DeValue::Table(keys) = item.get_ref() else {
                let message = format!("expected a [[{name}]] table, found something else");
                self.error(name, item.span(), message, None);
                continue;
            };
            let mut entries = Entries::new();
            self.within = Some(table);
            for (name, value) in keys {
                self.keys(&mut entries, table.keys, "", name, value);
            }
            let is_missing =
                |required: &&&str| !keys.iter().any(|(name, _)| name.get_ref() == **required);
            for required in table.required.iter().filter(is_missing) {
                let message = format!("expected `{required}` in this [[{name}]], found none");
                self.error(required, item.span(), message, None);
            }
            self.within = None;
            tables.push((entries, item.span()));
        }
        tables
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let raw = match value.get_ref() {
            DeValue::String(text) => Some(Raw::Text(text.to_string())),
            DeValue::Boolean(flag) => Some(Raw::Flag(*flag)),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Raw::Number)
            }
            DeValue::Array(array)
                if matches!(key.kind, Kind::List | Kind::Upstreams | Kind::Words(_)) =>
            {
                let names = array.iter().map(|name| name.get_ref().as_str().map(str::to_owned));
                names.collect::<Option<Vec<_>>>().map(Raw::List)
            }
            DeValue::Table(table) if matches!(key.kind, Kind::Twiml(_)) => {
                return self.twiml_file(key, table, value.span());
            }
            _ => None,
        };
        let result = match raw {
            Some(raw) => read(key.kind, &raw),
            None => Err(format!(
                "expected {}, found {}",
                super::value::describe(key.kind),
                type_of(value.get_ref())
            )),
        };
        let result = result.map(|value| match value {
            Value::Path(path) if key.kind == Kind::File => Value::Path(self.folder.join(path)),
            value => value,
        });
        result
            .map_err(|message| {
                let help = match (key.kind, value.get_ref()) {
                    (Kind::Word(words), DeValue::String(text)) => {
                        did_you_mean(text, words.iter().copied())
                    }
                    _ => None,
                };
                self.error(key.path, value.span(), message, help);
            })
            .ok()
    }

    /// `{ file = "…" }`: the file's text.
    fn twiml_file(&mut self, key: &Key, table: &DeTable<'_>, span: Range<usize>) -> Option<Value> {
        let file = table
            .iter()
            .find(|(name, _)| name.get_ref() == "file")
            .and_then(|(_, value)| value.get_ref().as_str());
        let (Some(file), 1) = (file, table.len()) else {
            self.error(
                key.path,
                span,
                "expected { file = \"…\" } and nothing else".to_owned(),
                None,
            );
            return None;
        };
        let path: PathBuf = self.folder.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(Value::Text(text)),
            Err(error) => {
                let message =
                    format!("expected a readable file, found `{}`: {error}", path.display());
                self.error(key.path, span, message, None);
                None
            }
        }
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "an array",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Float(_) => "a fraction",
        DeValue::Integer(_) => "a number",
        DeValue::String(_) => "a string",
        DeValue::Table(_) => "a table",
    }
}

/// The line, from 1, of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&b| b == b'\n').count() + 1
}
