//! Log lines on stderr: whole, one event each, never waited for.

use std::io::{IsTerminal, Write as _, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use super::fields;
use super::settings::{LogConfig, LogFormat};
use super::visible::visible;

/// Lines that wait for the writer; what does not fit is dropped and counted.
const QUEUE: usize = 4_096;

/// The process's log.
#[derive(Debug, Clone)]
pub struct Log {
    format: LogFormat,
    colours: bool,
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Starts the log and makes it the target of `tracing` events at INFO and above. Later calls give
/// the log that was started first.
pub fn init(config: LogConfig) -> Log {
    let mut first = false;
    let log = LOG.get_or_init(|| {
        first = true;
        Log::start(config)
    });
    if first {
        let subscriber = Registry::default().with(EventLayer { log: log.clone() });
        // Another subscriber is there only if an embedder set one: then it is the one that counts.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
    log.clone()
}

impl Log {
    fn start(config: LogConfig) -> Self {
        let terminal = stderr().is_terminal();
        let format =
            config.format.unwrap_or(if terminal { LogFormat::Human } else { LogFormat::Json });
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (lines, queue) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        // Without a thread nothing is written; the calls go on.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&queue, &counted));
        Self { format, colours, lines, dropped }
    }

    /// How lines look.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Whether human lines may carry colours.
    pub fn colours(&self) -> bool {
        self.colours
    }

    /// Offers a whole event (a line, or the lines of a human event), without its line end.
    pub fn offer(&self, line: String) {
        if self.lines.try_send(Message::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was offered so far is written, at most this long.
    pub fn flush(&self, wait: Duration) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(wait);
        }
    }
}

fn write_lines(queue: &Receiver<Message>, dropped: &AtomicU64) {
    loop {
        match queue.recv_timeout(Duration::from_secs(1)) {
            Ok(Message::Line(mut line)) => {
                line.push('\n');
                // A closed stderr is nobody's fault; calls go on.
                let _ = stderr().write_all(line.as_bytes());
            }
            Ok(Message::Flush(done)) => {
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(
                        stderr(),
                        "twiml-guard: {lost} log lines were dropped: stderr is too slow"
                    );
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One event as a JSON object: time, level, message and target first.
pub fn json_line(
    level: &str,
    message: &str,
    target: &str,
    own: &[(&str, serde_json::Value)],
) -> String {
    let mut object = serde_json::Map::new();
    object.insert(fields::TIMESTAMP.to_owned(), now().into());
    object.insert(fields::LEVEL.to_owned(), level.into());
    object.insert(fields::MESSAGE.to_owned(), message.into());
    object.insert(fields::TARGET.to_owned(), target.into());
    for (name, value) in own {
        object.insert((*name).to_owned(), value.clone());
    }
    serde_json::Value::Object(object).to_string()
}

/// A level for people, in colour where that is wanted.
pub fn human_level(level: &str, colours: bool) -> String {
    let style = match level {
        "ERROR" => anstyle::AnsiColor::Red.on_default().bold(),
        "WARN" => anstyle::AnsiColor::Yellow.on_default().bold(),
        _ => anstyle::AnsiColor::Green.on_default(),
    };
    if colours { format!("{style}{level:<5}{style:#}") } else { format!("{level:<5}") }
}

/// The time, RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    let now = jiff::Timestamp::from_millisecond(
        i64::try_from(crate::clock::now_ms()).unwrap_or(i64::MAX),
    );
    now.map_or_else(|_| String::new(), |now| format!("{now:.3}"))
}

struct EventLayer {
    log: Log,
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("twiml_guard")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut collected = Collected::default();
        event.record(&mut collected);
        let level = event.metadata().level().as_str();
        let line = match self.log.format {
            LogFormat::Json => {
                let own: Vec<_> =
                    collected.fields.iter().map(|(name, value)| (*name, value.clone())).collect();
                json_line(level, &collected.message, event.metadata().target(), &own)
            }
            LogFormat::Human => {
                let own: Vec<_> = collected
                    .fields
                    .iter()
                    .map(|(name, value)| match value {
                        serde_json::Value::String(text) => format!("{name}={}", visible(text)),
                        other => format!("{name}={other}"),
                    })
                    .collect();
                format!(
                    "{} {} {}  {}",
                    now(),
                    human_level(level, self.log.colours),
                    visible(&collected.message),
                    own.join("  ")
                )
            }
        };
        self.log.offer(line);
    }
}

#[derive(Default)]
struct Collected {
    message: String,
    fields: Vec<(&'static str, serde_json::Value)>,
}

impl Collected {
    fn push(&mut self, field: &Field, value: serde_json::Value) {
        if field.name() == fields::MESSAGE {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.push(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}
