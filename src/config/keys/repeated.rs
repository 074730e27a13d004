//! Tables that may stand in the file several times, and their keys.

use super::{
    BALANCE, CALLBACKS, Key, Kind, ON_FAULT, OTHER_METHOD, PLAIN_TEXT, REDIRECTS, REPAIRS, RETRY,
    SIGNATURE, key, span,
};
use crate::twilio::SlotSetting;

/// Keys of a `[[route]]`.
pub static ROUTE_KEYS: &[Key] = &[
    key("path", Kind::Pattern, None, "`/voice`, `/webhook/*`, `/calls/{id}/menu`"),
    key("method", Kind::Method, None, "only this method; any if not given"),
    key("slot", Kind::Word(&SlotSetting::NAMES), Some("auto"), "what Twilio does with the answers"),
    key("upstream", Kind::Upstream, None, "the route's own backend"),
    key("upstreams", Kind::Upstreams, None, "several of its own"),
    key("balance", BALANCE, None, "as above, for this route"),
    key("fallback", Kind::Twiml(None), None, "TwiML in place"),
    key("observe", Kind::Flag, None, "as above, for this route"),
    key("on_fault", ON_FAULT, None, "as above, for this route"),
    key("plain_text", PLAIN_TEXT, None, "as above, for this route"),
    key("repairs", REPAIRS, None, "as above, for this route"),
    key("redirects", REDIRECTS, None, "as above, for this route"),
    key("other_method", OTHER_METHOD, None, "as above, for this route"),
    key("slow_after", span(100, 15_000), None, "as above, for this route"),
    key("signature", SIGNATURE, None, "as above, for this route"),
    key("resign", Kind::Flag, None, "as above, for this route"),
    key("callbacks", CALLBACKS, None, "as above, for this route"),
    key("retry", RETRY, None, "as above, for this route"),
];

/// Keys of a `[[notify]]`.
pub static NOTIFY_KEYS: &[Key] = &[
    key("url", Kind::SecretUrl, None, "the webhook"),
    key("url_file", Kind::File, None, "a file that holds the webhook's URL"),
    key("format", Kind::Word(&["slack", "json"]), Some("slack"), "what is posted"),
    key("template", Kind::Text, None, "JSON of your own, with {{placeholders}}"),
    key(
        "on",
        Kind::Words(&CHANGES),
        None,
        "changes of an outbreak that are told; all if not given",
    ),
    key("warnings", Kind::Flag, Some("false"), "tell of what Twilio accepts all the same, too"),
    key("per_minute", Kind::Count(1, 600), Some("10"), "most messages in a minute"),
    key("timeout", span(100, 60_000), Some("10s"), "time for one attempt to post"),
];

/// Keys of an `[[alias]]`.
pub static ALIAS_KEYS: &[Key] = &[
    key("from", Kind::Pattern, None, "the path that Twilio asks, `/voice` or `/old/*`"),
    key(
        "to",
        Kind::Pattern,
        None,
        "the path that the backend has instead, `/webhook/voice` or `/new/*`",
    ),
];

/// What can be told of an outbreak.
pub const CHANGES: [&str; 4] = ["opened", "reopened", "grew", "closed"];

/// Tables that may stand in the file several times.
#[derive(Debug, Clone, Copy)]
pub struct Repeated {
    /// Their name: `[[name]]`.
    pub name: &'static str,
    /// Their keys.
    pub keys: &'static [Key],
    /// Keys that each of them has.
    pub required: &'static [&'static str],
}

/// `[[route]]`
pub static ROUTE: Repeated = Repeated { name: "route", keys: ROUTE_KEYS, required: &["path"] };
/// `[[notify]]`
pub static NOTIFY: Repeated = Repeated { name: "notify", keys: NOTIFY_KEYS, required: &[] };
/// `[[alias]]`
pub static ALIAS: Repeated =
    Repeated { name: "alias", keys: ALIAS_KEYS, required: &["from", "to"] };
