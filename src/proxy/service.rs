//! One request, from its head to the answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use tokio::time::sleep_until;

use super::asked::Asked;
use super::authenticate::{self, Check, Covered};
use super::body::{RequestBody, ResponseBody};
use super::caught::caught;
use super::collect::collect;
use super::headers::{Peer, Sender};
use super::inlet::body::Incoming;
use super::inlet::connection::Asked as Came;
use super::inlet::head::Framing;
use super::pulse::Pulse;
use super::room::Held;
use super::routing::{self, Plan};
use super::spare::Spare;
use super::worker::Worker;
use super::{alias, guarded, hint, pass, refuse, stream};
use crate::config::SignatureMode;
use crate::config::route::Route;
use crate::guard::{BodyEnd, Failure};
use crate::twilio::Params;

/// Largest form that is read to find out whether a request without a route is Twilio's.
const MAX_RECOGNISED_FORM: usize = 64 * 1024;

/// A guarded request, its body still to be read or read already.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) parts: Parts,
    pub(super) body: InboundBody,
    pub(super) sender: Sender,
    /// When its head was read.
    pub(super) start: Instant,
    /// Whether its signature was looked at yet.
    pub(super) check: Check,
}

#[derive(Debug)]
pub(super) enum InboundBody {
    Coming(Incoming),
    /// With the room that it takes.
    Read(Bytes, Arc<Held>),
}

/// Answers a request, whatever it is.
pub(super) async fn handle(worker: Arc<Worker>, peer: Peer, came: Came) -> Response<ResponseBody> {
    let answer = dispatch(&worker, peer, came, Instant::now());
    let answer = caught(&worker.metrics, "answering a request", answer).await;
    answer.unwrap_or_else(|_| refuse::own_failure())
}

async fn dispatch(
    worker: &Arc<Worker>,
    peer: Peer,
    came: Came,
    start: Instant,
) -> Response<ResponseBody> {
    let Came { request, head, mut switch } = came;
    let sender = peer.sender(request.version());
    let wants_websocket = head.is_websocket;
    let (mut parts, body) = request.into_parts();
    alias::map(&worker.config, &worker.aliases, &mut parts);
    let (route, plan) = routing::plan(&worker.config, &parts);
    let is_claimed = worker.enforced.claim(&worker.config, &parts);
    if !wants_websocket
        && !is_claimed
        && plan.may_be_stream()
        && let Some(refusal) = stream::without_upgrade(worker, route, &parts, start)
    {
        return refusal;
    }
    // All but guarded requests on a route are boxed: every request's future is as large as the
    // largest of its parts, and is moved as a whole.
    match plan {
        Plan::Guard(slot) if !wants_websocket || slot.is_some() => {
            let mode = if is_claimed { SignatureMode::Enforce } else { route.signature };
            let body = InboundBody::Coming(body);
            let inbound = Inbound { parts, body, sender, start, check: Check::Due(mode) };
            guarded::answer(worker, route, inbound, slot).await.unwrap_or_else(gone)
        }
        Plan::Pass | Plan::Recognise
            if !wants_websocket && (is_claimed || claims_to_be_twilios(route, plan, &parts)) =>
        {
            let check = Check::Due(SignatureMode::Enforce);
            let body = InboundBody::Coming(body);
            let inbound = Inbound { parts, body, sender, start, check };
            Box::pin(claimed(worker, route, plan, inbound)).await
        }
        Plan::Recognise if !wants_websocket => {
            Box::pin(recognised(worker, parts, body, head.framing, sender, start)).await
        }
        Plan::Guard(_) | Plan::Pass | Plan::Recognise => {
            let body = RequestBody::Stream { read: None, rest: body, pulse: Pulse::new() };
            if wants_websocket {
                let mode = stream_mode(route, plan, is_claimed, &parts);
                let peer = sender.ip;
                let covered = Covered { parts: &parts, body: &[], peer, is_websocket: true };
                let checked = match authenticate::admit(worker, mode, covered) {
                    Ok(checked) => checked,
                    Err(refusal) => return refusal.into_response(),
                };
                if stream::is_stream(worker, route, &parts)
                    && let Some(switch) = switch.take()
                {
                    let opening = stream::Opening::new(worker, route, &parts, start);
                    let opening = opening.signed(checked.authenticity);
                    return Box::pin(stream::answer(opening, parts, body, sender, switch)).await;
                }
            }
            Box::pin(pass::answer(worker, route, parts, body, sender, switch)).await
        }
    }
}

/// Whether a post without a route, whatever its body is, says that it comes from Twilio, where that
/// has to be true.
fn claims_to_be_twilios(route: &Route, plan: Plan, parts: &Parts) -> bool {
    plan == Plan::Recognise
        && route.signature == SignatureMode::Enforce
        && parts.method == Method::POST
        && hint::looks_like_twilio(&parts.headers)
}

/// What happens to a stream by its signature.
fn stream_mode(route: &Route, plan: Plan, is_claimed: bool, parts: &Parts) -> SignatureMode {
    if is_claimed {
        return SignatureMode::Enforce;
    }
    let is_twilios = match plan {
        Plan::Guard(_) => true,
        Plan::Recognise => authenticate::is_twilios_stream(&parts.headers),
        Plan::Pass => route.is_stream(),
    };
    if is_twilios { route.signature } else { SignatureMode::Off }
}

/// A request that no guarded route takes as it is spelt, and that some backend would lead to the
/// handler of one that refuses what Twilio did not sign.
async fn claimed(
    worker: &Arc<Worker>,
    route: &Arc<Route>,
    plan: Plan,
    inbound: Inbound,
) -> Response<ResponseBody> {
    let Some(mut asked) = Asked::read(worker, inbound).await else { return gone() };
    let checked = match asked.admit(worker) {
        Ok(checked) => checked,
        Err(refusal) => return refusal.into_response(),
    };
    let Asked { parts, body, held, facts, sender, start, .. } = asked;
    if let Some(refusal) = stream::without_upgrade(worker, route, &parts, start) {
        return refusal;
    }
    // What could not be read whole could not be looked at.
    let Ok(body) = body else { return authenticate::REFUSAL.into_response() };
    if plan == Plan::Recognise && is_webhook(worker, route, &parts, &facts.params) {
        let (body, check) = (InboundBody::Read(body, held), Check::Done(checked));
        let inbound = Inbound { parts, body, sender, start, check };
        return guarded::answer(worker, route, inbound, None).await.unwrap_or_else(gone);
    }
    pass::answer(worker, route, parts, RequestBody::full(body), sender, None).await
}

/// A request without a route: guarded if it is Twilio's by its parameters.
async fn recognised(
    worker: &Arc<Worker>,
    parts: Parts,
    mut body: Incoming,
    framing: Framing,
    sender: Sender,
    start: Instant,
) -> Response<ResponseBody> {
    let route = &worker.config.default_route;
    // Nobody gets round a check by making a form longer.
    let limit = match route.signature {
        SignatureMode::Enforce => worker.config.max_request_body.max(MAX_RECOGNISED_FORM),
        SignatureMode::Observe | SignatureMode::Off => MAX_RECOGNISED_FORM,
    };
    let may_fit = match framing {
        Framing::Length(length) => length <= limit as u64,
        Framing::None | Framing::Chunked => true,
    };
    let reads_form = parts.method == Method::POST
        && routing::is_form(&parts)
        && (route.signature == SignatureMode::Enforce || may_fit);
    let (mut read, mut held) = (Bytes::new(), worker.room.share());
    if reads_form {
        let deadline = pin!(sleep_until((start + worker.config.budget).into()));
        let (bytes, end) = collect(&mut body, limit, &mut held, deadline).await;
        let is_webhook = || is_webhook(worker, route, &parts, &routing::params(&parts, &bytes));
        match end {
            Ok(BodyEnd::Complete) => {}
            Err(full) if is_webhook() => {
                let policy = Arc::clone(route.policy.current());
                let spare = Spare::of_head(route, &policy, &parts, None, start);
                let failure = Failure::Full { detail: full.to_string() };
                return spare.settle(worker, failure).await.map(ResponseBody::full);
            }
            // What can't be read whole can't be looked at.
            Ok(BodyEnd::TooLarge { .. })
                if route.signature == SignatureMode::Enforce && is_webhook() =>
            {
                return authenticate::REFUSAL.into_response();
            }
            // Too large for a webhook of Twilio's, or no room for what is none as far as can be
            // seen: streams on from here.
            Ok(BodyEnd::TooLarge { .. }) | Err(_) => {
                let body =
                    RequestBody::Stream { read: Some(bytes), rest: body, pulse: Pulse::new() };
                return pass::answer(worker, route, parts, body, sender, None).await;
            }
            Ok(BodyEnd::TooLate) => {
                let why = "the request's body did not come in time";
                return refuse::Refusal { status: StatusCode::REQUEST_TIMEOUT, why }
                    .into_response();
            }
            Ok(BodyEnd::Truncated { .. }) => return gone(),
        }
        read = bytes;
    }
    // Twilio posts forms, and nothing but forms.
    let is_candidate = reads_form || parts.method == Method::GET;
    if is_candidate && is_webhook(worker, route, &parts, &routing::params(&parts, &read)) {
        let body = if reads_form {
            InboundBody::Read(read, Arc::new(held))
        } else {
            InboundBody::Coming(body)
        };
        let check = Check::Due(route.signature);
        let inbound = Inbound { parts, body, sender, start, check };
        return guarded::answer(worker, route, inbound, None).await.unwrap_or_else(gone);
    }
    let body = if reads_form {
        RequestBody::full(read)
    } else {
        RequestBody::Stream { read: None, rest: body, pulse: Pulse::new() }
    };
    pass::answer(worker, route, parts, body, sender, None).await
}

/// Whether a request without a route is Twilio's.
fn is_webhook(worker: &Worker, route: &Arc<Route>, parts: &Parts, params: &Params) -> bool {
    let question = routing::question(&worker.config, route, parts, params, None);
    worker.calls.decide(&question, Instant::now()).is_some()
}

/// The answer to a client that left or broke off in the middle of its request; nobody reads it.
fn gone() -> Response<ResponseBody> {
    let why = "the request's body is cut or malformed";
    refuse::Refusal { status: StatusCode::BAD_REQUEST, why }.into_response()
}
