//! Signatures on the wire: what is refused, what is only known, what is signed anew.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use twiml_guard::config::alias::Alias;
use twiml_guard::config::{Config, SignatureMode, Signatures};
use twiml_guard::twilio::Params;
use twiml_guard::twilio::signature::{AuthToken, Keyring};

use crate::support::backend::{Backend, answer};
use crate::support::client::{CALL, ask};
use crate::support::guard::{Guard, config, route};

const MENU: &str = "<Response><Say>Menu</Say></Response>";

fn token() -> AuthToken {
    AuthToken::new("0123456789abcdef").unwrap()
}

/// A configuration with a token, a route `/voice` and a stream `/ws`.
fn with_token(backend: SocketAddr, mode: SignatureMode) -> Config {
    let mut config = config(backend);
    config.public_url = Some("https://pbx.example.com".to_owned());
    let keyring = Arc::new(Keyring::parse("0123456789abcdef").unwrap());
    config.signatures = Signatures { keyring, ..Signatures::default() };
    Arc::get_mut(&mut config.default_route).unwrap().signature = mode;
    route(&mut config, "/voice", "auto", |policy| policy.resign = true);
    route(&mut config, "/status", "callback", |_| {});
    route(&mut config, "/ws", "stream", |_| {});
    config
}

fn xml() -> String {
    answer("200 OK", "Content-Type: text/xml\r\n", MENU)
}

/// A post of an incoming call; `signed_for`: the URL that it is signed for.
fn call(target: &str, signed_for: Option<&str>, more: &str) -> String {
    let params = Params::from_form(CALL.as_bytes());
    let signature = signed_for.map_or_else(String::new, |url| {
        format!("X-Twilio-Signature: {}\r\n", token().sign(url, params.iter()))
    });
    format!(
        "POST {target} HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n{signature}Content-Length: {}\r\n{more}\r\n{CALL}",
        CALL.len()
    )
}

#[test]
fn enforced_routes_let_in_what_twilio_signed_and_nothing_else() {
    let backend = Backend::always(xml());
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    let url = "https://pbx.example.com/voice?x=1";
    assert_eq!(ask(guard.address, call("/voice?x=1", Some(url), "")).text(), MENU);
    assert_eq!(backend.requests().len(), 1);
    let genuine = call("/voice?x=1", Some(url), "");
    for forged in [
        call("/voice?x=1", None, ""),
        call("/voice?x=2", Some(url), ""),
        genuine.replace("ringing", "rinGing"),
        genuine.replace("application/x-www-form-urlencoded", "text/plain"),
        call("/voice?x=1", Some(url), "X-Twilio-Signature: second\r\n"),
        call("/voice?x=1", Some(url), "Content-Encoding: gzip\r\n"),
        call(
            "/voice?x=1",
            Some("https://evil.example/voice?x=1"),
            "X-Forwarded-Host: evil.example\r\n",
        ),
        call("/status", None, ""),
        // Recognised by its parameters, on no route.
        call("/elsewhere", None, ""),
    ] {
        let refused = ask(guard.address, &forged);
        assert_eq!(refused.status(), 403, "{forged}");
        assert_eq!(refused.text(), "twiml-guard: forbidden\n");
        assert_eq!(refused.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn every_spelling_of_an_enforced_path_is_looked_at() {
    let backend = Backend::always(xml());
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    for spelling in [
        "//voice",
        "/./voice",
        "/x/../voice",
        "/%76oice",
        "/%2576oice",
        "/voice/",
        "/voice;a=b",
        "/VOICE",
        "/x/..;/voice",
        "/voice.json",
        "/x%2f..%2fvoice",
        "http://pbx.example.com/voice",
    ] {
        // Nothing in its parameters speaks of Twilio.
        for request in [
            format!(
                "POST {spelling} HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Length: 8\r\n\r\nDigits=1"
            ),
            format!("GET {spelling} HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n"),
        ] {
            assert_eq!(ask(guard.address, &request).status(), 403, "{request}");
        }
    }
    assert_eq!(backend.requests(), [""; 0]);
    // The signature is of the spelling as it came.
    let odd = call("//voice", Some("https://pbx.example.com//voice"), "");
    assert_eq!(ask(guard.address, odd).text(), MENU);
    let canonical = call("//voice", Some("https://pbx.example.com/voice"), "");
    assert_eq!(ask(guard.address, canonical).status(), 403);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn what_is_no_webhook_stays_untouched_under_enforce() {
    let backend = Backend::always(answer("200 OK", "Content-Type: text/html\r\n", "<h1>Shop</h1>"));
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    for request in [
        "GET / HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nname=x",
        "GET /voices HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(ask(guard.address, request).text(), "<h1>Shop</h1>");
    }
}

#[test]
fn observe_changes_nothing_but_that_a_rightful_refusal_stays() {
    let backend =
        Backend::always(answer("403 Forbidden", "Content-Type: text/plain\r\n", "not you"));
    let guard = Guard::with(with_token(backend.address, SignatureMode::Observe));
    let forged = ask(guard.address, call("/voice", None, ""));
    assert_eq!((forged.status(), forged.text().as_str()), (403, "not you"));
    assert_eq!(forged.header("twiml-guard-incident"), None);
    assert_eq!(backend.requests().len(), 1);
    let backend = Backend::always(xml());
    let guard = Guard::with(with_token(backend.address, SignatureMode::Observe));
    assert_eq!(ask(guard.address, call("/voice", None, "")).text(), MENU);
    assert_eq!(ask(guard.address, call("//voice", None, "")).text(), MENU);
}

#[test]
fn streams_are_signed_over_wss() {
    let backend = Backend::always(answer("403 Forbidden", "", "reached"));
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    let open = |path: &str, signature: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{signature}\r\n"
        )
    };
    let signed = |url: &str| format!("X-Twilio-Signature: {}\r\n", token().sign(url, []));
    for url in
        ["wss://pbx.example.com/ws", "https://pbx.example.com/ws", "wss://pbx.example.com/ws/"]
    {
        assert_eq!(ask(guard.address, open("/ws", &signed(url))).text(), "reached", "{url}");
    }
    let reached = backend.requests().len();
    for request in [
        open("/ws", ""),
        open("//ws", ""),
        open("/ws", &signed("wss://pbx.example.com/other")),
        open("/unrouted", "User-Agent: Twilio.TmeWs/1.0\r\n"),
        "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n".to_owned(),
    ] {
        assert_eq!(ask(guard.address, &request).text(), "twiml-guard: forbidden\n", "{request}");
    }
    assert_eq!(backend.requests().len(), reached);
    // A WebSocket of the app's own is nobody's webhook.
    assert_eq!(ask(guard.address, open("/chat", "")).text(), "reached");
}

#[test]
fn forwarded_hosts_are_believed_of_named_peers_only() {
    let backend = Backend::always(xml());
    let behind = |trusted: &[&str]| {
        let mut config = with_token(backend.address, SignatureMode::Enforce);
        config.public_url = None;
        config.signatures.trusted_proxies = trusted.iter().map(|n| n.parse().unwrap()).collect();
        Guard::with(config)
    };
    for more in
        ["X-Forwarded-Host: edge.example\r\n", "Forwarded: for=x;host=edge.example;proto=https\r\n"]
    {
        let request = call("/voice", Some("https://edge.example/voice"), more);
        assert_eq!(ask(behind(&["10.0.0.0/8"]).address, &request).status(), 403, "{more}");
        assert_eq!(ask(behind(&["127.0.0.0/8"]).address, &request).text(), MENU, "{more}");
    }
}

/// A backend that takes requests signed for this URL only.
fn checks_against(url: &'static str) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            let form = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let expected = token().sign(url, Params::from_form(form.as_bytes()).iter());
            let fits = request.contains(&format!("X-Twilio-Signature: {expected}\r\n"));
            connection.say(if fits { xml() } else { answer("403 Forbidden", "", "no") });
        }
    })
}

#[test]
fn an_app_that_rebuilds_http_is_signed_for_and_remembered() {
    let backend = checks_against("http://pbx.example.com/voice?x=1");
    let guard = Guard::with(with_token(backend.address, SignatureMode::Observe));
    let request = call("/voice?x=1", Some("https://pbx.example.com/voice?x=1"), "");
    let first = ask(guard.address, &request);
    assert_eq!((first.status(), first.text().as_str()), (200, MENU));
    assert!(first.head.contains("details=\"signature-resigned\""), "{}", first.head);
    assert_eq!(backend.requests().len(), 2);
    assert_eq!(ask(guard.address, &request).text(), MENU);
    assert_eq!(backend.requests().len(), 3, "signed for the right URL at once");
    // Nothing is signed for who is not Twilio.
    let forged = ask(guard.address, call("/voice?x=1", None, ""));
    assert_eq!((forged.status(), backend.requests().len()), (403, 4));
}

#[test]
fn without_a_route_neither_length_nor_type_leads_round_the_check() {
    let backend = Backend::always(xml());
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    let posted = |kind: &str, body: &str, more: &str| {
        format!(
            "POST /elsewhere HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len()
        )
    };
    let form = "application/x-www-form-urlencoded";
    let padded = format!("{CALL}&Pad={}", "x".repeat(100 * 1024));
    let multipart = "multipart/form-data; boundary=b";
    for forged in [
        posted(form, &padded, ""),
        posted(multipart, "--b--", "X-Twilio-Signature: AAAA\r\n"),
        posted("text/plain", CALL, "User-Agent: TwilioProxy/1.1\r\n"),
    ] {
        assert_eq!(ask(guard.address, &forged).status(), 403, "{forged:.300}");
    }
    assert!(backend.requests().is_empty());
    // What does not say that it is Twilio's is nobody's business.
    assert_eq!(ask(guard.address, posted("application/json", "{}", "")).status(), 200);
    assert_eq!(ask(guard.address, posted(form, "name=x", "")).status(), 200);
    let json = "{\"a\":1}";
    let (url, signature) = token().sign_body("https://pbx.example.com/events", json.as_bytes());
    let target = url.trim_start_matches("https://pbx.example.com");
    let genuine = format!(
        "POST {target} HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: application/json\r\nX-Twilio-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    assert_eq!(ask(guard.address, genuine).status(), 200);
}

#[test]
fn a_request_under_an_alias_is_signed_for_the_path_that_the_app_sees() {
    let backend = checks_against("https://pbx.example.com/voice?x=1");
    let with_alias = |resign: bool| {
        let mut config = with_token(backend.address, SignatureMode::Enforce);
        config.aliases = vec![Alias { from: "/old".to_owned(), to: "/voice".to_owned() }];
        if !resign {
            config.routes.clear();
            route(&mut config, "/voice", "auto", |_| {});
        }
        Guard::with(config)
    };
    let request = call("/old?x=1", Some("https://pbx.example.com/old?x=1"), "");
    let signed = with_alias(true);
    assert_eq!(ask(signed.address, &request).text(), MENU);
    assert_eq!(backend.requests().len(), 1);
    let unsigned = with_alias(false);
    let refused = ask(unsigned.address, &request);
    assert!(refused.head.contains("details=\"rewrite-refused\""), "{}", refused.head);
}

#[test]
fn an_app_that_refuses_every_url_is_asked_a_bounded_number_of_times() {
    let backend = checks_against("https://nowhere.example/");
    let guard = Guard::with(with_token(backend.address, SignatureMode::Observe));
    let replaced = ask(guard.address, call("/voice", Some("https://pbx.example.com/voice"), ""));
    assert!(replaced.text().contains("<Say"), "{}", replaced.text());
    assert!(replaced.head.contains("details=\"genuine-request-refused\""), "{}", replaced.head);
    let asked = backend.requests().len();
    assert!((8..=13).contains(&asked), "{asked}");
}

#[test]
fn credentials_of_the_url_come_as_a_header() {
    let backend = Backend::always(xml());
    let guard = Guard::with(with_token(backend.address, SignatureMode::Enforce));
    let basic = base64::engine::general_purpose::STANDARD.encode("user:p w");
    let more = format!("Authorization: Basic {basic}\r\n");
    for url in ["https://user:p w@pbx.example.com/voice", "https://pbx.example.com:443/voice"] {
        assert_eq!(ask(guard.address, call("/voice", Some(url), &more)).text(), MENU, "{url}");
    }
}
