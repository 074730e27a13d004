//! Values: from what was typed to what it means, or why it can't mean anything.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use super::Upstream;
use super::keys::Kind;
use super::secret::Secret;
use super::url::{public_url, webhook, without_credentials};

/// A value as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// `true`, `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Strings in a list.
    List(Vec<String>),
    /// A string; from a flag or the environment everything is one.
    Text(String),
    /// From a flag or the environment: may stand for a flag or a number too.
    Word(String),
}

impl Raw {
    fn shown(&self) -> String {
        match self {
            Self::Flag(flag) => format!("`{flag}`"),
            Self::List(list) => format!("`{list:?}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Text(text) | Self::Word(text) => {
                let text = without_credentials(text);
                format!("`{}`", text.chars().take(80).collect::<String>().escape_debug())
            }
        }
    }
}

/// A value that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An address.
    Address(SocketAddr),
    /// A whole number.
    Count(usize),
    /// A time.
    Duration(Duration),
    /// Yes or no.
    Flag(bool),
    /// Names.
    List(Vec<String>),
    /// Nothing there.
    Off,
    /// A path.
    Path(PathBuf),
    /// What is never shown.
    Secret(Secret),
    /// Bytes.
    Size(usize),
    /// A Unix socket.
    Socket(PathBuf),
    /// Text or a word.
    Text(String),
    /// A backend.
    Upstream(Upstream),
    /// Several backends.
    Upstreams(Vec<Upstream>),
}

impl Value {
    /// The value as `config print` writes it: TOML.
    pub fn written(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::Address(address) => quoted(&address.to_string()),
            Self::Count(count) => count.to_string(),
            Self::Duration(duration) => quoted(&write_duration(*duration)),
            Self::Flag(flag) => flag.to_string(),
            Self::List(list) => toml::Value::from(list.clone()).to_string(),
            Self::Off => quoted("off"),
            Self::Path(path) => quoted(&path.to_string_lossy()),
            // Stars where no URL has them: read again, it is refused rather than asked.
            Self::Secret(_) => quoted("https://***"),
            Self::Size(size) => quoted(&write_size(*size)),
            Self::Socket(path) => quoted(&format!("unix:{}", path.to_string_lossy())),
            Self::Text(text) => quoted(text),
            Self::Upstream(upstream) => quoted(&upstream.to_string()),
            Self::Upstreams(all) => {
                toml::Value::from(all.iter().map(Upstream::to_string).collect::<Vec<_>>())
                    .to_string()
            }
        }
    }
}

/// Reads a value; `Err` says what was expected and found.
pub fn read(kind: Kind, raw: &Raw) -> Result<Value, String> {
    let expected = |what: &str| format!("expected {what}, found {}", raw.shown());
    let text = match (kind, raw) {
        (Kind::Flag, Raw::Flag(flag)) => return Ok(Value::Flag(*flag)),
        (Kind::Flag, Raw::Word(word)) => {
            return match word.as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::Flag(true)),
                "false" | "0" | "no" | "off" | "" => Ok(Value::Flag(false)),
                _ => Err(expected("true or false")),
            };
        }
        (Kind::Flag, _) => return Err(expected("true or false, without quotes")),
        (Kind::Count(min, max), raw) => {
            let number = match raw {
                Raw::Number(number) => usize::try_from(*number).ok(),
                Raw::Word(word) => word.parse().ok(),
                _ => None,
            };
            return match number {
                Some(number) if (min..=max).contains(&number) => Ok(Value::Count(number)),
                _ => Err(expected(&format!("a whole number from {min} to {max}"))),
            };
        }
        (Kind::List | Kind::Upstreams | Kind::Words(_), raw) => {
            let list = match raw {
                Raw::List(list) => list.clone(),
                Raw::Word(word) => {
                    let list = word.split(',').map(|name| name.trim().to_owned());
                    list.filter(|name| !name.is_empty()).collect()
                }
                _ => return Err(expected(&describe(kind))),
            };
            if kind == Kind::Upstreams {
                return upstreams(&list)
                    .map_err(|why| format!("{}: {why}", expected(&describe(kind))));
            }
            return names(kind, list).ok_or_else(|| expected(&describe(kind)));
        }
        (Kind::Size(..), Raw::Number(number)) => number.to_string(),
        (_, Raw::Text(text) | Raw::Word(text)) => text.clone(),
        (kind, _) => return Err(expected(&describe(kind))),
    };
    let fault = || expected(&describe(kind));
    match kind {
        Kind::AddressOrOff | Kind::AddressOrSocket if text == "off" => Ok(Value::Off),
        Kind::AddressOrSocket | Kind::Listen if text.starts_with("unix:") => {
            socket(&text).map(Value::Socket).ok_or_else(fault)
        }
        Kind::Address | Kind::AddressOrOff | Kind::AddressOrSocket | Kind::Listen => {
            address(&text).map(Value::Address).ok_or_else(fault)
        }
        Kind::Duration(min, max) => match duration(&text) {
            Some(duration) if (min..=max).contains(&duration) => Ok(Value::Duration(duration)),
            _ => Err(fault()),
        },
        Kind::Size(min, max) => match size(&text) {
            Some(size) if (min..=max).contains(&size) => Ok(Value::Size(size)),
            _ => Err(fault()),
        },
        Kind::Word(words) => {
            if words.contains(&text.as_str()) {
                Ok(Value::Text(text))
            } else {
                Err(fault())
            }
        }
        Kind::Upstream => {
            text.parse().map(Value::Upstream).map_err(|why| format!("{}: {why}", fault()))
        }
        Kind::PublicUrl => public_url(&text).map(Value::Text).ok_or_else(fault),
        Kind::Method => {
            let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
                .contains(&text.as_str());
            if known { Ok(Value::Text(text)) } else { Err(fault()) }
        }
        Kind::Pattern => {
            pattern(&text).map(Value::Text).map_err(|why| format!("{}: {why}", fault()))
        }
        // What stands there may be half a secret.
        Kind::SecretUrl => webhook(&text)
            .map(|()| Value::Secret(Secret::new(text)))
            .map_err(|why| format!("expected {}: {why}", describe(kind))),
        Kind::Path | Kind::File if text.is_empty() => Err(fault()),
        Kind::Path | Kind::File => Ok(Value::Path(PathBuf::from(text))),
        Kind::Text if text.trim().is_empty() => Err(fault()),
        Kind::Text | Kind::Twiml(_) => Ok(Value::Text(text)),
        Kind::Flag | Kind::Count(..) | Kind::List | Kind::Upstreams | Kind::Words(_) => {
            Err(fault())
        }
    }
}

/// Backends, at least one and none of them twice; `Err` says which one is wrong.
fn upstreams(list: &[String]) -> Result<Value, String> {
    let mut all = Vec::new();
    for text in list {
        let one = text
            .parse::<Upstream>()
            .map_err(|why| format!("`{}`: {why}", without_credentials(text)))?;
        if all.iter().any(|other: &Upstream| other.authority() == one.authority()) {
            return Err(format!("`{}` is there twice", one.authority()));
        }
        all.push(one);
    }
    if all.is_empty() { Err("there is none".to_owned()) } else { Ok(Value::Upstreams(all)) }
}

/// Names without blanks at their ends, none of them empty; or some of the words that there are.
fn names(kind: Kind, list: Vec<String>) -> Option<Value> {
    let sound = |name: &String| match kind {
        Kind::Words(words) => words.contains(&name.as_str()),
        _ => !name.is_empty() && name.trim() == name,
    };
    list.iter().all(sound).then_some(Value::List(list))
}

/// What a kind expects, for messages.
pub fn describe(kind: Kind) -> String {
    match kind {
        Kind::Address => "an address and port like \"127.0.0.1:8080\"".to_owned(),
        Kind::AddressOrOff => "an address and port like \"127.0.0.1:9900\", or \"off\"".to_owned(),
        Kind::AddressOrSocket => {
            "an address and port like \"127.0.0.1:9901\", a socket like \"unix:/run/twiml-guard/admin.sock\", or \"off\"".to_owned()
        }
        Kind::Listen => {
            "an address and port like \"127.0.0.1:8080\", or a socket like \"unix:/run/twiml-guard/http.sock\"".to_owned()
        }
        Kind::Count(min, max) => format!("a whole number from {min} to {max}"),
        Kind::Duration(min, max) => {
            let why = if max == Duration::from_millis(14_500) {
                " (Twilio gives up after 15 s)"
            } else {
                ""
            };
            format!(
                "a duration like \"13s\" or \"500ms\" from {} to {}{why}",
                write_duration(min),
                write_duration(max)
            )
        }
        Kind::Flag => "true or false".to_owned(),
        Kind::List => "a list of names like [\"one\", \"two\"]".to_owned(),
        Kind::Method => {
            "a method in capitals: GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS".to_owned()
        }
        Kind::File | Kind::Path => "a path".to_owned(),
        Kind::Pattern => {
            "a path like \"/voice\", \"/webhook/*\" or \"/calls/{id}/menu\"".to_owned()
        }
        Kind::PublicUrl => {
            "scheme and host like \"https://pbx.example.com\", without path".to_owned()
        }
        Kind::SecretUrl => "a URL that begins with https:// or http://".to_owned(),
        Kind::Size(min, max) => format!(
            "a size like \"1MiB\" or \"64kB\" from {} to {}",
            write_size(min),
            write_size(max)
        ),
        Kind::Text => "text".to_owned(),
        Kind::Twiml(_) => "TwiML as a string, or a table { file = \"…\" }".to_owned(),
        Kind::Upstream => "a backend like \"http://127.0.0.1:5000\"".to_owned(),
        Kind::Upstreams => {
            "a list of backends like [\"http://10.0.0.1:5000\", \"http://10.0.0.2:5000\"]".to_owned()
        }
        Kind::Word(words) => format!("one of {}", quoted(words)),
        Kind::Words(words) => format!("a list of some of {}", quoted(words)),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // `localhost:8080` is what people type; other names are not for listening on.
    let port = text.strip_prefix("localhost:")?;
    format!("127.0.0.1:{port}").to_socket_addrs().ok()?.next()
}

/// `unix:` and an absolute path; the system takes about 100 bytes of one.
pub(super) fn socket(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("unix:")?;
    let fits = path.len() <= 100 && !path.chars().any(char::is_control);
    let names_a_file = path.starts_with('/') && !path.ends_with('/');
    (fits && names_a_file).then(|| PathBuf::from(path))
}

/// `13s`, `500ms`, `10min`.
pub fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    // Whole milliseconds only, so that what `config print` writes is the value.
    let scaled = number * factor;
    let whole = scaled.round();
    if (scaled - whole).abs() < 1e-6 {
        Duration::try_from_secs_f64(whole / 1000.0).ok()
    } else {
        None
    }
}

fn write_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_millis() == 0 {
        match [(86_400, "d"), (3_600, "h")].iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
            Some((unit, name)) if seconds > 0 => format!("{}{name}", seconds / unit),
            _ => format!("{seconds}s"),
        }
    } else {
        format!("{}ms", duration.as_millis())
    }
}

fn size(text: &str) -> Option<usize> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" => 1000,
        "KiB" => 1024,
        "MB" => 1_000_000,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

fn write_size(size: usize) -> String {
    for (factor, unit) in [(1024 * 1024, "MiB"), (1024, "KiB"), (1000, "kB")] {
        if size >= factor && size.is_multiple_of(factor) {
            return format!("{}{unit}", size / factor);
        }
    }
    format!("{size}B")
}

fn pattern(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("it begins with /");
    }
    if text.contains(['?', '#']) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it is a path alone: no query, no blanks");
    }
    if text.ends_with('*') && text.contains('{') {
        return Err("`*` and {name} do not go together; write the prefix up to the first {name}");
    }
    if let Some(at) = text.find('*')
        && (!text.ends_with("/*") || at + 1 != text.len())
    {
        return Err("`*` stands at the end only, after a slash; use {name} for one segment");
    }
    let whole = |segment: &str| {
        !segment.contains(['{', '}'])
            || (segment.starts_with('{') && segment.ends_with('}') && segment.len() > 2)
    };
    if !text.split('/').all(whole) {
        return Err("{name} stands for a whole segment");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(kind: Kind, text: &str) -> Value {
        read(kind, &Raw::Text(text.to_owned())).unwrap()
    }

    fn err(kind: Kind, text: &str) -> String {
        read(kind, &Raw::Text(text.to_owned())).unwrap_err()
    }

    const TIME: Kind = Kind::Duration(Duration::from_millis(100), Duration::from_millis(14_500));

    #[test]
    fn durations_and_sizes_have_a_strict_grammar() {
        assert_eq!(ok(TIME, "13s"), Value::Duration(Duration::from_secs(13)));
        assert_eq!(ok(TIME, "500ms"), Value::Duration(Duration::from_millis(500)));
        assert_eq!(ok(TIME, "1.5s").written(), "\"1500ms\"");
        for text in ["13", "13 hours", "-1s", "", "s", "20s", "1e3s", "NaNs", "1.0005s", "100.5ms"]
        {
            assert!(err(TIME, text).contains("Twilio gives up after 15 s"), "{text}");
        }
        assert_eq!(ok(Kind::Size(1, 1 << 30), "1MiB"), Value::Size(1 << 20));
        assert_eq!(ok(Kind::Size(1, 1 << 30), "64kB").written(), "\"64kB\"");
    }

    #[test]
    fn upstreams_are_host_and_port() {
        assert_eq!(
            ok(Kind::Upstream, "http://app:5000/"),
            Value::Upstream(Upstream::tcp("app", 5000))
        );
        assert_eq!(ok(Kind::Upstream, "http://[::1]:80").written(), "\"http://[::1]:80\"");
        assert_eq!(ok(Kind::Upstream, "http://app").written(), "\"http://app:80\"");
        for (text, why) in [
            ("ftp://app", "begins with http://"),
            ("app:5000", "begins with http://"),
            ("http://app/x", "a path"),
            ("http://u:p@app", "credentials"),
            ("http://app:0", "port"),
            ("http://", ""),
        ] {
            assert!(
                err(Kind::Upstream, text).contains(why),
                "{text}: {}",
                err(Kind::Upstream, text)
            );
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        let shown = err(Kind::Upstream, "http://user:secret@app:5000");
        assert!(!shown.contains("secret") && shown.contains("@app:5000"), "{shown}");
    }

    #[test]
    fn patterns_are_paths() {
        for text in ["/voice", "/", "/a/*", "/calls/{id}/menu", "/*"] {
            ok(Kind::Pattern, text);
        }
        for text in ["voice", "/a*", "/a/*/b", "/a?b", "/a b", "/a/{", "/x{id}", "/a/{id}/*"] {
            err(Kind::Pattern, text);
        }
    }
}
