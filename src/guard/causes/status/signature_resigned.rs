//! `signature-resigned`: the backend checks signatures against a URL that Twilio did not ask for.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "signature-resigned",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the backend checks signatures against a URL that Twilio did not ask for",
    remedy: "rebuild the URL from X-Forwarded-Proto and -Host with path and query as they came (Flask: ProxyFix, Express: trust proxy, Laravel: TrustProxies), then take resign away",
    action: "signed anew for the URL that the app rebuilds (resign = true)",
    check: Check::Elsewhere,
};
