//! Names of log fields: stable, dotted, the standard ones where there are any (OpenTelemetry
//! semantic conventions).

/// `account.sid`
pub const ACCOUNT_SID: &str = "account.sid";
/// `also`
pub const ALSO: &str = "also";
/// `attempts`
pub const ATTEMPTS: &str = "attempts";
/// `backend.body`
pub const BACKEND_BODY: &str = "backend.body";
/// `backend.duration_ms`
pub const BACKEND_DURATION: &str = "backend.duration_ms";
/// `backend.failure`
pub const BACKEND_FAILURE: &str = "backend.failure";
/// `backend.headers`
pub const BACKEND_HEADERS: &str = "backend.headers";
/// `backend.status`
pub const BACKEND_STATUS: &str = "backend.status";
/// `belief`
pub const BELIEF: &str = "belief";
/// `budget.left_ms`
pub const BUDGET_LEFT: &str = "budget.left_ms";
/// `call.sid`
pub const CALL_SID: &str = "call.sid";
/// `call.status`
pub const CALL_STATUS: &str = "call.status";
/// `call.stream`
pub const CALL_STREAM: &str = "call.stream";
/// `cause`
pub const CAUSE: &str = "cause";
/// `causes`
pub const CAUSES: &str = "causes";
/// `count`
pub const COUNT: &str = "count";
/// `delivery`
pub const DELIVERY: &str = "delivery";
/// `delivery.status`
pub const DELIVERY_STATUS: &str = "delivery.status";
/// `evidence`
pub const EVIDENCE: &str = "evidence";
/// `explain`
pub const EXPLAIN: &str = "explain";
/// `failed.url`
pub const FAILED_URL: &str = "failed.url";
/// `fix`
pub const FIX: &str = "fix";
/// `from`
pub const FROM: &str = "from";
/// `incident.id`
pub const INCIDENT: &str = "incident.id";
/// `known_routes`
pub const KNOWN_ROUTES: &str = "known_routes";
/// `level`
pub const LEVEL: &str = "level";
/// `message`
pub const MESSAGE: &str = "message";
/// `message.sid`
pub const MESSAGE_SID: &str = "message.sid";
/// `http.request.method`
pub const METHOD: &str = "http.request.method";
/// `observe`
pub const OBSERVE: &str = "observe";
/// `outbreak.id`
pub const OUTBREAK: &str = "outbreak.id";
/// `parent`
pub const PARENT: &str = "parent";
/// `url.path`
pub const PATH: &str = "url.path";
/// `place`
pub const PLACE: &str = "place";
/// `role`
pub const ROLE: &str = "role";
/// `http.route`
pub const ROUTE: &str = "http.route";
/// `signature`
pub const SIGNATURE: &str = "signature";
/// `slot`
pub const SLOT: &str = "slot";
/// `summary`
pub const SUMMARY: &str = "summary";
/// `target`
pub const TARGET: &str = "target";
/// `timestamp`
pub const TIMESTAMP: &str = "timestamp";
/// `to`
pub const TO: &str = "to";
/// `twilio.code`
pub const TWILIO_CODE: &str = "twilio.code";
