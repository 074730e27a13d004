//! `stream-upgrade-lost`: a WebSocket handshake came without its Upgrade headers: a proxy in front of the guard took them away.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-upgrade-lost",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31920],
    evidence: Evidence::Documented,
    explain: "a WebSocket handshake came without its Upgrade headers: a proxy in front of the guard took them away",
    remedy: "nginx in front: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`; HAProxy: `mode http` without rules that delete Upgrade or Connection; Apache: `ProxyPass … upgrade=websocket`",
    action: "426; the backend is not asked",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    report.upgrade_lost.clone()
}
