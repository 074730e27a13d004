//! OpenTelemetry's own variables (`OTEL_…`): whether, where and how incidents and metrics are sent.
//!
//! They are often set for a whole platform, so nothing in them keeps the guard from starting: what
//! can't be followed is a warning.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::secret::Secret;
use super::url::webhook;

/// What is sent to collectors. By default nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Otlp {
    /// Where incidents go, as log records.
    pub logs: Option<Signal>,
    /// Where metrics go.
    pub metrics: Option<Signal>,
    /// What the sender is called: attributes of its resource.
    pub resource: Vec<(String, String)>,
    /// How often metrics are sent.
    pub metric_interval: Duration,
    /// How log records are gathered.
    pub batch: Batch,
    /// What could not be followed, one line each.
    pub warnings: Vec<String>,
}

/// Where and how one kind of data is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The whole URL.
    pub url: Secret,
    /// Headers of each request.
    pub headers: Vec<(String, Secret)>,
    /// Time for one attempt.
    pub timeout: Duration,
    /// JSON instead of Protocol Buffers.
    pub json: bool,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub certificate: Option<PathBuf>,
    /// Certificates and key (PEM) that are shown to the collector.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// How log records are gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batch {
    /// How long a record may wait for others.
    pub delay: Duration,
    /// Most records that wait; more are dropped.
    pub queue: usize,
    /// Most records in one request.
    pub size: usize,
}

const LONGEST: u64 = 24 * 3_600_000;

impl Otlp {
    /// Reads the variables.
    pub fn from_env(env: &BTreeMap<String, String>) -> Self {
        let mut reader = Reader { env, warnings: Vec::new() };
        let disabled = reader.get("OTEL_SDK_DISABLED");
        if disabled.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let logs = reader.signal("LOGS", "v1/logs");
        let metrics = reader.signal("METRICS", "v1/metrics");
        if logs.is_none() && metrics.is_none() {
            return Self { warnings: reader.warnings, ..Self::default() };
        }
        let delay = reader.number("OTEL_BLRP_SCHEDULE_DELAY", 0, LONGEST, 1_000);
        let most = reader.number("OTEL_BLRP_EXPORT_TIMEOUT", 1, LONGEST, 30_000);
        let queue = reader.number("OTEL_BLRP_MAX_QUEUE_SIZE", 1, 1_000_000, 2_048);
        let size = reader.number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 1, queue, queue.min(512));
        let interval = reader.number("OTEL_METRIC_EXPORT_INTERVAL", 1, LONGEST, 60_000);
        let longest = reader.number("OTEL_METRIC_EXPORT_TIMEOUT", 1, LONGEST, 30_000);
        let within = |signal: Option<Signal>, most| {
            signal.map(|signal| Signal {
                timeout: signal.timeout.min(Duration::from_millis(most)),
                ..signal
            })
        };
        let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            logs: within(logs, most),
            metrics: within(metrics, longest),
            resource: reader.resource(),
            metric_interval: Duration::from_millis(interval),
            batch: Batch {
                delay: Duration::from_millis(delay),
                queue: whole(queue),
                size: whole(size),
            },
            warnings: reader.warnings,
        }
    }
}

struct Reader<'e> {
    env: &'e BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    /// A variable that is set, and not to nothing.
    fn get(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn warn(&mut self, name: &str, expected: impl Display) {
        self.warnings.push(format!("{name}: expected {expected}"));
    }

    /// A signal's own variable, else the one for all signals: its name and its value.
    fn of(&self, signal: &str, what: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")]
            .into_iter()
            .find_map(|name| Some((name.clone(), self.get(&name)?.to_owned())))
    }

    fn number(&mut self, name: &str, min: u64, max: u64, default: u64) -> u64 {
        let Some(text) = self.get(name) else { return default };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                self.warn(name, format!("a number from {min} to {max}; {default} is used"));
                default
            }
        }
    }

    fn signal(&mut self, signal: &str, path: &str) -> Option<Signal> {
        let exporter = format!("OTEL_{signal}_EXPORTER");
        match self.get(&exporter) {
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(_) => {
                self.warn(&exporter, "otlp or none; nothing is sent");
                return None;
            }
        }
        let (name, endpoint) = self.of(signal, "ENDPOINT")?;
        if let Err(why) = webhook(&endpoint) {
            self.warn(&name, format!("a URL like http://collector:4318: {why}; nothing is sent"));
            return None;
        }
        // Only the endpoint for all signals is a base that paths are added to.
        let url = if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
            format!("{}/{path}", endpoint.trim_end_matches('/'))
        } else {
            endpoint
        };
        let json = match self.of(signal, "PROTOCOL") {
            None => false,
            Some((_, word)) if word == "http/protobuf" => false,
            Some((_, word)) if word == "http/json" => true,
            Some((name, _)) => {
                self.warn(&name, "http/protobuf or http/json, and the collector's HTTP port (4318) in the endpoint; gRPC is not spoken; nothing is sent");
                return None;
            }
        };
        let gzip = match self.of(signal, "COMPRESSION") {
            None => false,
            Some((_, word)) if word == "none" => false,
            Some((_, word)) if word == "gzip" => true,
            Some((name, _)) => {
                self.warn(&name, "gzip or none; bodies are not compressed");
                false
            }
        };
        let temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        if signal == "METRICS"
            && self.get(temporality).is_some_and(|word| !word.eq_ignore_ascii_case("cumulative"))
        {
            self.warn(temporality, "cumulative, which is what is sent");
        }
        let timeout = self
            .of(signal, "TIMEOUT")
            .map_or(10_000, |(name, _)| self.number(&name, 1, LONGEST, 10_000));
        Some(Signal {
            url: Secret::new(url),
            headers: self.headers(signal),
            timeout: Duration::from_millis(timeout),
            json,
            gzip,
            certificate: self.of(signal, "CERTIFICATE").map(|(_, path)| path.into()),
            client: self.client(signal),
        })
    }

    fn client(&mut self, signal: &str) -> Option<(PathBuf, PathBuf)> {
        match (self.of(signal, "CLIENT_CERTIFICATE"), self.of(signal, "CLIENT_KEY")) {
            (Some((_, certificate)), Some((_, key))) => Some((certificate.into(), key.into())),
            (Some((name, _)), None) | (None, Some((name, _))) => {
                self.warn(&name, "CLIENT_CERTIFICATE and CLIENT_KEY, found one; neither is used");
                None
            }
            (None, None) => None,
        }
    }

    /// `a=b,c=d%20e`; what is wrong is left out.
    fn headers(&mut self, signal: &str) -> Vec<(String, Secret)> {
        let Some((name, text)) = self.of(signal, "HEADERS") else { return Vec::new() };
        let mut headers = Vec::new();
        for (key, value) in pairs(&text) {
            let sound = http::HeaderName::from_bytes(key.as_bytes()).is_ok()
                && value.as_ref().is_some_and(|v| http::HeaderValue::from_str(v).is_ok());
            match value {
                Some(value) if sound => headers.push((key, Secret::new(value))),
                _ => self.warn(&name, "name=value,name=value; a pair that is not is left out"),
            }
        }
        headers
    }

    fn resource(&mut self) -> Vec<(String, String)> {
        let mut resource = BTreeMap::from([
            ("service.name".to_owned(), "twiml-guard".to_owned()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let pairs = pairs(self.get(name).unwrap_or_default());
        if pairs.iter().any(|(key, value)| key.is_empty() || value.is_none()) {
            self.warn(name, "name=value,name=value; all of it is left out");
        } else {
            resource.extend(pairs.into_iter().filter_map(|(key, value)| Some((key, value?))));
        }
        if let Some(own) = self.get("OTEL_SERVICE_NAME") {
            resource.insert("service.name".to_owned(), own.to_owned());
        }
        resource.into_iter().collect()
    }
}

/// The pairs of `a=b,c=d`, percent-decoded; `None` for a value that is not there or no text.
fn pairs(text: &str) -> Vec<(String, Option<String>)> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(Into::into);
    text.split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => (decoded(key).unwrap_or_default(), decoded(value)),
            None => (pair.trim().to_owned(), None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Otlp {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Otlp::from_env(&pairs.collect())
    }

    fn url(signal: Option<&Signal>) -> &str {
        signal.map_or("", |signal| signal.url.reveal())
    }

    #[test]
    fn nothing_is_sent_without_an_endpoint() {
        assert_eq!(read(&[("OTEL_SERVICE_NAME", "pbx")]), Otlp::default());
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Otlp::default());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        assert_eq!(read(&[endpoint, ("OTEL_SDK_DISABLED", "True")]), Otlp::default());
        let none =
            read(&[endpoint, ("OTEL_LOGS_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")]);
        assert_eq!(none, Otlp::default());
    }

    #[test]
    fn paths_are_added_to_the_common_endpoint_only() {
        for base in ["http://c:4318/x", "http://c:4318/x/"] {
            let both = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", base)]);
            assert_eq!(url(both.logs.as_ref()), "http://c:4318/x/v1/logs");
            assert_eq!(url(both.metrics.as_ref()), "http://c:4318/x/v1/metrics");
        }
        let own = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example.com/in"),
        ]);
        assert_eq!(url(own.logs.as_ref()), "https://logs.example.com/in");
        assert_eq!(url(own.metrics.as_ref()), "http://c:4318/v1/metrics");
    }

    #[test]
    fn every_setting_is_followed() {
        let otlp = read(&[
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c:4318/l"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, x = y"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=a%2Cb,service.name=other"),
            ("OTEL_SERVICE_NAME", "pbx"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "20000"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "7000"),
        ]);
        let logs = otlp.logs.unwrap();
        let headers: Vec<_> =
            logs.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        assert_eq!(headers, [("api-key", "a b="), ("x", "y")]);
        assert_eq!(logs.timeout, Duration::from_secs(20));
        assert!(logs.json && logs.gzip && logs.certificate.is_some() && otlp.metrics.is_none());
        let batch = Batch { delay: Duration::from_millis(50), queue: 100, size: 100 };
        assert_eq!((otlp.batch, otlp.metric_interval), (batch, Duration::from_secs(7)));
        assert!(otlp.resource.contains(&("deployment.environment".to_owned(), "a,b".to_owned())));
        assert!(otlp.resource.contains(&("service.name".to_owned(), "pbx".to_owned())));
        assert_eq!(otlp.warnings, [""; 0]);
    }

    #[test]
    fn what_cannot_be_followed_is_said_without_secrets() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        for (name, value, is_sent) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", false),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cr3t@collector", false),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "s3cr3t", true),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t", true),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "s3cr3t", true),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,s3cr3t", true),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "0", true),
        ] {
            let otlp = read(&[endpoint, (name, value)]);
            assert_eq!(otlp.logs.is_some(), is_sent, "{name}");
            let warnings = otlp.warnings.join("\n");
            assert!(warnings.contains(name) && !warnings.contains("s3cr3t"), "{warnings}");
        }
        let otlp = read(&[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t")]);
        assert!(!format!("{otlp:?}").contains("s3cr3t"));
    }
}
