//! The proxy in front of a backend, in this process.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::Method;
use twiml_guard::config::otlp::Otlp;
use twiml_guard::config::route::{Callbacks, PathPattern, Policies, Retry, Route};
use twiml_guard::config::upstreams::{Balance, Patience, Upstreams};
use twiml_guard::config::{
    AdminListener, Capture, Clients, Config, IncidentsConfig, LogBody, LogConfig, OpsListener,
    PassLimits, QueueConfig, SignatureMode, Signatures, Upstream,
};
use twiml_guard::guard::Policy;
use twiml_guard::incidents::instruments;
use twiml_guard::incidents::recorder::Recorder;
use twiml_guard::proxy::{Proxy, Summary};
use twiml_guard::shutdown::Shutdown;
use twiml_guard::telemetry::metrics::Metrics;
use twiml_guard::twilio::SlotSetting;

/// A running guard; stops when dropped.
pub struct Guard {
    pub address: SocketAddr,
    pub metrics: Metrics,
    shutdown: Shutdown,
    running: Option<JoinHandle<Summary>>,
}

impl Guard {
    /// In front of `backend`, with every path guarded by recognition only.
    pub fn before(backend: SocketAddr) -> Self {
        Self::with(config(backend))
    }

    /// With a configuration.
    pub fn with(config: Config) -> Self {
        let metrics = instruments().unwrap();
        let proxy = Proxy::bind(
            Arc::new(config),
            Recorder::without_writer(instruments().unwrap()),
            metrics.clone(),
        )
        .unwrap();
        let (address, shutdown) = (proxy.local_addr().unwrap_or_else(unix), Shutdown::new());
        let raised = shutdown.clone();
        let running = Some(thread::spawn(move || proxy.run(raised)));
        Self { address, metrics, shutdown, running }
    }

    /// The value of a metric's line, its labels included.
    pub fn metric(&self, line: &str) -> i64 {
        let text = self.metrics.render();
        let value = text.lines().find_map(|own| own.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in {text}")).parse().unwrap()
    }

    /// What a metric of a backend says now.
    pub fn of_backend(&self, metric: &str, backend: SocketAddr) -> i64 {
        let start = format!("{metric}{{upstream=\"{backend}\"}} ");
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.expect("every backend has its metrics").parse().unwrap()
    }

    /// Raises the shutdown without waiting.
    pub fn begin_stop(&self) {
        self.shutdown.raise();
    }

    /// Stops, and gives the summary.
    pub fn stop(mut self) -> Summary {
        self.shutdown.raise();
        self.running.take().unwrap().join().unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shutdown.raise();
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

/// A configuration with short times.
pub fn config(backend: SocketAddr) -> Config {
    let upstream = Upstream::tcp(&backend.ip().to_string(), backend.port());
    let policy = Policy { upstream_authority: upstream.authority(), ..Policy::default() };
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        clients: Clients::default(),
        ops: OpsListener::Off,
        ops_drain: twiml_guard::config::OpsDrain::default(),
        admin: AdminListener::Off,
        budget: Duration::from_millis(1500),
        connect_timeout: Duration::from_millis(500),
        max_webhooks: 1024,
        patience: Patience::default(),
        upstream_tls: None,
        max_answer_body: 256 * 1024,
        max_request_body: 64 * 1024,
        max_head: 64 * 1024,
        max_headers: 100,
        max_buffered: 64 * 1024 * 1024,
        pass: PassLimits::default(),
        drain_timeout: Duration::from_secs(3),
        drain_grace: Duration::ZERO,
        reload_every: Duration::ZERO,
        workers: 1,
        log: LogConfig { format: None, body: LogBody::None },
        incidents: IncidentsConfig {
            capture: Capture::Masked,
            mask: Vec::new(),
            keep_for: Duration::from_hours(1),
            max_size: 64 * 1024 * 1024,
            quiet_after: Duration::from_mins(10),
        },
        notify: Vec::new(),
        aliases: Vec::new(),
        otlp: Otlp::default(),
        hash: Arc::from("test"),
        signatures: Signatures::default(),
        callbacks: QueueConfig::default(),
        state_dir: None,
        public_url: None,
        routes: Vec::new(),
        default_route: Arc::new(Route {
            name: "*".to_owned(),
            pattern: PathPattern::Prefix("/".to_owned()),
            method: None,
            slot: SlotSetting::Auto,
            upstreams: Upstreams::one(upstream),
            signature: SignatureMode::Off,
            policy: Policies::new(policy),
            callbacks: Callbacks::default(),
            retry: Retry::default(),
        }),
    }
}

/// Several backends for whatever has no route.
pub fn upstreams(config: &mut Config, backends: &[SocketAddr], balance: Balance) {
    let upstream = |backend: &SocketAddr| format!("http://{backend}").parse::<Upstream>().unwrap();
    let mut route = (*config.default_route).clone();
    route.upstreams = Upstreams::several(backends.iter().map(upstream).collect(), balance).unwrap();
    config.default_route = Arc::new(route);
}

/// Adds a route for a path, changed by `change`.
pub fn route(config: &mut Config, path: &str, slot: &str, change: impl FnOnce(&mut Policy)) {
    let mut policy = (**config.default_route.policy.configured()).clone();
    change(&mut policy);
    config.routes.push(Arc::new(Route {
        name: path.to_owned(),
        pattern: PathPattern::Exact(path.to_owned()),
        method: None::<Method>,
        slot: slot.parse().unwrap(),
        upstreams: config.default_route.upstreams.clone(),
        signature: config.default_route.signature,
        policy: Policies::new(policy),
        callbacks: config.default_route.callbacks,
        retry: config.default_route.retry,
    }));
}

/// What stands for the address of a guard that listens on a Unix socket.
fn unix() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
