//! What stands at `/`: which endpoints there are. Nothing private, nothing that runs.

use http::StatusCode;

use super::reply::{Reply, ReplyBody, reply};

/// The endpoints, for messages.
pub(super) const PATHS: [&str; 8] = [
    "/api/outbreaks",
    "/api/incidents",
    "/api/incidents/ID",
    "/api/calls/SID",
    "/api/stats",
    "/api/tail",
    "/api/mode",
    "/api/drain",
];

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>twiml-guard: admin API</title></head>
<body>
<h1>twiml-guard: admin API</h1>
<p>Incidents as JSON. Everything below <code>/api/</code> asks an address for the token of
<code>[admin] token_file</code>: <code>Authorization: Bearer TOKEN</code>.</p>
<dl>
<dt><code>GET /api/outbreaks</code></dt>
<dd>Open outbreaks, the latest activity first; <code>all=1</code>: closed ones too.</dd>
<dt><code>GET /api/incidents</code></dt>
<dd>Incidents, newest first; <code>limit</code> (100, at most 1000) and <code>before=ID</code> turn the pages.</dd>
<dt><code>GET /api/incidents/ID</code></dt>
<dd>One incident with its record; the beginning of an id will do.</dd>
<dt><code>GET /api/calls/SID</code></dt>
<dd>What one call or message went through, step by step, and the line that names who is to blame.</dd>
<dt><code>GET /api/stats</code></dt>
<dd>What became of all answers, by route; <code>since</code> (24h).</dd>
<dt><code>GET /api/tail</code></dt>
<dd>Incidents as they are recorded: server-sent events; <code>Last-Event-ID</code> goes on after it.</dd>
<dt><code>GET /api/mode</code>, <code>PUT /api/mode</code></dt>
<dd>Which routes are observed or enforced;
<code>{"mode": "observe" | "enforce" | "reset", "route": "/voice"}</code> switches until the guard restarts.</dd>
</dl>
<p>Filters: <code>since</code>, <code>until</code> (<code>2h</code>, <code>2026-11-25T03:00Z</code>),
<code>route</code>, <code>cause</code>, <code>call</code>, <code>number</code>, <code>code</code>, <code>outcome</code>,
<code>outbreak</code>.</p>
</body>
</html>
"#;

/// The page.
pub(super) fn page() -> Reply {
    reply(StatusCode::OK, "text/html; charset=utf-8", ReplyBody::Whole(PAGE.into()))
}
