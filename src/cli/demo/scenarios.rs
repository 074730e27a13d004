//! What the misbehaving backend does: one route per way in which backends go wrong.

use std::time::Duration;

use super::answers::{
    DOCUMENT, Headers, answer, brotli, deflate, gzip, html, page, plain, raw_deflate, twiml, xml,
    zstd,
};
use super::backend::{Asked, Step};
use crate::twilio::Slot;

/// One route of the misbehaving backend.
#[derive(Debug)]
pub(super) struct Scenario {
    /// Its path.
    pub path: &'static str,
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// The kind of fault, a heading.
    pub kind: &'static str,
    /// What the backend says, a few words.
    pub says: &'static str,
    /// What the backend does.
    pub plays: fn(&Asked) -> Vec<Step>,
}

/// Longer than the demo's budget.
const TOO_LONG: Duration = Duration::from_secs(20);

const GOOD: &str = "A good answer";
const TYPE: &str = "1   Good TwiML under a wrong Content-Type";
const STATUS: &str = "2   Pages, JSON and error text";
const REDIRECT: &str = "2b  Redirects";
const BEFORE: &str = "3   Something before the document";
const XML: &str = "4   XML made by hand";
const EMPTY: &str = "5   Empty and cut answers";
const PLATFORM: &str = "6   Pages of servers, platforms and frameworks";
const LINKS: &str = "7   Broken URLs";
const VERBS: &str = "7b  Verbs and attributes";
const METHOD: &str = "8   The wrong method";
const AROUND: &str = "9   Text glued around the document";
const CODING: &str = "10  Compression that nobody asked for";
const TRANSPORT: &str = "+   No answer at all";

macro_rules! scenarios {
    ($($kind:ident { $($slot:ident $path:literal $says:literal => $plays:expr;)* })*) => {
        /// Every scenario, in the order of the walk.
        pub(super) static SCENARIOS: &[Scenario] = &[$($(
            Scenario {
                path: $path,
                slot: Slot::$slot,
                kind: $kind,
                says: $says,
                plays: $plays,
            },
        )*)*];
    };
}

scenarios! {
    GOOD {
        Voice "/voice/healthy" "200 text/xml, fine TwiML" => |_| twiml(DOCUMENT);
        Voice "/voice/audio" "200 audio/mpeg" =>
            |_| answer("200 OK", &[("Content-Type", "audio/mpeg")], b"ID3\x03\0\0\0\0\0\0");
    }
    TYPE {
        Voice "/voice/html-type" "TwiML as text/html" => |_| html("200 OK", DOCUMENT);
        Action "/action/plain-type" "TwiML as text/plain" => |_| plain("200 OK", DOCUMENT);
        Voice "/voice/json-type" "TwiML as application/json" =>
            |_| answer("200 OK", &[("Content-Type", "application/json")], DOCUMENT.as_bytes());
        Voice "/voice/misspelt" "TwiML as txt/xml" =>
            |_| answer("200 OK", &[("Content-Type", "txt/xml")], DOCUMENT.as_bytes());
        Voice "/voice/no-type" "TwiML, no Content-Type" =>
            |_| answer("200 OK", &[], DOCUMENT.as_bytes());
        Voice "/voice/two-types" "TwiML, two Content-Types" => |_| answer(
            "200 OK",
            &[("Content-Type", "text/html"), ("Content-Type", "text/xml")],
            DOCUMENT.as_bytes(),
        );
        Voice "/voice/in-json" "TwiML as a JSON string" => |_| answer(
            "200 OK",
            &[("Content-Type", "application/json")],
            serde_json::Value::from(DOCUMENT).to_string().as_bytes(),
        );
    }
    STATUS {
        Voice "/voice/html-500" "500 HTML page" =>
            |_| html("500 Internal Server Error", &page("Internal Server Error"));
        Voice "/voice/csrf-403" "403 CSRF check failed" =>
            |_| html("403 Forbidden", &page("CSRF verification failed. Request aborted."));
        Voice "/voice/json-200" "200 JSON" => |_| answer(
            "200 OK",
            &[("Content-Type", "application/json")],
            br#"{"status":"error","message":"no such tenant"}"#,
        );
        Voice "/voice/traceback" "200 a traceback as text" => |_| plain(
            "200 OK",
            "Traceback (most recent call last):\n  File \"app.py\", line 12, in voice\nKeyError: 'From'\n",
        );
        Messaging "/messaging/404" "404 plain text" => |_| plain("404 Not Found", "not found");
        Messaging "/messaging/ok" "200 text \"OK\"" => |_| plain("200 OK", "OK");
        Voice "/voice/twiml-500" "500 over fine TwiML" => |_| xml("500 Oops", DOCUMENT);
        Voice "/voice/quoted" "a page that quotes TwiML" =>
            |_| html("200 OK", &page(&format!("<p>Send this:</p><pre>{DOCUMENT}</pre>")));
        Wait "/wait/500" "500 HTML, caller queued" =>
            |_| html("500 Internal Server Error", &page("Internal Server Error"));
        Callback "/callback/500" "500 to a status callback" =>
            |_| html("500 Internal Server Error", &page("Internal Server Error"));
    }
    REDIRECT {
        Voice "/voice/moved" "302 to its own /voice/healthy" => |_| redirect("/voice/healthy");
        Voice "/voice/login" "302 to its login page" => |_| redirect("/login");
        Voice "/voice/away" "302 to another host" => |_| redirect("https://www.example.org/");
        Voice "/voice/loop" "302 to itself" => |_| redirect("/voice/loop");
        Voice "/voice/resign" "302, then 403 signature" => |_| redirect("/voice/signed");
    }
    BEFORE {
        Voice "/voice/bom" "a byte order mark" => |_| twiml(&format!("\u{feff}{DOCUMENT}"));
        Voice "/voice/newline" "blank lines before <?xml" => |_| twiml(&format!("\n\n{DOCUMENT}"));
        Action "/action/nbsp" "a no-break space" => |_| twiml(&format!("\u{a0}{DOCUMENT}"));
        Voice "/voice/emoji" "an emoji" => |_| twiml(&format!("\u{1f4de} {DOCUMENT}"));
    }
    XML {
        Voice "/voice/bare-amp" "a bare & in a URL" => |_| twiml(
            "<Response><Gather action=\"/action/menu?a=1&b=2\"><Say>One or two?</Say></Gather></Response>",
        );
        Voice "/voice/entity" "an HTML entity" =>
            |_| twiml("<Response><Say>caf&eacute;</Say></Response>");
        Voice "/voice/unquoted" "unquoted attributes" =>
            |_| twiml("<Response><Gather numDigits=1><Say>Press one.</Say></Gather></Response>");
        Voice "/voice/curly" "curly quotes" =>
            |_| twiml("<Response><Say voice=\u{201c}alice\u{201d}>Hello.</Say></Response>");
        Voice "/voice/unclosed" "end tags missing" => |_| twiml("<Response><Say>Hello.</Say>");
        Messaging "/messaging/less" "a bare < in a text" =>
            |_| twiml("<Response><Message>2 < 3</Message></Response>");
    }
    EMPTY {
        Voice "/voice/empty" "200 without a body" => |_| twiml("");
        Action "/action/204" "204, caller on the line" => |_| answer("204 No Content", &[], b"");
        Messaging "/messaging/204" "204 to a message" => |_| answer("204 No Content", &[], b"");
        Whisper "/whisper/empty" "200, blanks only" => |_| twiml(" \n ");
        Voice "/voice/cut" "TwiML cut in the middle" => |_| {
            let mut steps = lying(DOCUMENT.len(), DOCUMENT.get(..60).unwrap_or_default());
            steps.push(Step::Close);
            steps
        };
        Voice "/voice/length" "whole, Content-Length too big" => |_| {
            let mut steps = lying(DOCUMENT.len() + 40, DOCUMENT);
            steps.push(Step::Close);
            steps
        };
    }
    PLATFORM {
        Voice "/voice/nginx-502" "502 of nginx" => |_| html(
            "502 Bad Gateway",
            "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n",
        );
        Voice "/voice/werkzeug" "500 of Flask" => |_| html(
            "500 INTERNAL SERVER ERROR",
            "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.</p>\n",
        );
        Voice "/voice/spa" "200 single-page app" => |_| html(
            "200 OK",
            "<!doctype html><html lang=\"en\"><head><script type=\"module\" src=\"/assets/index.js\"></script></head><body><div id=\"root\"></div></body></html>",
        );
    }
    LINKS {
        Voice "/voice/two-schemes" "wss://https:// in a Stream" => |_| twiml(
            "<Response><Connect><Stream url=\"wss://https://pbx.example.com/media\"/></Connect></Response>",
        );
        Voice "/voice/schemeless" "the own host without https:" => |_| twiml(
            "<Response><Play>pbx.example.com/hello.mp3</Play></Response>",
        );
        Voice "/voice/slashes" "// after the own host" => |_| twiml(
            "<Response><Redirect>https://pbx.example.com//voice/healthy</Redirect></Response>",
        );
    }
    VERBS {
        Voice "/voice/tracks" "both_tracks in a <Connect>" => |_| twiml(
            "<Response><Connect><Stream url=\"wss://pbx.example.com/media\" track=\"both_tracks\"/></Connect></Response>",
        );
        Voice "/voice/placeholder" "a {CALL_SID} left unfilled" => |_| twiml(
            "<Response><Connect><Stream url=\"wss://pbx.example.com/media\"><Parameter name=\"CallSid\" value=\"{CALL_SID}\"/></Stream></Connect></Response>",
        );
    }
    METHOD {
        Voice "/voice/get-only" "405, Allow: GET" => |asked| {
            if asked.method == "GET" {
                twiml(DOCUMENT)
            } else {
                let headers: Headers<'_> = &[("Content-Type", "text/html"), ("Allow", "GET, HEAD")];
                answer("405 Method Not Allowed", headers, page("Method Not Allowed").as_bytes())
            }
        };
    }
    AROUND {
        Voice "/voice/php-notice" "a PHP notice before it" => |_| html(
            "200 OK",
            &format!("<br />\n<b>Notice</b>:  Undefined index: From in <b>/app/voice.php</b> on line <b>7</b><br />\n{DOCUMENT}"),
        );
        Voice "/voice/debug" "a debug print before it" =>
            |_| twiml(&format!("DEBUG tenant=7\n{DOCUMENT}"));
        Voice "/voice/script" "a <script> after it" =>
            |_| twiml(&format!("{DOCUMENT}<script>track()</script>"));
    }
    CODING {
        Voice "/voice/gzip" "gzip" => |_| coded("gzip", &gzip(DOCUMENT.as_bytes()));
        Voice "/voice/deflate" "deflate (zlib)" => |_| coded("deflate", &deflate(DOCUMENT.as_bytes()));
        Voice "/voice/raw-deflate" "deflate (raw)" =>
            |_| coded("deflate", &raw_deflate(DOCUMENT.as_bytes()));
        Voice "/voice/brotli" "br" => |_| coded("br", &brotli(DOCUMENT.as_bytes()));
        Voice "/voice/zstd" "zstd" => |_| coded("zstd", &zstd(DOCUMENT.as_bytes()));
        Voice "/voice/gzip-lie" "says gzip, is not" => |_| coded("gzip", DOCUMENT.as_bytes());
        Voice "/voice/gzip-mute" "is gzip, does not say so" => |_| answer(
            "200 OK",
            &[("Content-Type", "text/xml")],
            &gzip(DOCUMENT.as_bytes()),
        );
        Voice "/voice/gzip-twice" "gzip within gzip" =>
            |_| coded("gzip, gzip", &gzip(&gzip(DOCUMENT.as_bytes())));
        Voice "/voice/gzip-bad" "gzip, corrupt" => |_| {
            let mut bytes = gzip(DOCUMENT.as_bytes());
            bytes.iter_mut().skip(20).take(8).for_each(|byte| *byte ^= 0xff);
            coded("gzip", &bytes)
        };
        Voice "/voice/bomb" "gzip of 2 MB of blanks" => |_| coded("gzip", &gzip(&vec![b' '; 2 << 20]));
    }
    TRANSPORT {
        Voice "/voice/refused" "connection refused" => |_| vec![Step::Close];
        Voice "/voice/reset" "connection reset" => |_| vec![Step::Reset];
        Voice "/voice/closed" "closed without an answer" => |_| vec![Step::Close];
        Voice "/voice/not-http" "not HTTP: an SSH banner" =>
            |_| vec![Step::Send(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), Step::Close];
        Voice "/voice/silent" "no headers, ever" => |_| vec![Step::Wait(TOO_LONG), Step::Close];
        Voice "/voice/no-body" "headers, then nothing" => |_| {
            let mut steps = lying(DOCUMENT.len(), "");
            steps.extend([Step::Wait(TOO_LONG), Step::Close]);
            steps
        };
        Wait "/wait/drip" "one byte every 100 ms" => |_| {
            let mut steps = lying(DOCUMENT.len(), "");
            steps.extend([
                Step::Drip(DOCUMENT.as_bytes().to_vec(), Duration::from_millis(100)),
                Step::Close,
            ]);
            steps
        };
    }
}

/// `/`: the list of routes.
pub(super) fn index() -> Vec<Step> {
    let lines: Vec<_> = SCENARIOS
        .iter()
        .map(|scenario| format!("{:24} {}\n", scenario.path, scenario.says))
        .collect();
    let list = lines.concat();
    plain("200 OK", &list)
}

/// Paths that only redirects lead to, and everything else.
pub(super) fn elsewhere(asked: &Asked) -> Vec<Step> {
    match asked.path.as_str() {
        "/login" => html("200 OK", &page("Please sign in")),
        "/voice/signed" => plain("403 Forbidden", "Twilio Request Validation Failed."),
        _ => html("404 Not Found", &page("Not Found")),
    }
}

fn redirect(location: &str) -> Vec<Step> {
    answer("302 Found", &[("Location", location), ("Content-Type", "text/html")], b"")
}

fn coded(coding: &str, bytes: &[u8]) -> Vec<Step> {
    answer("200 OK", &[("Content-Type", "text/xml"), ("Content-Encoding", coding)], bytes)
}

/// A head that announces `length` bytes, and what really comes.
fn lying(length: usize, body: &str) -> Vec<Step> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n");
    vec![Step::Send((head + body).into_bytes())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_lie_under_their_slot() {
        for (at, scenario) in SCENARIOS.iter().enumerate() {
            assert!(scenario.path.starts_with(&format!("/{}/", scenario.slot)), "{scenario:?}");
            assert!(!SCENARIOS[..at].iter().any(|before| before.path == scenario.path));
        }
    }

    #[test]
    fn every_kind_of_fault_is_there() {
        let mut kinds: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.kind).collect();
        kinds.dedup();
        assert_eq!(kinds.len(), 13);
        assert!(SCENARIOS.len() >= 35);
    }
}
