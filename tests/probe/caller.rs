//! The simulated caller against scripted applications.

use std::collections::VecDeque;

use twiml_guard::probe::{Caller, Client, Connector, Ending, Script, Transcript};
use twiml_guard::twilio::Slot;
use twiml_guard::twilio::signature::AuthToken;

use super::app::{App, Plays, answer, raw, redirect, twiml};

fn caller(script: Script) -> Caller {
    Caller::new(Client::new(Connector::new(None).unwrap(), AuthToken::new("12345")), script)
}

async fn called(app: &App, script: Script) -> Transcript {
    caller(script).call(app.url("/voice").parse().unwrap()).await
}

fn brief() -> Script {
    Script { frames: 10, ..Script::default() }
}

fn hung_up(after: &str) -> Ending {
    Ending::HungUp(after.to_owned())
}

fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn digits_lead_to_the_action_and_silence_to_the_next_verb() {
    let app = App::start(&[
        ("/voice", twiml("<Gather action=\"menu\"><Say>Press</Say></Gather><Say>Bye</Say>")),
        ("/menu", twiml("<Say>One</Say><Hangup/>")),
    ])
    .await;
    let said = called(&app, brief()).await;
    assert_eq!(
        (said.words(), said.ending().cloned()),
        (vec!["Press", "Bye"], Some(hung_up("Say")))
    );
    let script = Script { digits: VecDeque::from(["7".to_owned()]), ..brief() };
    let said = called(&app, script).await;
    assert_eq!(
        (said.words(), said.ending().cloned()),
        (vec!["Press", "One"], Some(hung_up("Hangup")))
    );
    let params = said.params_to("/menu").unwrap();
    assert_eq!(
        (value(params, "Digits"), value(params, "CallStatus")),
        (Some("7"), Some("in-progress"))
    );
    assert!(app.requests().iter().all(|request| request.contains("X-Twilio-Signature: ")));
}

#[tokio::test]
async fn record_dial_and_enqueue_ask_their_urls_and_go_on() {
    let app = App::start(&[
        ("/voice", twiml("<Record action=\"/recorded\" recordingStatusCallback=\"/cb\"/>")),
        ("/recorded", twiml("<Dial action=\"/dialled\"><Number url=\"/whisper\" statusCallback=\"/cb\">+15555550100</Number></Dial>")),
        ("/dialled", twiml("<Enqueue waitUrl=\"/wait\" action=\"/queued\">q</Enqueue>")),
        ("/queued", twiml("<Redirect>/last</Redirect>")),
        ("/last", twiml("<Say>Done</Say>")),
        ("/wait", twiml("<Say>Wait</Say>")),
        ("/whisper", twiml("")),
        ("/cb", raw("HTTP/1.1 204 No Content\r\n\r\n")),
    ])
    .await;
    let said = called(&app, brief()).await;
    assert_eq!(said.codes(), Vec::<u32>::new());
    assert_eq!(
        said.asked(),
        [
            (Slot::Voice, "/voice"),
            (Slot::Callback, "/cb"),
            (Slot::Action, "/recorded"),
            (Slot::Whisper, "/whisper"),
            (Slot::Callback, "/cb"),
            (Slot::Action, "/dialled"),
            (Slot::Wait, "/wait"),
            (Slot::Action, "/queued"),
            (Slot::Voice, "/last"),
        ]
    );
    assert!(said.was_spoken_to());
    assert!(value(said.params_to("/recorded").unwrap(), "RecordingUrl").is_some());
    assert_eq!(value(said.params_to("/dialled").unwrap(), "DialCallStatus"), Some("completed"));
}

const CONNECT: &str =
    "<Connect action=\"/ended\"><Stream url=\"ws://HOST/ws\" statusCallback=\"/cb\"/></Connect>";

async fn streaming(ws: Plays, ended: Plays) -> (App, String) {
    // The stream's URL needs the port, which is known once the application runs.
    let media = App::start(&[("/ws", ws)]).await;
    let connect = CONNECT.replace("HOST", &media.address.to_string());
    let app = App::start(&[
        ("/voice", twiml(&connect)),
        ("/ended", ended),
        ("/cb", raw("HTTP/1.1 204 No Content\r\n\r\n")),
    ])
    .await;
    (app, media.url("/"))
}

#[tokio::test]
async fn the_action_of_a_stream_that_ran_may_end_the_call() {
    let (app, _) = streaming(Plays::Echoes, twiml("")).await;
    let said = called(&app, brief()).await;
    assert_eq!(said.codes(), Vec::<u32>::new());
    let report = &said.streams().next().unwrap().report;
    assert_eq!((report.status, report.inbound.frames), (Some(101), 13));
    assert!(report.outbound.frames >= 10, "{report:?}");
    assert!(said.was_spoken_to());
}

#[tokio::test]
async fn a_stream_that_dies_leaves_the_caller_in_silence_or_with_an_error() {
    let (app, _) = streaming(Plays::Dies, twiml("")).await;
    let said = called(&app, brief()).await;
    assert_eq!((said.codes(), said.ending()), (vec![], Some(&Ending::Silence)));
    let (app, _) = streaming(Plays::Dies, raw("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let said = called(&app, brief()).await;
    assert_eq!((said.codes(), said.ending()), (vec![12_100], Some(&Ending::ApplicationError)));
}

#[tokio::test]
async fn an_empty_action_logs_nothing_once_the_caller_has_hung_up() {
    let (app, _) = streaming(Plays::Echoes, raw("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let said = called(&app, Script { hangs_up_in_stream: true, ..brief() }).await;
    assert_eq!(said.codes(), Vec::<u32>::new());
    assert_eq!(value(said.params_to("/ended").unwrap(), "CallStatus"), Some("completed"));
}

#[tokio::test]
async fn a_refused_stream_and_garbage_have_their_codes() {
    let (app, _) =
        streaming(answer("400 Bad Request", "text/html", "no"), twiml("<Say>Sorry</Say>")).await;
    let said = called(&app, brief()).await;
    assert_eq!((said.codes(), said.words()), (vec![31_920], vec!["Sorry"]));
    assert!(app.requests().iter().any(|request| request.contains("StreamEvent=stream-error")));
    let (app, _) = streaming(Plays::Garbage, twiml("<Say>Sorry</Say>")).await;
    let said = called(&app, brief()).await;
    assert_eq!(said.codes(), [31_924]);
    let garbage = said.streams().next().unwrap().report.garbage.clone().unwrap();
    assert!(garbage.first.starts_with(b"HTTP/1.1 500"), "{garbage:?}");
}

#[tokio::test]
async fn the_fallback_is_asked_once_with_the_code_and_the_culprit() {
    let app = App::start(&[
        ("/voice", answer("500 Internal Server Error", "text/html", "<h1>no</h1>")),
        ("/fallback", twiml("<Redirect>/voice</Redirect>")),
    ])
    .await;
    let fallback = app.url("/fallback").parse().unwrap();
    let said = caller(brief()).fallback(fallback).call(app.url("/voice").parse().unwrap()).await;
    assert_eq!(said.codes(), [11_200, 11_200]);
    assert_eq!(said.ending(), Some(&Ending::ApplicationError));
    let params = said.params_to("/fallback").unwrap();
    assert_eq!(value(params, "ErrorCode"), Some("11200"));
    assert_eq!(value(params, "ErrorUrl"), Some(app.url("/voice").as_str()));
}

#[tokio::test]
async fn only_a_failed_connect_is_tried_again() {
    let app = App::start(&[("/voice", Plays::Closes)]).await;
    let said = called(&app, brief()).await;
    assert_eq!((said.codes(), app.requests().len()), (vec![11_206], 1));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let said = caller(brief()).call(nobody.parse().unwrap()).await;
    assert_eq!(said.codes(), [11_202]);
    let mut client = Client::new(Connector::new(None).unwrap(), None);
    let ask = twiml_guard::probe::Ask {
        method: http::Method::POST,
        url: nobody.parse().unwrap(),
        params: vec![],
    };
    assert_eq!(client.ask(ask).await.unwrap_err().retries, 1);
}

#[tokio::test]
async fn redirects_lose_the_post_and_some_are_not_followed() {
    let app = App::start(&[
        ("POST /voice", redirect("301 Moved Permanently", "/there")),
        ("GET /there", twiml("<Say>Hello</Say>")),
    ])
    .await;
    let said = called(&app, brief()).await;
    assert_eq!(said.words(), ["Hello"]);
    assert!(app.requests()[1].starts_with("GET /there?CallSid=CA"), "{}", app.requests()[1]);
    for (plays, code) in [
        (redirect("308 Permanent Redirect", "/voice"), 11_216),
        (redirect("302 Found", "/voice"), 11_215),
        (redirect("302 Found", "http://169.254.169.254/latest/meta-data/"), 11_200),
        (redirect("302 Found", "http://[::ffff:169.254.169.254]/"), 11_200),
        (redirect("302 Found", "http://2852039166/"), 11_200),
    ] {
        let app = App::start(&[("/voice", plays)]).await;
        assert_eq!(called(&app, brief()).await.codes(), [code]);
    }
}

#[tokio::test]
async fn a_loop_is_given_up() {
    let app = App::start(&[("/voice", twiml("<Redirect>/voice</Redirect>"))]).await;
    let said = called(&app, brief()).await;
    assert!(matches!(said.ending(), Some(Ending::GivenUp(_))), "{:?}", said.ending());
    assert_eq!(app.requests().len(), 60);
}

#[tokio::test]
async fn messages_are_texted_and_an_empty_one_is_logged() {
    let app = App::start(&[("/sms", twiml("<Message>Hi</Message><Message/>"))]).await;
    let said = caller(brief()).message(app.url("/sms").parse().unwrap()).await;
    assert_eq!((said.words(), said.codes()), (vec!["Hi"], vec![14_103]));
}

#[tokio::test]
async fn a_status_callback_closes_the_call() {
    let app = App::start(&[
        ("/voice", twiml("<Say>Hello</Say>")),
        ("/status", answer("500 Oops", "text/plain", "no")),
    ])
    .await;
    let status = app.url("/status").parse().unwrap();
    let said =
        caller(brief()).status_callback(status).call(app.url("/voice").parse().unwrap()).await;
    assert_eq!(said.codes(), [15_003]);
    assert_eq!(
        value(said.params_to("/status").unwrap(), "CallbackSource"),
        Some("call-progress-events")
    );
}
