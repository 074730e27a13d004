//! Which route a request belongs to, and what is done with it there.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::alias;
use crate::calls::Question;
use crate::config::Config;
use crate::config::route::{Callbacks, Route};
use crate::twilio::{Params, Slot, SlotSetting};

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is guarded; its slot is fixed or decided by its parameters.
    Guard(Option<Slot>),
    /// It streams through.
    Pass,
    /// It is guarded if its parameters are those of a Twilio webhook, else it streams through.
    Recognise,
}

impl Plan {
    /// Whether a WebSocket may be a stream here: nothing says that it is something else.
    pub(super) const fn may_be_stream(self) -> bool {
        !matches!(self, Self::Guard(Some(_)))
    }
}

/// The route of a request and the plan for it.
pub(super) fn plan<'a>(config: &'a Config, parts: &Parts) -> (&'a Arc<Route>, Plan) {
    let path = alias::path(parts);
    let configured = config.routes.iter().find(|route| route.matches(&parts.method, path));
    let route = configured.unwrap_or(&config.default_route);
    let plan = match route.slot {
        SlotSetting::Auto if configured.is_none() => Plan::Recognise,
        SlotSetting::Auto => Plan::Guard(None),
        // A stream is no answer to judge: its WebSocket is joined, anything else passes.
        SlotSetting::Fixed(Slot::Stream) | SlotSetting::Pass => Plan::Pass,
        SlotSetting::Fixed(Slot::Callback) if route.callbacks == Callbacks::Pass => Plan::Pass,
        SlotSetting::Fixed(slot) => Plan::Guard(Some(slot)),
    };
    (route, plan)
}

/// Whether a body is Twilio's kind of form.
pub(super) fn is_form(parts: &Parts) -> bool {
    parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The parameters of a request: its form's first, then its query's.
pub(super) fn params(parts: &Parts, body: &[u8]) -> Params {
    let mut params = if is_form(parts) { Params::from_form(body) } else { Params::default() };
    if let Some(query) = parts.uri.query() {
        params.append_form(query.as_bytes());
    }
    params
}

/// What is asked of the calls about a request; `fixed`: the slot that its route fixes.
pub(super) fn question<'q>(
    config: &Config,
    route: &Arc<Route>,
    parts: &'q Parts,
    params: &'q Params,
    fixed: Option<Slot>,
) -> Question<'q> {
    Question {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        params,
        is_route: !Arc::ptr_eq(route, &config.default_route),
        fixed,
    }
}
