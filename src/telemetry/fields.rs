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
/// `budget.left_ms`
pub const BUDGET_LEFT: &str = "budget.left_ms";
/// `call.sid`
pub const CALL_SID: &str = "call.sid";
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
/// `fix`
pub const FIX: &str = "fix";
/// `from`
pub const FROM: &str = "from";
/// `incident.id`
pub const INCIDENT: &str = "incident.id";
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
/// `url.path`
pub const PATH: &str = "url.path";
/// `outbreak.id`
pub const OUTBREAK: &str = "outbreak.id";
/// `place`
pub const PLACE: &str = "place";
/// `http.route`
pub const ROUTE: &str = "http.route";
/// `slot`
pub const SLOT: &str = "slot";
/// `target`
pub const TARGET: &str = "target";
/// `timestamp`
pub const TIMESTAMP: &str = "timestamp";
/// `to`
pub const TO: &str = "to";
/// `twilio.code`
pub const TWILIO_CODE: &str = "twilio.code";
