//! The table of every key: reading, errors, schema and `config print` all walk it.

mod key;
mod repeated;

pub use self::key::{Key, Kind};
use self::key::{key, span};
pub use self::repeated::{
    ALIAS, ALIAS_KEYS, CHANGES, NOTIFY, NOTIFY_KEYS, ROUTE, ROUTE_KEYS, Repeated,
};

use crate::twilio::Slot;

const DAY: u64 = 24 * 3_600_000;
const MIB: usize = 1024 * 1024;
const ON_FAULT: Kind = Kind::Word(&["fallback", "fail"]);
const PLAIN_TEXT: Kind = Kind::Word(&["pass", "replace"]);
const REPAIRS: Kind = Kind::Word(&["all", "lossless"]);
const REDIRECTS: Kind = Kind::Word(&["follow", "replace"]);
const SIGNATURE: Kind = Kind::Word(&["off", "observe", "enforce"]);
const OTHER_METHOD: Kind = Kind::Word(&["405", "missing", "never"]);
const BALANCE: Kind = Kind::Word(&["order", "round-robin"]);
const RETRY: Kind = Kind::Word(&["safe", "token"]);
const CALLBACKS: Kind = Kind::Word(&["ack", "redeliver", "pass"]);
/// Longest budget: Twilio gives up after 15 s, and the answer has to travel.
const LONGEST_BUDGET: u64 = 14_500;

/// Keys outside routes, in the order in which they are printed.
pub static KEYS: &[Key] = &[
    key("listen", Kind::Listen, Some("127.0.0.1:8080"), "where Twilio's requests arrive"),
    key("upstream", Kind::Upstream, Some("http://127.0.0.1:5000"), "the backend"),
    key("upstreams", Kind::Upstreams, None, "several backends of which each can answer"),
    key("balance", BALANCE, Some("order"), "which of several backends is asked"),
    key(
        "max_webhooks",
        Kind::Count(1, 65_536),
        Some("1024"),
        "most guarded requests at one backend at a time",
    ),
    key(
        "public_url",
        Kind::PublicUrl,
        None,
        "scheme and host under which Twilio reaches the guard",
    ),
    key("observe", Kind::Flag, Some("false"), "judge and record, deliver the original"),
    key(
        "budget",
        span(100, LONGEST_BUDGET),
        Some("13s"),
        "time for one webhook in all, connect included",
    ),
    key(
        "connect_timeout",
        span(10, LONGEST_BUDGET),
        Some("3s"),
        "time for a connection to the backend, TLS included",
    ),
    key(
        "drain_timeout",
        span(0, 3_600_000),
        Some("15s"),
        "time that requests in flight have after SIGTERM",
    ),
    key("drain_grace", span(0, 600_000), Some("0s"), "time to go on accepting after SIGTERM"),
    key("reload_every", span(0, 3_600_000), Some("3s"), "how often files are looked at; 0s: never"),
    key(
        "max_answer_body",
        Kind::Size(1024, 64 * MIB),
        Some("1MiB"),
        "largest body of a guarded answer, as received",
    ),
    key(
        "max_decoded_body",
        Kind::Size(1024, 64 * MIB),
        Some("1MiB"),
        "largest body of a guarded answer, decompressed",
    ),
    key(
        "max_request_body",
        Kind::Size(1024, 64 * MIB),
        Some("1MiB"),
        "largest body of a guarded request",
    ),
    key(
        "max_head",
        Kind::Size(1024, 256 * 1024),
        Some("64KiB"),
        "largest head of a request, its line and headers; 431 beyond",
    ),
    key("max_headers", Kind::Count(10, 1000), Some("100"), "most headers of a request; 431 beyond"),
    key(
        "max_buffered",
        Kind::Size(MIB, 16 * 1024 * MIB),
        Some("64MiB"),
        "most bytes of guarded requests and answers that are held at a time",
    ),
    key(
        "pass_first_byte_timeout",
        span(1_000, 3_600_000),
        Some("60s"),
        "time for the first byte of an answer that is passed on unguarded",
    ),
    key(
        "pass_idle_timeout",
        span(1_000, 3_600_000),
        Some("60s"),
        "silence that ends a request or an answer that is passed on unguarded",
    ),
    key("workers", Kind::Count(1, 64), Some("1"), "threads that serve"),
    key(
        "max_connections",
        Kind::Count(1, 1_000_000),
        Some("10000"),
        "open connections of clients, streams included; fewer where open files are few",
    ),
    key(
        "head_timeout",
        span(100, 300_000),
        Some("15s"),
        "time for a TLS handshake, and for a request's head from its first byte",
    ),
    key(
        "idle_timeout",
        span(100, 3_600_000),
        Some("65s"),
        "time that a connection may wait for its first or next request",
    ),
    key(
        "write_timeout",
        span(100, 3_600_000),
        Some("60s"),
        "time in which a client takes at least 1 KiB of what waits for it",
    ),
    key("state_dir", Kind::Path, None, "folder for state"),
    key(
        "on_fault",
        ON_FAULT,
        Some("fallback"),
        "what takes the place of an answer that can't be repaired",
    ),
    key(
        "plain_text",
        PLAIN_TEXT,
        Some("pass"),
        "prose in text/plain, which Twilio speaks or texts",
    ),
    key("repairs", REPAIRS, Some("all"), "which repairs are accepted"),
    key("redirects", REDIRECTS, Some("follow"), "redirects of the backend to itself"),
    key("other_method", OTHER_METHOD, Some("405"), "when the other method is tried"),
    key(
        "slow_after",
        span(100, 15_000),
        Some("10s"),
        "an answer that took longer carries a warning",
    ),
    key(
        "retry",
        RETRY,
        Some("safe"),
        "what is sent again when its kept connection ends without a byte of an answer",
    ),
    key(
        "callbacks",
        CALLBACKS,
        Some("ack"),
        "callbacks that the backend fails or takes more than 1 s to answer",
    ),
    key(
        "callbacks_max_size",
        Kind::Size(1024 * 1024, 1024 * MIB),
        Some("64MiB"),
        "most bytes of callbacks that wait to be redelivered",
    ),
    key(
        "callbacks_keep_for",
        span(60_000, 7 * DAY),
        Some("24h"),
        "a callback that the backend did not take for so long is given up",
    ),
    key(
        "signature",
        SIGNATURE,
        None,
        "what happens to requests that Twilio did not sign; observe where there is an auth token",
    ),
    key(
        "resign",
        Kind::Flag,
        Some("false"),
        "sign genuine requests anew for an app that rebuilds its URL wrongly",
    ),
    key(
        "trusted_proxies",
        Kind::List,
        None,
        "addresses and networks whose X-Forwarded-* and Forwarded are believed",
    ),
    key(
        "streams.done_after",
        span(0, 4 * 3_600_000),
        Some("10s"),
        "a stream that lasted so long, and said enough, has done its work",
    ),
    key(
        "streams.done_audio",
        span(0, 4 * 3_600_000),
        Some("1s"),
        "so much audio from the backend is enough",
    ),
    key(
        "upstream_tls.ca_file",
        Kind::File,
        None,
        "certificates (PEM) that backends may prove themselves by, besides the system's",
    ),
    key(
        "upstream_tls.server_name",
        Kind::Text,
        None,
        "the name that backends' certificates bear, if it is not their host",
    ),
    key(
        "upstream_tls.insecure_skip_verify",
        Kind::Flag,
        Some("false"),
        "take any certificate of a backend",
    ),
    key(
        "tls.certificate",
        Kind::File,
        None,
        "file with the certificate and its chain (PEM); with it and the key, `listen` speaks TLS",
    ),
    key("tls.key", Kind::File, None, "file with the certificate's private key (PEM)"),
    key("ops.listen", Kind::AddressOrOff, Some("127.0.0.1:9900"), "health and metrics"),
    key(
        "ops.drain",
        Kind::Word(&["loopback", "any", "off"]),
        Some("loopback"),
        "who may take the guard out of the load over it",
    ),
    key(
        "admin.listen",
        Kind::AddressOrSocket,
        Some("off"),
        "incidents as JSON, and the switch of modes",
    ),
    key(
        "admin.token_file",
        Kind::Path,
        None,
        "file with the token that the admin address asks for",
    ),
    key(
        "admin.hosts",
        Kind::List,
        None,
        "names under which the admin address is reached, besides localhost and the address itself",
    ),
    key(
        "twilio.auth_token_file",
        Kind::File,
        None,
        "file with the auth token, one a line; `AC…:token` for those of one account",
    ),
    key("log.format", Kind::Word(&["auto", "human", "json"]), Some("auto"), "how log lines look"),
    key(
        "log.body",
        Kind::Word(&["full", "preview", "none"]),
        Some("full"),
        "how much of an original body is logged",
    ),
    key(
        "incidents.capture",
        Kind::Word(&["masked", "full"]),
        Some("masked"),
        "whether numbers, digits and speech are masked in the store (the log masks them always)",
    ),
    key("incidents.mask", Kind::List, None, "parameters that are masked besides the known ones"),
    key("incidents.keep_for", span(3_600_000, 10 * 365 * DAY), Some("30d"), "oldest incident kept"),
    key(
        "incidents.max_size",
        Kind::Size(4 * MIB, 64 * 1024 * MIB),
        Some("256MiB"),
        "largest store; beyond it the oldest incidents go",
    ),
    key(
        "incidents.quiet_after",
        span(1_000, 7 * DAY),
        Some("10min"),
        "an outbreak without an incident for so long is closed",
    ),
    key(
        "fallback.language",
        Kind::Word(super::languages::NAMES),
        Some("en-US"),
        "language of the spoken apology",
    ),
    key("fallback.text", Kind::Text, None, "words of the spoken apology"),
    key("fallback.voice", Kind::Twiml(Some(Slot::Voice)), None, "TwiML in place, slot voice"),
    key("fallback.action", Kind::Twiml(Some(Slot::Action)), None, "TwiML in place, slot action"),
    key("fallback.whisper", Kind::Twiml(Some(Slot::Whisper)), None, "TwiML in place, slot whisper"),
    key("fallback.wait", Kind::Twiml(Some(Slot::Wait)), None, "TwiML in place, slot wait"),
    key(
        "fallback.conference_wait",
        Kind::Twiml(Some(Slot::ConferenceWait)),
        None,
        "TwiML in place, slot conference-wait",
    ),
    key(
        "fallback.messaging",
        Kind::Twiml(Some(Slot::Messaging)),
        None,
        "TwiML in place, slot messaging",
    ),
];

/// The key of this path, outside routes.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_unique() {
        let mut names: Vec<_> = KEYS.iter().map(Key::variable).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
