//! Log lines on stderr: whole, one event each, never waited for.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use super::batched::Batched;
use super::settings::{LogConfig, LogFormat};
use super::visible::visible;
use super::{fields, json};

/// Lines that wait for the writer; what does not fit is dropped and counted.
const QUEUE: usize = 4_096;
/// Bytes that they may hold.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Lines, and bytes of them, that are written at once where so many wait: each write costs more
/// than a line does.
const AT_ONCE: usize = 64;
const AT_ONCE_BYTES: usize = 64 * 1024;
/// Dropped lines are told once in this time.
const ONCE: Duration = Duration::from_mins(1);

/// The process's log.
#[derive(Debug, Clone)]
pub struct Log {
    format: LogFormat,
    colours: bool,
    lines: SyncSender<Message>,
    held: Arc<AtomicUsize>,
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
        let terminal = stderr().is_terminal();
        let format =
            config.format.unwrap_or(if terminal { LogFormat::Human } else { LogFormat::Json });
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Log::to(format, colours, stderr())
    });
    if first {
        let subscriber = Registry::default().with(EventLayer { log: log.clone() });
        // Another subscriber is there only if an embedder set one: then it is the one that counts.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
    log.clone()
}

impl Log {
    /// A log that a thread of its own writes to `out`. A closed or blocked `out` stops no caller.
    pub fn to(format: LogFormat, colours: bool, out: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let log = Self { format, colours, lines, held: Arc::default(), dropped: Arc::default() };
        let writer = Writer {
            out,
            format,
            colours,
            held: Arc::clone(&log.held),
            dropped: Arc::clone(&log.dropped),
            told: None,
        };
        // Without a thread nothing is written; the calls go on.
        let _ =
            std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&queue));
        log
    }

    /// How lines look.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Whether human lines may carry colours.
    pub fn colours(&self) -> bool {
        self.colours
    }

    /// Offers a whole event (a line, or the lines of a human event), without its line end. `false`:
    /// it did not fit the queue and is dropped.
    pub fn offer(&self, line: String) -> bool {
        let size = line.len();
        let fits = self.held.fetch_add(size, Ordering::Relaxed) + size <= QUEUE_BYTES
            && self.lines.try_send(Message::Line(line)).is_ok();
        if !fits {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Waits until what was offered so far is written, at most this long.
    pub fn flush(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        let left = || deadline.saturating_duration_since(Instant::now());
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(error) = self.lines.try_send(message) {
            let TrySendError::Full(back) = error else { return };
            if left().is_zero() {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = written.recv_timeout(left());
    }
}

struct Writer<W> {
    out: W,
    format: LogFormat,
    colours: bool,
    held: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    told: Option<Instant>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, queue: &Receiver<Message>) {
        let mut queue = Batched::new(queue);
        loop {
            match queue.next(Duration::from_secs(1)) {
                Ok(Message::Line(line)) => self.write_with_more(line, &mut queue),
                Ok(Message::Flush(done)) => {
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tell_dropped();
        }
    }

    /// Writes a line with those that wait behind it.
    fn write_with_more(&mut self, mut lines: String, queue: &mut Batched<'_, Message>) {
        self.held.fetch_sub(lines.len(), Ordering::Relaxed);
        let (mut count, mut asked) = (1, None);
        while count < AT_ONCE && lines.len() < AT_ONCE_BYTES {
            match queue.at_hand() {
                Some(Message::Line(line)) => {
                    self.held.fetch_sub(line.len(), Ordering::Relaxed);
                    lines.push('\n');
                    lines.push_str(&line);
                    count += 1;
                }
                Some(Message::Flush(done)) => {
                    asked = Some(done);
                    break;
                }
                None => break,
            }
        }
        self.write(lines);
        if let Some(done) = asked {
            let _ = done.try_send(());
        }
    }

    fn write(&mut self, mut lines: String) {
        lines.push('\n');
        // A closed stderr is nobody's fault; calls go on.
        let _ = self.out.write_all(lines.as_bytes());
    }

    fn tell_dropped(&mut self) {
        const MESSAGE: &str = "log lines were dropped: stderr is too slow";
        if self.told.is_some_and(|told| told.elapsed() < ONCE) {
            return;
        }
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.told = Some(Instant::now());
            self.write(match self.format {
                LogFormat::Json => {
                    let own = [(fields::COUNT, json::Shown::Number(lost))];
                    json_line("WARN", MESSAGE, module_path!(), &own)
                }
                LogFormat::Human => format!(
                    "{} {} {MESSAGE}  {}={lost}",
                    now(),
                    human_level("WARN", self.colours),
                    fields::COUNT
                ),
            });
        }
    }
}

/// One event as a JSON object: time, level, message and target first, then its own fields in the
/// order given.
pub fn json_line(
    level: &str,
    message: &str,
    target: &str,
    own: &[(&str, impl json::Field)],
) -> String {
    let standard = [
        (fields::TIMESTAMP, &*now()),
        (fields::LEVEL, level),
        (fields::MESSAGE, message),
        (fields::TARGET, target),
    ];
    // A `Map` would sort the fields by name.
    let mut line = String::with_capacity(4_096);
    for (name, text) in standard {
        line.push(if line.is_empty() { '{' } else { ',' });
        push_name(&mut line, name);
        json::push_text(&mut line, text);
    }
    line.push('}');
    for (name, value) in own {
        add_field(&mut line, name, value);
    }
    line
}

/// Adds a field to an event that [`json_line`] made.
pub fn add_field(line: &mut String, name: &str, value: &impl json::Field) {
    line.pop();
    line.push(',');
    push_name(line, name);
    value.push_to(line);
    line.push('}');
}

/// Names stand in the code: none needs an escape.
fn push_name(line: &mut String, name: &str) {
    line.push('"');
    line.push_str(name);
    line.push_str("\":");
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
                        serde_json::Value::String(text) => format!("{name}={text}"),
                        other => format!("{name}={other}"),
                    })
                    .collect();
                format!(
                    "{} {} {}  {}",
                    now(),
                    human_level(level, self.log.colours),
                    collected.message,
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
        let value = match value {
            serde_json::Value::String(text) => visible(&text).into(),
            other => other,
        };
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::channel;

    use super::super::kept::{Blocked, Kept};
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_log_blocks_nobody_and_tells_what_was_lost() {
        let (let_go, blocked) = channel();
        let kept = Kept::default();
        let log = Blocked::new(blocked, kept.clone()).log();
        let taken = (0..QUEUE + 100).filter(|_| log.offer("{}".to_owned())).count();
        assert_eq!(taken, QUEUE);
        drop(let_go);
        log.flush(WAIT);
        let text = kept.text();
        let lost: serde_json::Value = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|value: &serde_json::Value| value["level"] == "WARN")
            .unwrap();
        assert_eq!(lost["count"], 100);
    }

    #[test]
    fn waiting_lines_are_bounded_in_bytes() {
        let (_let_go, blocked) = channel();
        let log = Blocked::new(blocked, Kept::default()).log();
        let large = "x".repeat(QUEUE_BYTES / 8);
        let taken = (0..64).filter(|_| log.offer(large.clone())).count();
        assert_eq!(taken, 8);
    }

    #[test]
    fn a_closed_log_stops_nobody() {
        let log = Log::to(LogFormat::Human, false, Closed);
        assert!(log.offer("one".to_owned()));
        log.flush(WAIT);
        assert!(log.offer("two".to_owned()));
        log.flush(WAIT);
    }

    #[test]
    fn events_are_flat_objects_in_a_fixed_order() {
        let kept = Kept::default();
        let log = Log::to(LogFormat::Json, false, kept.clone());
        let subscriber = Registry::default().with(EventLayer { log: log.clone() });
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(
                target: "twiml_guard::test", listener = "public",
                server.address = %"127.0.0.1:8080", routes = 2, "listening"
            );
            tracing::info!(target: "hyper::proto", "not ours");
            tracing::debug!(target: "twiml_guard::test", "too quiet");
        });
        log.flush(WAIT);
        let text = kept.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let (start, rest) = text.split_once("Z\",").unwrap();
        assert!(start.starts_with("{\"timestamp\":\"20"), "{text}");
        assert_eq!(
            rest,
            "\"level\":\"INFO\",\"message\":\"listening\",\"target\":\"twiml_guard::test\",\"listener\":\"public\",\"server.address\":\"127.0.0.1:8080\",\"routes\":2}\n"
        );
    }

    #[test]
    fn no_value_forges_a_line_or_steers_a_terminal() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let kept = Kept::default();
            let log = Log::to(format, false, kept.clone());
            let subscriber = Registry::default().with(EventLayer { log: log.clone() });
            tracing::subscriber::with_default(subscriber, || {
                tracing::warn!(target: "twiml_guard::test", error = "a\nWARN forged \u{1b}[2J\u{202e}\u{2028}שלום", "odd");
            });
            log.flush(WAIT);
            let text = kept.text();
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{2028}']), "{text}");
            assert!(text.contains("שלום"), "{text}");
        }
    }
}
