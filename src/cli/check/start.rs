//! The self-check of `serve`: asks the backend on each configured route, once it is up.

use std::io;
use std::sync::Arc;

use http::Method;

use super::lines::{Line, Verdict};
use super::{examine, follow};
use crate::config::route::{PathPattern, Route};
use crate::config::{Config, Place};
use crate::probe::{Ask, Client, Connector, Url, parameters};
use crate::twilio::{Slot, SlotSetting};

/// Checks on a thread of its own and logs what comes; nothing waits for it.
pub(in crate::cli) fn at_start(config: &Arc<Config>) -> io::Result<()> {
    let config = Arc::clone(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("self-check".to_owned()).spawn(move || {
        runtime.block_on(check(&config));
    })?;
    Ok(())
}

async fn check(config: &Config) {
    let mut asked = 0;
    for route in &config.routes {
        let (SlotSetting::Fixed(slot), PathPattern::Exact(path)) = (route.slot, &route.pattern)
        else {
            continue;
        };
        if slot != Slot::Callback {
            asked += 1;
            for line in route_lines(config, route, slot, path).await {
                log(&line);
            }
        }
    }
    if asked == 0 {
        tracing::info!(
            "self-check: there are no routes to check; configure [[route]] with an exact path and its slot"
        );
    }
}

async fn route_lines(config: &Config, route: &Route, slot: Slot, path: &str) -> Vec<Line> {
    if route.upstream.tls || matches!(route.upstream.place, Place::Unix(_)) {
        tracing::info!(
            route = route.name,
            backend.address = route.upstream.authority(),
            "self-check: only backends on a TCP port without TLS are asked"
        );
        return Vec::new();
    }
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", route.upstream.host_header()));
    let parsed = (
        format!("{origin}{path}").parse::<Url>(),
        format!("http://{}/", route.upstream.authority()).parse::<Url>(),
    );
    let (Ok(url), Ok(inner)) = parsed else { return Vec::new() };
    let connector = match Connector::new(None) {
        Ok(connector) => connector.detour(url.clone(), inner),
        Err(error) => {
            tracing::warn!(reason = %error, "self-check: nothing can be asked");
            return Vec::new();
        }
    };
    let token = config.signatures.keyring.of(None).first().map(|&token| token.clone());
    let is_signed = token.is_some();
    let mut client = Client::new(connector, token).only(url.clone());
    if slot == Slot::Stream {
        return vec![examine::stream(&client, &follow::stream(&url, "Stream", Vec::new())).await];
    }
    let method = route.method.clone().unwrap_or(Method::POST);
    let ask = Ask { method, url, params: parameters(slot) };
    let entry = examine::ask(&mut client, "route", slot, ask).await;
    let mut lines = vec![entry.line];
    let status = entry.answer.as_ref().map(|answer| answer.status.as_u16());
    if let (false, Some(401 | 403), Some(line)) = (is_signed, status, lines.first_mut()) {
        // The question is not signed: a refusal may be the application's care.
        line.verdict = Verdict::Info;
    }
    if let Some(answer) = entry.answer {
        lines.extend(follow::follow(&mut client, &answer, slot, false).await);
    }
    lines
}

fn log(line: &Line) {
    let reason = format!("self-check: {} at start-up: {}", line.request, line.says);
    let (cause, code, fix) = (line.cause, line.code, line.fix.as_deref());
    if line.verdict == Verdict::NoGo {
        tracing::warn!(reason, cause, twilio.code = code, fix, "self-check: NO-GO");
    } else {
        tracing::info!(reason, cause, "self-check: GO");
    }
}
