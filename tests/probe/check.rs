//! `twiml-guard check` as a command.

use std::process::Output;

use super::app::{App, Plays, answer, raw, redirect, twiml};
use crate::support::binary;

async fn checked(args: &[&str], token: Option<&str>) -> (Option<i32>, String) {
    let mut command = binary::command(&[&["check"], args].concat());
    command.env_remove("TWILIO_AUTH_TOKEN").env_remove("TWILIO_AUTH_TOKEN_FILE");
    if let Some(token) = token {
        command.env("TWIML_GUARD_AUTH_TOKEN", token);
    }
    let output: Output =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[tokio::test]
async fn a_good_application_is_a_go() {
    let media = App::start(&[("/ws", Plays::Echoes)]).await;
    let stream =
        format!("<Connect action=\"/ended\"><Stream url=\"ws://{}/ws\"/></Connect>", media.address);
    let app = App::start(&[
        ("/voice", twiml("<Gather action=\"/menu\"><Say>Hi</Say></Gather><Redirect>https://other.example.com/x</Redirect>")),
        ("/menu", twiml(&stream)),
        ("/ended", twiml("<Say>Bye</Say>")),
    ])
    .await;
    let (code, text) = checked(&[&app.url("/voice"), "--follow"], Some("s3cr3t-token")).await;
    assert_eq!(code, Some(0), "{text}");
    for part in
        ["GO", "CallStatus=in-progress", "CallStatus=completed", "another host; not asked", "GO: "]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("s3cr3t") && !text.contains('\u{1b}'), "{text}");
    assert!(app.requests().iter().all(|request| request.contains("X-Twilio-Signature: ")));
}

#[tokio::test]
async fn each_fault_is_a_no_go_with_its_fix() {
    for (plays, slug) in [
        (answer("500 Internal Server Error", "text/html", "<h1>no</h1>"), "html-page, 11200"),
        (
            answer("200 OK", "text/html", "<!doctype html><html><body>index</body></html>"),
            "html-page",
        ),
        (answer("200 OK", "application/json", "{\"ok\":true}"), "json-answer"),
        (answer("200 OK", "text/xml", "<Response><Say>a & b</Say></Response>"), "bare-ampersand"),
        (raw("HTTP/1.1 204 No Content\r\n\r\n"), "no-content"),
        (redirect("308 Permanent Redirect", "/other"), "11216"),
        (raw("SSH-2.0-OpenSSH\r\n"), "not-http"),
        (
            raw(
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 99\r\n\r\n<Response/>",
            ),
            "body-truncated",
        ),
        (Plays::Closes, "closed-early"),
    ] {
        let app = App::start(&[("/voice", plays)]).await;
        let (code, text) = checked(&[&app.url("/voice")], None).await;
        assert_eq!(code, Some(1), "{slug}: {text}");
        assert!(
            text.contains(slug) && text.contains("fix: ") && text.contains("NO-GO"),
            "{slug}: {text}"
        );
    }
}

#[tokio::test]
async fn an_action_that_answers_204_is_found_only_while_the_call_runs() {
    let app = App::start(&[
        ("/voice", twiml("<Gather action=\"/menu\"><Say>Hi</Say></Gather>")),
        ("/menu", raw("HTTP/1.1 204 No Content\r\n\r\n")),
    ])
    .await;
    let (code, text) = checked(&[&app.url("/voice"), "--follow", "--json"], None).await;
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, report["verdict"].as_str()), (Some(1), Some("NO-GO")));
    let actions: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["check"] == "action")
        .collect();
    let verdicts: Vec<_> = actions.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["no-go", "go"], "{text}");
    assert_eq!(actions[0]["code"], 12_100);
    assert_eq!(
        (report["signed"].as_bool(), report["url"].as_str()),
        (Some(false), Some(app.url("/voice").as_str()))
    );
}

#[tokio::test]
async fn the_wrong_url_that_an_application_rebuilds_is_named() {
    let app = signed_app("http://pbx.example.com/voice", "12345").await;
    let public = ["--public-url", "https://pbx.example.com/voice?tenant=7"];
    let url = format!("http://{app}/voice");
    let (code, text) = checked(&[&[url.as_str()], &public[..]].concat(), Some("12345")).await;
    assert_eq!(code, Some(1), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("your app rebuilds the URL as http://pbx.example.com… without its query"),
        "{text}"
    );
}

#[tokio::test]
async fn an_app_behind_a_front_end_is_told_what_that_would_tell_it() {
    let app = App::start(&[("/voice", twiml("<Hangup/>"))]).await;
    let told = |told: bool| {
        let is_told = |asked: &String| {
            asked.contains("X-Forwarded-Proto: https\r\n")
                && asked.contains("X-Forwarded-Host: pbx.example.com\r\n")
        };
        app.requests().iter().filter(|asked| is_told(asked) == told).count()
    };
    checked(&[&app.url("/voice")], None).await;
    assert_eq!((told(true), told(false)), (0, 2));
    checked(&[&app.url("/voice"), "--public-url", "https://pbx.example.com/voice"], None).await;
    assert_eq!((told(true), told(false)), (2, 2));
}

#[tokio::test]
async fn steps_that_stand_in_the_query_are_followed() {
    let url = "/ivr?step=";
    let step = |next: &str| twiml(&format!("<Redirect>{url}{next}</Redirect>"));
    let app = App::start(&[("/voice", step("1")), ("/ivr", step("2"))]).await;
    let (code, text) = checked(&[&app.url("/voice"), "--follow"], None).await;
    assert_eq!(code, Some(0), "{text}");
    let asked = app.requests();
    for n in ["1", "2"] {
        let line = format!("POST {url}{n} ");
        assert_eq!(asked.iter().filter(|asked| asked.starts_with(&line)).count(), 1, "{n}");
    }
}

/// Takes only what is signed for this URL.
async fn signed_app(url: &'static str, token: &'static str) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let token = twiml_guard::twilio::signature::AuthToken::new(token).unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 8192];
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            let length = stream.read(&mut asked).await.unwrap();
            let text = String::from_utf8_lossy(&asked[..length]).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let signature = head
                .lines()
                .find_map(|line| line.strip_prefix("X-Twilio-Signature: "))
                .unwrap_or_default();
            let params = twiml_guard::twilio::Params::from_form(body.as_bytes());
            let fine = token.verifies(url, params.iter(), signature);
            let (status, body) =
                if fine { ("200 OK", "<Response/>") } else { ("403 Forbidden", "no") };
            let said = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(said.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn addresses_with_secrets_are_refused() {
    for url in [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://metadata.google.internal/",
    ] {
        let (code, text) = checked(&[url], None).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("never asked"), "{text}");
    }
}

#[tokio::test]
async fn a_dying_stream_is_a_no_go() {
    for (ws, code) in [
        (Plays::Dies, "closed by the backend"),
        (Plays::Garbage, "31924"),
        (answer("400 Bad Request", "text/html", "no"), "31920"),
    ] {
        let app = App::start(&[
            ("/voice", twiml("<Connect><Stream url=\"ws://pbx.example.com/ws\"/></Connect>")),
            ("/ws", ws),
        ])
        .await;
        let url = app.url("/voice");
        let (exit, text) = checked(&[&url, "--host", "pbx.example.com"], None).await;
        assert!(exit == Some(1) && text.contains(code), "{code}: {text}");
    }
}

#[tokio::test]
async fn messaging_is_checked_likewise() {
    let app = App::start(&[("/sms", twiml("<Message>Hi</Message>"))]).await;
    let (code, text) = checked(&[&app.url("/sms"), "--kind", "messaging"], None).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = checked(&["nonsense"], None).await;
    assert!(code == Some(2) && text.contains("expected a URL"), "{text}");
}

#[tokio::test]
async fn the_self_check_names_what_is_wrong_at_the_start_and_the_guard_serves_on() {
    let app = App::start(&[
        ("/good", twiml("<Say>Hi</Say>")),
        ("/webhook/incoming_call", answer("405 Method Not Allowed", "text/html", "no")),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let routes = "[[route]]\npath = \"/good\"\nslot = \"voice\"\n[[route]]\npath = \"/webhook/incoming_call\"\nslot = \"voice\"\n";
    std::fs::write(&file, routes).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let upstream = format!("http://{}", app.address);
    let events = tokio::task::spawn_blocking(move || {
        let mut guard = binary::Running::start(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ops",
            "off",
            "--config",
            &file,
            "--upstream",
            &upstream,
            "--log-format",
            "json",
            "--self-check",
        ]);
        let address = guard.address();
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        let answer = binary::post(address, "/good", crate::support::client::CALL);
        assert!(answer.contains("<Say>Hi</Say>"), "{answer}");
        guard.signal("TERM");
        guard.end().1
    })
    .await
    .unwrap();
    let line =
        |message: &str| events.lines().find(|line| line.contains(message)).map(str::to_owned);
    let bad = line("self-check: NO-GO").unwrap_or_else(|| panic!("{events}"));
    assert!(bad.contains("self-check: POST /webhook/incoming_call at start-up: 405"), "{bad}");
    assert!(
        bad.contains("WARN") && line("self-check: GO").unwrap().contains("POST /good"),
        "{events}"
    );
}
