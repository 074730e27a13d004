//! From values to a configuration that is valid by construction.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use sha2::{Digest as _, Sha256};

use super::admin;
use super::alias;
use super::clients;
use super::error::{ConfigError, Origin};
use super::fallbacks::{self, Leads};
use super::languages;
use super::layers::{Entries, Layers, line_of};
use super::listen::Listen;
use super::listeners;
use super::notify;
use super::otlp::Otlp;
use super::route::{Callbacks, PathPattern, Policies, Retry, Route};
use super::secret::Secret;
use super::signature::{self, SignatureMode};
use super::tls;
use super::upstream_tls;
use super::upstreams::{self, Patience, Upstreams};
use super::value::Value;
use super::{
    Capture, Config, IncidentsConfig, LogBody, LogConfig, LogFormat, OpsDrain, OpsListener,
    PassLimits, QueueConfig, Upstream,
};
use crate::guard::call::StreamDone;
use crate::guard::policy::{OnFault, OtherMethod, PlainText, Redirects, Repairs};
use crate::guard::{Fallbacks, Policy};
use crate::twilio::{Slot, SlotSetting};

/// Resolves all layers; `None` only if a value without default is missing, which can't be.
pub(super) fn resolve(
    layers: &mut Layers,
    text: &str,
    env: &BTreeMap<String, String>,
) -> Option<Config> {
    let mut errors = Vec::new();
    let upstreams = upstreams::global(layers, text, &mut errors)?;
    let own = Values(&layers.entries);
    let public_url = own.text("public_url");
    let language = languages::language(&own.text("fallback.language")?);
    let words = own.text("fallback.text").unwrap_or_else(|| language.text.to_owned());
    let plain = Arc::new(Fallbacks::spoken(language.say, language.voice, &words));
    fallbacks::check_words(&plain, &layers.entries, text, &mut errors);
    let mut fallbacks = (*plain).clone();
    fallbacks::apply_global(&mut fallbacks, &layers.entries, text, &mut errors);
    let fallbacks = Arc::new(fallbacks);
    let base = Policy {
        own_hosts: public_url.iter().filter_map(|url| own_host(url)).collect(),
        public_origin: public_url.clone(),
        plain_fallbacks: plain,
        fallbacks,
        max_decoded_body: own.size("max_decoded_body")?,
        stream_done: StreamDone {
            after: own.duration("streams.done_after")?,
            audio: own.duration("streams.done_audio")?,
        },
        ..Policy::default()
    };
    let base = policy(base, &own, &upstreams);
    let variable = |name: &str| env.get(name).cloned();
    let signatures = signature::resolve(layers, text, variable, &mut errors);
    let keyring = &signatures.keyring;
    let mode = |entries: &Entries, base, errors: &mut Vec<ConfigError>| {
        signature::mode(entries, base, keyring, text, errors)
    };
    let default_mode = mode(&layers.entries, SignatureMode::Observe, &mut errors);
    let callbacks = Callbacks::named(&own.text("callbacks")?);
    let retry = Retry::named(&own.text("retry")?);
    let mut routes = Vec::new();
    for (entries, span) in &layers.routes {
        if let Some(mut route) =
            route(entries, &base, callbacks, &upstreams, text, span, &mut errors)
        {
            route.signature = mode(entries, default_mode, &mut errors);
            route.retry = Values(entries).text("retry").map_or(retry, |word| Retry::named(&word));
            routes.push((Arc::new(route), span.clone()));
        }
    }
    shadowed(&routes, text, &mut errors);
    let aliases = alias::resolve(layers, &routes, text, &mut errors);
    let default_route = Arc::new(Route {
        name: "*".to_owned(),
        pattern: PathPattern::Prefix("/".to_owned()),
        method: None,
        slot: SlotSetting::Auto,
        upstreams,
        signature: default_mode,
        policy: Policies::new(base),
        callbacks,
        retry,
    });
    Leads { routes: &routes, default_route: &default_route, entries: layers, text }
        .check(&mut errors);
    let ops = match (own.0.get("ops.listen"), own.address("ops.listen")) {
        (_, None) => OpsListener::Off,
        (Some(entry), Some(address)) if entry.origin == Origin::Default => {
            OpsListener::Default(address)
        }
        (_, Some(address)) => OpsListener::Configured(address),
    };
    let admin = admin::resolve(layers, text, &mut errors);
    listeners::check(layers, text, &mut errors);
    callbacks_need_a_folder(layers, text, &mut errors);
    let notify = notify::resolve(layers, text, &mut errors);
    let speaks_tls =
        default_route.speaks_tls() || routes.iter().any(|(route, _)| route.speaks_tls());
    let upstream_tls = upstream_tls::resolve(layers, text, speaks_tls, &mut errors);
    let config = Config {
        listen: own.listen("listen")?,
        tls: tls::resolve(layers, text, &mut errors),
        clients: clients::resolve(&own)?,
        ops,
        ops_drain: match own.text("ops.drain")?.as_str() {
            "any" => OpsDrain::Any,
            "off" => OpsDrain::Off,
            _ => OpsDrain::Loopback,
        },
        admin,
        budget: own.duration("budget")?,
        connect_timeout: own.duration("connect_timeout")?,
        max_webhooks: own.count("max_webhooks")?,
        patience: Patience::default(),
        upstream_tls,
        max_answer_body: own.size("max_answer_body")?,
        max_request_body: own.size("max_request_body")?,
        max_head: own.size("max_head")?,
        max_headers: own.count("max_headers")?,
        max_buffered: own.size("max_buffered")?,
        pass: PassLimits {
            first_byte: own.duration("pass_first_byte_timeout")?,
            idle: own.duration("pass_idle_timeout")?,
        },
        drain_timeout: own.duration("drain_timeout")?,
        drain_grace: own.duration("drain_grace")?,
        reload_every: own.duration("reload_every")?,
        workers: own.count("workers")?,
        log: log(&own)?,
        incidents: incidents(&own)?,
        notify,
        aliases,
        otlp: Otlp::from_env(env),
        signatures,
        callbacks: QueueConfig {
            max_size: own.size("callbacks_max_size")?,
            keep_for: own.duration("callbacks_keep_for")?,
        },
        state_dir: own.path("state_dir"),
        public_url,
        hash: hash(layers),
        routes: routes.into_iter().map(|(route, _)| route).collect(),
        default_route,
    };
    layers.errors.append(&mut errors);
    Some(config)
}

/// What is redelivered waits on disk.
fn callbacks_need_a_folder(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) {
    if layers.entries.contains_key("state_dir") {
        return;
    }
    let of_routes = layers.routes.iter().map(|(entries, _)| ("route.callbacks", entries));
    for (key, entries) in std::iter::once(("callbacks", &layers.entries)).chain(of_routes) {
        let is_redeliver =
            Values(entries).text("callbacks").is_some_and(|word| word == "redeliver");
        if let (true, Some(entry)) = (is_redeliver, entries.get("callbacks")) {
            let message =
                "expected a folder in which callbacks wait, found no `state_dir`".to_owned();
            let help = "set `state_dir`, or let them only be acknowledged (`\"ack\"`)";
            errors.push(listeners::mistake(key, entry, text, message, help));
        }
    }
}

/// Hash of every value in force, wherever it came from.
fn hash(layers: &Layers) -> Arc<str> {
    let mut hasher = Sha256::new();
    let all = layers
        .routes
        .iter()
        .chain(&layers.notify)
        .chain(&layers.aliases)
        .map(|(entries, _)| entries);
    for entries in std::iter::once(&layers.entries).chain(all) {
        for (key, entry) in entries {
            let written = match &entry.value {
                Value::Secret(secret) => secret.reveal().to_owned(),
                value => value.written(),
            };
            hasher.update(format!("{key}={written}\n"));
        }
        hasher.update("\n");
    }
    let head =
        hasher.finalize().iter().take(8).fold(0, |head, byte| (head << 8) | u64::from(*byte));
    format!("{head:016x}").into()
}

fn incidents(own: &Values<'_>) -> Option<IncidentsConfig> {
    Some(IncidentsConfig {
        capture: match own.text("incidents.capture")?.as_str() {
            "full" => Capture::Full,
            _ => Capture::Masked,
        },
        mask: own.list("incidents.mask").unwrap_or_default(),
        keep_for: own.duration("incidents.keep_for")?,
        max_size: own.size("incidents.max_size")?,
        quiet_after: own.duration("incidents.quiet_after")?,
    })
}

fn log(own: &Values<'_>) -> Option<LogConfig> {
    let format = match own.text("log.format")?.as_str() {
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    let body = match own.text("log.body")?.as_str() {
        "none" => LogBody::None,
        "preview" => LogBody::Preview,
        _ => LogBody::Full,
    };
    Some(LogConfig { format, body })
}

/// Host of a public URL: lower case, without the scheme's own port.
fn own_host(url: &str) -> Option<String> {
    let lower = url.to_ascii_lowercase();
    let (authority, port) = match lower.strip_prefix("https://") {
        Some(rest) => (rest, ":443"),
        None => (lower.strip_prefix("http://")?, ":80"),
    };
    Some(authority.strip_suffix(port).unwrap_or(authority).to_owned())
}

/// The policy keys that are there, over a base.
fn policy(base: Policy, own: &Values<'_>, upstreams: &Upstreams) -> Policy {
    let word = |key: &str| own.text(key);
    Policy {
        observe: own.flag("observe").unwrap_or(base.observe),
        on_fault: word("on_fault").map_or(base.on_fault, |word| {
            if word == "fail" { OnFault::Fail } else { OnFault::Fallback }
        }),
        plain_text: word("plain_text").map_or(base.plain_text, |word| {
            if word == "replace" { PlainText::Replace } else { PlainText::Pass }
        }),
        repairs: word("repairs").map_or(base.repairs, |word| {
            if word == "lossless" { Repairs::Lossless } else { Repairs::All }
        }),
        redirects: word("redirects").map_or(base.redirects, |word| {
            if word == "replace" { Redirects::Replace } else { Redirects::Follow }
        }),
        other_method: word("other_method").map_or(base.other_method, |word| match word.as_str() {
            "never" => OtherMethod::Never,
            "missing" => OtherMethod::OnMissing,
            _ => OtherMethod::On405,
        }),
        resign: own.flag("resign").unwrap_or(base.resign),
        slow_after: own.duration("slow_after").unwrap_or(base.slow_after),
        upstream_authority: upstreams.first().host_header(),
        other_authorities: upstreams.all().iter().skip(1).map(Upstream::host_header).collect(),
        ..base
    }
}

fn route(
    entries: &Entries,
    base: &Policy,
    callbacks: Callbacks,
    upstreams: &Upstreams,
    text: &str,
    span: &Range<usize>,
    errors: &mut Vec<ConfigError>,
) -> Option<Route> {
    let own = Values(entries);
    let name = own.text("path")?;
    let slot: SlotSetting = own.text("slot").and_then(|word| word.parse().ok()).unwrap_or_default();
    let upstreams = upstreams::of_route(entries, upstreams);
    let mut policy = policy(base.clone(), &own, &upstreams);
    fallbacks::apply_route(&mut policy, entries, slot, text, span, errors);
    Some(Route {
        pattern: pattern(&name),
        name,
        method: own.text("method").and_then(|method| Method::from_bytes(method.as_bytes()).ok()),
        slot,
        upstreams,
        signature: SignatureMode::Off,
        policy: Policies::new(policy),
        callbacks: own.text("callbacks").map_or(callbacks, |word| Callbacks::named(&word)),
        retry: Retry::default(),
    })
}

pub(super) fn pattern(text: &str) -> PathPattern {
    if let Some(prefix) = text.strip_suffix('*') {
        return PathPattern::Prefix(prefix.to_owned());
    }
    if !text.contains('{') {
        return PathPattern::Exact(text.to_owned());
    }
    let segments = text.trim_start_matches('/').split('/');
    PathPattern::Segments(
        segments.map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned())).collect(),
    )
}

/// A route that an earlier one swallows whole never matches.
fn shadowed(routes: &[(Arc<Route>, Range<usize>)], text: &str, errors: &mut Vec<ConfigError>) {
    for (at, (later, span)) in routes.iter().enumerate() {
        let earlier = routes.iter().take(at).find(|(earlier, _)| {
            let method = earlier.method.is_none() || earlier.method == later.method;
            method && earlier.pattern.covers(&later.pattern)
        });
        if let Some((earlier, by)) = earlier {
            errors.push(ConfigError {
                origin: Origin::File(line_of(text, span.start)),
                key: "route".to_owned(),
                message: format!(
                    "route `{}` never matches: `{}` in line {} takes all of its requests",
                    later.name,
                    earlier.name,
                    line_of(text, by.start)
                ),
                help: Some("put the more specific route first, or drop one".to_owned()),
                span: Some(span.clone()),
            });
        }
    }
}

/// Typed access.
pub(super) struct Values<'e>(pub(super) &'e Entries);

macro_rules! typed {
    ($($name:ident -> $type:ty: $variant:ident),+ $(,)?) => {
        $(pub(super) fn $name(&self, key: &str) -> Option<$type> {
            match &self.0.get(key)?.value {
                Value::$variant(value) => Some(value.clone()),
                _ => None,
            }
        })+
    };
}

impl Values<'_> {
    pub(super) fn listen(&self, key: &str) -> Option<Listen> {
        match &self.0.get(key)?.value {
            Value::Address(address) => Some(Listen::Tcp(*address)),
            Value::Socket(path) => Some(Listen::Unix(path.clone())),
            _ => None,
        }
    }

    typed! {
        address -> std::net::SocketAddr: Address,
        count -> usize: Count,
        duration -> Duration: Duration,
        flag -> bool: Flag,
        list -> Vec<String>: List,
        path -> PathBuf: Path,
        secret -> Secret: Secret,
        size -> usize: Size,
        text -> String: Text,
        upstream -> Upstream: Upstream,
        upstreams -> Vec<Upstream>: Upstreams,
    }
}

/// The slots that a fallback of a route may be delivered in.
pub(super) fn slots_of(setting: SlotSetting) -> Vec<Slot> {
    match setting {
        SlotSetting::Auto => vec![Slot::Voice, Slot::Action],
        SlotSetting::Fixed(slot) => vec![slot],
        SlotSetting::Pass => Vec::new(),
    }
}
