//! One request once more: sent to its route's backend and judged as a guarded request is, without
//! a listener and without a record.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Version};

use super::alias;
use super::asked::Asked;
use super::authenticate::Check;
use super::exchange::{Gathered, exchange};
use super::headers::Peer;
use super::judging;
use super::service::{Inbound, InboundBody};
use super::worker::{Shared, Worker};
use crate::config::route::Route;
use crate::config::{Config, SignatureMode};
use crate::guard::{CallFacts, Exchange, Judgement, judge};
use crate::incidents::recorder::Recorder;
use crate::telemetry::metrics::Metrics;
use crate::twilio::Slot;

/// Asks backends again.
#[derive(Debug)]
pub struct Again(Worker);

impl Again {
    /// Asks with the time limits, bounds and public face of this configuration.
    pub fn new(config: Arc<Config>, metrics: Metrics) -> Self {
        let recorder = Recorder::without_writer(metrics.clone());
        Self(Worker::new(Shared::new(config, recorder, metrics)))
    }

    /// Sends the request to the route's backend, further ones where a guarded request would be
    /// followed by them, and judges what came as the answer in this slot. Takes the budget's time
    /// at most; must be called within a runtime. `None`: nothing was sent.
    pub async fn ask(
        &self,
        route: &Route,
        slot: Slot,
        request: Request<Bytes>,
    ) -> Option<(Exchange, Judgement)> {
        let (mut parts, body) = request.into_parts();
        alias::map(&self.0.config, &self.0.aliases, &mut parts);
        let sender = Peer { ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), is_tls: false }
            .sender(Version::HTTP_11);
        let inbound = Inbound {
            parts,
            body: InboundBody::Read(body, Arc::new(self.0.room.share())),
            sender,
            start: Instant::now(),
            check: Check::Due(SignatureMode::Off),
        };
        let policy = route.policy.configured();
        let asked = Asked::read(&self.0, inbound).await?;
        let call = CallFacts::default();
        let limit = self.0.config.budget;
        let Gathered { exchange, .. } =
            *exchange(&self.0, route, policy, asked, slot, call, limit).await;
        let (judgement, exchange) = judging::judge_safely(&self.0.metrics, exchange, policy, judge);
        Some((exchange, judgement))
    }
}
