//! Who may ask, how, and what every answer carries.

use std::fs;
use std::time::{Duration, Instant};

use super::{Site, TOKEN, broken, on, parsed, request};
use crate::support::backend::{Backend, twiml};
use crate::support::client::{Answer, Client, ask, get};

fn raw(site: &Site, path: &str, headers: &str) -> Answer {
    ask(site.admin, format!("GET {path} HTTP/1.1\r\n{headers}\r\n"))
}

#[test]
fn nothing_is_told_without_the_token() {
    let site = Site::before(broken().address);
    for (headers, challenge) in [
        ("", "Bearer realm=\"twiml-guard\""),
        ("Authorization: Basic dGVzdDp0ZXN0\r\n", "Bearer realm=\"twiml-guard\""),
        ("Authorization: Bearer \r\n", "Bearer realm=\"twiml-guard\""),
        (
            "Authorization: Bearer test-token-0123456788\r\n",
            "Bearer realm=\"twiml-guard\", error=\"invalid_token\"",
        ),
        (
            "Authorization: Bearer test-token-01234567890\r\n",
            "Bearer realm=\"twiml-guard\", error=\"invalid_token\"",
        ),
    ] {
        for path in ["/api/outbreaks", "/api/incidents", "/api/tail", "/api/mode", "/nothing"] {
            let answer = raw(&site, path, &format!("Host: localhost\r\n{headers}"));
            assert_eq!(answer.status(), 401, "{path} {headers}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{headers}");
            assert!(!answer.text().contains(TOKEN), "{}", answer.text());
            assert!(parsed(&answer)["error"].as_str().unwrap().contains("token_file"));
        }
    }
    assert_eq!(site.get("/api/outbreaks").status(), 200);
}

#[test]
fn who_guesses_tokens_is_shut_out_and_told_when_to_come_back() {
    let site = Site::before(broken().address);
    let wrong = "Host: localhost\r\nAuthorization: Bearer test-token-wrong-one\r\n";
    for _ in 0..20 {
        assert_eq!(raw(&site, "/api/mode", wrong).status(), 401);
    }
    let answer = site.get("/api/mode");
    assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("60")));
}

#[test]
fn a_token_that_is_changed_holds_at_once() {
    let site = Site::before(broken().address);
    assert_eq!(site.get("/api/mode").status(), 200);
    fs::write(site.token_file(), "another-token-0123456789\n").unwrap();
    assert_eq!(site.get("/api/mode").status(), 401);
    let new = "Host: localhost\r\nAuthorization: Bearer another-token-0123456789\r\n";
    assert_eq!(raw(&site, "/api/mode", new).status(), 200);
    fs::write(site.token_file(), "short\n").unwrap();
    assert_eq!(raw(&site, "/api/mode", new).status(), 503);
}

#[test]
fn other_names_and_pages_of_others_are_refused() {
    let site = Site::before(broken().address);
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let port = site.admin.port();
    for path in ["/", "/api/outbreaks"] {
        let status = |headers: &str| raw(&site, path, &format!("{headers}{token}")).status();
        for host in ["127.0.0.1", &site.admin.to_string(), "localhost:9", "Guard.Internal:443"] {
            assert_eq!(status(&format!("Host: {host}\r\n")), 200, "{host}");
        }
        for host in ["evil.example", &format!("127.0.0.1.evil.example:{port}"), "10.0.0.1", ""] {
            assert_eq!(status(&format!("Host: {host}\r\n")), 421, "{host}");
        }
        assert_eq!(status(""), 400);
        let own = format!("Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n");
        assert_eq!(status(&own), 200);
        for origin in ["http://evil.example", "null", "http://localhost:1", "file://"] {
            let headers = format!("Host: localhost:{port}\r\nOrigin: {origin}\r\n");
            assert_eq!(status(&headers), 403, "{origin}");
        }
    }
    // A target with a name of its own is held to the same rule.
    let absolute =
        raw(&site, "http://evil.example/api/mode", &format!("Host: localhost\r\n{token}"));
    assert_eq!(absolute.status(), 421);
}

#[test]
fn every_answer_carries_its_headers() {
    let site = Site::before(broken().address);
    let answers = [
        ("page", raw(&site, "/", "Host: localhost\r\n")),
        ("list", site.get("/api/outbreaks")),
        ("mode", site.get("/api/mode")),
        ("unknown", site.get("/api/nothing")),
        ("bad", site.get("/api/incidents?limit=0")),
        ("unauthorised", raw(&site, "/api/mode", "Host: localhost\r\n")),
        ("misdirected", raw(&site, "/", "Host: evil.example\r\n")),
    ];
    for (name, answer) in &answers {
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "content-security-policy",
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.header(header), Some(value), "{name}: {header}");
        }
        assert!(answer.header("access-control-allow-origin").is_none(), "{name}");
        let kind = if *name == "page" { "text/html; charset=utf-8" } else { "application/json" };
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
    }
    let page = answers[0].1.text();
    for path in ["/api/outbreaks", "/api/incidents", "/api/tail", "/api/stats", "/api/mode"] {
        assert!(page.contains(path), "{path}");
    }
    assert!(!page.contains("<script") && !page.contains("style") && !page.contains("src="));
}

#[test]
fn nothing_but_reading_is_allowed_except_the_switch() {
    let site = Site::before(broken().address);
    for (path, allowed) in [
        ("/", "GET, HEAD"),
        ("/api/outbreaks", "GET, HEAD"),
        ("/api/incidents", "GET, HEAD"),
        ("/api/incidents/01", "GET, HEAD"),
        ("/api/stats", "GET, HEAD"),
        ("/api/tail", "GET, HEAD"),
        ("/api/mode", "GET, HEAD, PUT"),
    ] {
        for method in ["POST", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let answer = ask(site.admin, request(method, path, "Connection: close\r\n"));
            assert_eq!(answer.status(), 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    // A HEAD has no body, and the connection goes on.
    let mut client = Client::to(site.admin);
    client.say(request("HEAD", "/api/outbreaks", ""));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length"), "{head}");
    assert_eq!(on(&mut client, &request("GET", "/api/mode", "")).status(), 200);
}

#[test]
fn the_public_port_has_no_admin_api() {
    let backend = Backend::always(twiml("from the backend"));
    let site = Site::before(backend.address);
    for path in ["/", "/api/outbreaks", "/api/incidents", "/api/mode"] {
        let answer = ask(site.public, get(path));
        assert!(answer.text().contains("from the backend"), "{path}: {}", answer.text());
    }
    let put = "PUT /api/mode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"mode\":\"observe\"}";
    assert!(ask(site.public, put).text().contains("from the backend"));
    assert_eq!(site.json("/api/mode")["routes"][0]["current"], "enforce");
    assert_eq!(backend.requests().len(), 5);
}

#[test]
fn silent_connections_keep_nobody_waiting() {
    let site = Site::before(broken().address);
    let silent: Vec<_> = (0..80).map(|_| Client::to(site.admin)).collect();
    let begun = Instant::now();
    assert_eq!(site.get("/api/mode").status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn what_is_no_http_harms_nobody() {
    let site = Site::before(broken().address);
    for bytes in [&b"\x16\x03\x01\x00\x2f"[..], b"\r\n\r\n\r\n", b"GET\0/ HTTP/9\r\n\r\n"] {
        Client::to(site.admin).say(bytes);
    }
    assert_eq!(site.get("/api/mode").status(), 200);
}
