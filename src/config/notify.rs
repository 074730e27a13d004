//! `[[notify]]`: webhooks that are told of outbreaks.

use std::path::Path;
use std::time::Duration;

use super::error::{ConfigError, Origin};
use super::layers::{Entries, Layers, line_of};
use super::resolve::Values;
use super::secret::Secret;
use super::template::Template;
use super::url::webhook;

/// A webhook that is told of outbreaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Where messages are posted.
    pub url: Secret,
    /// What is posted.
    pub format: NotifyFormat,
    /// The changes that are told, by name; `None`: all.
    pub on: Option<Vec<String>>,
    /// Whether outbreaks of what Twilio accepts all the same are told, too.
    pub warnings: bool,
    /// Most messages in a minute.
    pub per_minute: usize,
    /// Time for one attempt.
    pub timeout: Duration,
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyFormat {
    /// The outbreak as the admin API shows it, and a text.
    Json,
    /// `{"text": …}` in Slack's markup.
    Slack,
    /// JSON of the operator's own.
    Template(Template),
}

impl Notify {
    /// Whether a change of this name is told.
    pub fn tells(&self, change: &str) -> bool {
        self.on.as_ref().is_none_or(|on| on.iter().any(|name| name == change))
    }
}

/// Resolves every `[[notify]]` of a file whose text is `text`.
pub(super) fn resolve(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) -> Vec<Notify> {
    let mut resolved = Vec::new();
    for (entries, head) in &layers.notify {
        match one(entries) {
            Ok(notify) => resolved.push(notify),
            // What could not be read is not missed besides.
            Err(("url", _)) if layers.errors.iter().any(|e| e.key.starts_with("notify.url")) => {}
            Err((key, message)) => {
                let span = entries.get(key).and_then(|entry| entry.span.clone());
                let span = span.unwrap_or_else(|| head.clone());
                errors.push(ConfigError {
                    origin: Origin::File(line_of(text, span.start)),
                    key: format!("notify.{key}"),
                    message,
                    help: None,
                    span: Some(span),
                });
            }
        }
    }
    resolved
}

fn one(entries: &Entries) -> Result<Notify, (&'static str, String)> {
    let own = Values(entries);
    let url = match (own.secret("url"), own.path("url_file")) {
        (Some(url), None) => url,
        (None, Some(file)) => from_file(&file).map_err(|message| ("url_file", message))?,
        (Some(_), Some(_)) => {
            return Err(("url_file", "expected `url` or `url_file`, found both".to_owned()));
        }
        (None, None) => {
            return Err((
                "url",
                "expected `url` or `url_file` in this [[notify]], found neither".to_owned(),
            ));
        }
    };
    let template = own.text("template").map(|text| Template::read(&text)).transpose();
    let template = template.map_err(|message| ("template", message))?;
    let format = match (own.text("format").as_deref(), template) {
        (Some("slack"), Some(_)) => {
            return Err((
                "template",
                "expected format = \"json\" with a template, found \"slack\"".to_owned(),
            ));
        }
        (_, Some(template)) => NotifyFormat::Template(template),
        (Some("json"), None) => NotifyFormat::Json,
        (_, None) => NotifyFormat::Slack,
    };
    Ok(Notify {
        url,
        format,
        on: own.list("on"),
        warnings: own.flag("warnings").unwrap_or(false),
        per_minute: own.count("per_minute").unwrap_or(10),
        timeout: own.duration("timeout").unwrap_or(Duration::from_secs(10)),
    })
}

/// The URL in a file; nothing of what the file holds is in the error.
fn from_file(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("expected a readable file, found `{}`: {error}", path.display())
    })?;
    let url = text.trim();
    webhook(url)
        .map(|()| Secret::new(url.to_owned()))
        .map_err(|why| format!("expected a URL in `{}`: {why}", path.display()))
}
