//! What is wrong with a configuration, drawn at its place.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::url::{without_credentials, without_secrets};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it was made.
    pub origin: Origin,
    /// The key's dotted path, where there is one.
    pub key: String,
    /// Expected, found.
    pub message: String,
    /// What to do, where that is not plain.
    pub help: Option<String>,
    /// The place in the file.
    pub span: Option<Range<usize>>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file, at this line.
    File(usize),
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(line) => write!(f, "file, line {line}"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Every mistake of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The mistakes, in the order of the file.
    pub errors: Vec<ConfigError>,
    /// The file's name as it is shown.
    pub file: String,
    /// The file's text.
    pub text: String,
    /// The state directory, as far as it is known in spite of the mistakes: what was recorded can
    /// be read all the same.
    pub state_dir: Option<PathBuf>,
    /// The ops listener, as far as it is known in spite of the mistakes.
    pub ops: Option<Box<std::net::SocketAddr>>,
    /// Every file that was read, or was to be.
    pub files: Box<[PathBuf]>,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl ConfigErrors {
    /// Every mistake, drawn; with colours for a terminal.
    pub fn render(&self, colours: bool) -> String {
        let mut drawn = self.drawn(colours);
        let count = self.errors.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        drawn.push(format!("{count} {noun} in the configuration; nothing was started"));
        drawn.join("\n\n")
    }

    /// Each mistake, drawn by itself.
    pub fn drawn(&self, colours: bool) -> Vec<String> {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(100);
        let text = without_secrets(&without_credentials(&self.text));
        self.errors.iter().map(|error| self.draw(error, &text, &renderer)).collect()
    }

    fn draw(&self, error: &ConfigError, text: &str, renderer: &Renderer) -> String {
        let title = match &error.origin {
            Origin::Flag(flag) => format!("{flag}: {}", error.message),
            Origin::Variable(name) => format!("{name}: {}", error.message),
            Origin::Default | Origin::File(_) => error.message.clone(),
        };
        let mut group = Group::with_title(Level::ERROR.primary_title(title.as_str()));
        if let Some(span) = &error.span {
            let span = span.start.min(text.len())..span.end.min(text.len());
            let annotation = AnnotationKind::Primary.span(span).label(error.key.as_str());
            group = group
                .element(Snippet::source(text).path(self.file.as_str()).annotation(annotation));
        }
        if let Some(help) = &error.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// The word of `known` that `found` probably meant.
pub fn did_you_mean<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(found, word), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| format!("did you mean `{word}`?"))
}
