//! `genuine-request-refused`: the backend's own check refused a request that Twilio signed.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "genuine-request-refused",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the backend's own check refused a request that Twilio signed (401, 403, 419)",
    remedy: "check the signature over the URL that Twilio asked for: https, the public host, the query; behind a proxy frameworks rebuild it as http or with the inner host unless they believe X-Forwarded-Proto and -Host (Flask: ProxyFix, Express: trust proxy, Laravel: TrustProxies); else exempt the route from login and CSRF checks",
    action: "fallback; with resign = true asked again, signed for the URLs that apps usually rebuild",
    check: Check::Elsewhere,
};
