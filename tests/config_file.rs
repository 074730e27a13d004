//! The configuration: the annotated manual, the schema, mistakes and their messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use twiml_guard::config::keys::{KEYS, ROUTE_KEYS};
use twiml_guard::config::{Flags, Loaded, OpsListener, Sources, load, schema};
use twiml_guard::guard::policy::OnFault;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(text: Option<&str>) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(text) = text {
        fs::write(folder.path().join("config.toml"), text).unwrap();
    }
    let cwd = folder.path().to_owned();
    (folder, Sources { cwd, ..Sources::default() })
}

fn loaded(text: &str) -> Loaded {
    let (_folder, sources) = sources(Some(text));
    load(&sources).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong, without colours, the folder's name left out.
fn mistakes(text: &str) -> String {
    let (folder, sources) = sources(Some(text));
    let errors = load(&sources).expect_err("a mistake");
    errors.render(false).replace(&folder.path().display().to_string(), "")
}

#[test]
fn the_manual_stands_at_the_defaults() {
    let manual = fs::read_to_string(root().join("config.toml")).unwrap();
    let with = loaded(&manual);
    let (_folder, none) = sources(None);
    let without = load(&none).unwrap();
    for key in KEYS {
        let value = |loaded: &Loaded| loaded.entries.get(key.path).map(|entry| entry.value.clone());
        assert_eq!(value(&with), value(&without), "{}", key.path);
        let name = key.path.rsplit('.').next().unwrap();
        let mentioned = manual
            .lines()
            .any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = ")));
        assert!(mentioned, "{} is not in the manual", key.path);
    }
    for key in ROUTE_KEYS {
        assert!(
            manual.contains(&format!("{}:", key.path))
                || manual.contains(&format!("{},", key.path)),
            "route.{} is not in the manual",
            key.path
        );
    }
    let routes: Vec<_> =
        with.config.routes.iter().map(|route| (route.name.as_str(), route.slot.name())).collect();
    assert_eq!(
        routes,
        [
            ("/webhook/incoming_call", "voice"),
            ("/webhook/stream_ended", "action"),
            ("/webhook/stream_status", "callback"),
            ("/ws/twilio-media", "stream"),
            ("/voice", "voice"),
            ("/sms", "messaging"),
        ]
    );
}

#[test]
fn the_schema_is_the_one_checked_in() {
    let path = root().join("config.schema.json");
    if std::env::var_os("TWIML_GUARD_UPDATE_SCHEMA").is_some() {
        fs::write(&path, schema()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        schema(),
        "run this test with TWIML_GUARD_UPDATE_SCHEMA=1"
    );
}

#[test]
fn layers_override_each_other_and_say_so() {
    let (folder, mut sources) =
        sources(Some("listen = \"127.0.0.1:1\"\nbudget = \"5s\"\nobserve = true\n"));
    sources.env = BTreeMap::from([
        ("TWIML_GUARD_LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
        ("TWIML_GUARD_OPS".to_owned(), "off".to_owned()),
        ("TWIML_GUARD_SERVICE_HOST".to_owned(), "10.0.0.1".to_owned()),
    ]);
    fs::write(folder.path().join("url"), "https://pbx.example.com\n").unwrap();
    sources.env.insert(
        "TWIML_GUARD_PUBLIC_URL_FILE".to_owned(),
        folder.path().join("url").display().to_string(),
    );
    sources.flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.config.listen.port(), 3);
    assert_eq!(loaded.config.ops, OpsListener::Off);
    assert_eq!(loaded.config.public_url.as_deref(), Some("https://pbx.example.com"));
    assert!(loaded.config.default_route.policy.observe);
    let printed = loaded.print();
    for (key, origin) in [
        ("listen = \"127.0.0.1:3\"", "# --listen"),
        ("budget = \"5s\"", "# file, line 2"),
        ("public_url", "# TWIML_GUARD_PUBLIC_URL_FILE"),
        ("workers = 1", "# default"),
    ] {
        let line = printed
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_else(|| panic!("{key}: {printed}"));
        assert!(line.ends_with(origin), "{line}");
    }
}

#[test]
fn routes_take_over_what_they_do_not_say() {
    let loaded = loaded(
        "on_fault = \"fail\"\n[[route]]\npath = \"/a\"\n[[route]]\npath = \"/b\"\non_fault = \"fallback\"\nupstream = \"http://127.0.0.1:7\"\n",
    );
    let [a, b] = loaded.config.routes.as_slice() else { panic!("two routes") };
    assert_eq!((a.policy.on_fault, a.upstream.port), (OnFault::Fail, 5000));
    assert_eq!((b.policy.on_fault, b.upstream.port), (OnFault::Fallback, 7));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let text = "listn = \"127.0.0.1:1\"\nbudget = \"20s\"\nworkers = \"many\"\n\n[log]\nformat = \"jsn\"\n\n[[route]]\nslot = \"voice\"\n\n[[route]]\npath = \"voice\"\nslot = \"voise\"\nmehod = \"GET\"\n";
    let shown = mistakes(text);
    for part in [
        "unknown key `listn`",
        "did you mean `listen`?",
        "config.toml:2:10",
        "expected a duration like \"13s\" or \"500ms\" from 100ms to 14500ms (Twilio gives up after 15 s), found `20s`",
        "expected a whole number from 1 to 64, found `many`",
        "expected one of \"auto\", \"human\", \"json\", found `jsn`",
        "did you mean `json`?",
        "expected `path` in this [[route]], found none",
        "it begins with /",
        "did you mean `voice`?",
        "unknown key `mehod`",
        "did you mean `method`?",
        "8 mistakes in the configuration",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[test]
fn toml_that_is_none_is_told_with_its_place() {
    let shown = mistakes("listen = \n");
    assert!(shown.contains("not TOML") && shown.contains("config.toml:1:"), "{shown}");
}

#[test]
fn routes_that_never_match_are_mistakes() {
    let shown =
        mistakes("[[route]]\npath = \"/a/*\"\n[[route]]\npath = \"/a/b\"\nmethod = \"POST\"\n");
    assert!(
        shown.contains("route `/a/b` never matches: `/a/*` in line 1 takes all of its requests"),
        "{shown}"
    );
    loaded(
        "[[route]]\npath = \"/a/*\"\nmethod = \"GET\"\n[[route]]\npath = \"/a/b\"\nmethod = \"POST\"\n",
    );
}

#[test]
fn fallbacks_that_twilio_would_refuse_are_mistakes() {
    for (text, part) in [
        ("[fallback]\nvoice = \"<Response><Say>sorry</Response>\"\n", "end-tag-missing"),
        (
            "[fallback]\nconference_wait = \"<Response><Hangup/></Response>\"\n",
            "verb-forbidden-in-wait",
        ),
        (
            "[fallback]\nmessaging = \"<Response><Say>sorry</Say></Response>\"\n",
            "verb-wrong-channel",
        ),
        ("[fallback]\nvoice = { file = \"none.xml\" }\n", "expected a readable file"),
        ("[[route]]\npath = \"/v\"\nfallback = \"sorry\"\n", "not-twiml"),
        (
            "[[route]]\npath = \"/v\"\nslot = \"callback\"\nfallback = \"<Response/>\"\n",
            "takes no TwiML",
        ),
        ("[[route]]\npath = \"/v\"\nslot = \"pass\"\nfallback = \"<Response/>\"\n", "not guarded"),
    ] {
        let shown = mistakes(text);
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[test]
fn fallbacks_that_lead_back_are_mistakes() {
    for text in [
        "[[route]]\npath = \"/v\"\nfallback = \"<Response><Redirect>/v</Redirect></Response>\"\n",
        "public_url = \"https://pbx.example.com\"\n[[route]]\npath = \"/v\"\nfallback = \"<Response><Redirect>https://pbx.example.com/other</Redirect></Response>\"\n",
        "[fallback]\nvoice = \"<Response><Gather><Say>press</Say></Gather></Response>\"\n",
        "[fallback]\naction = \"<Response><Dial action='/done'>+15550100</Dial></Response>\"\n",
    ] {
        let shown = mistakes(text);
        assert!(shown.contains("leads back to"), "{shown}");
    }
    loaded(
        "[[route]]\npath = \"/backup\"\nupstream = \"http://127.0.0.1:7\"\n[[route]]\npath = \"/v\"\nfallback = \"<Response><Redirect>/backup</Redirect></Response>\"\n",
    );
    loaded(
        "[fallback]\nvoice = \"<Response><Redirect>https://other.example.net/x</Redirect></Response>\"\n",
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let (_folder, mut sources) = sources(None);
    sources.flags.config = Some("nowhere.toml".into());
    let shown = load(&sources).unwrap_err().render(false);
    assert!(
        shown.contains("--config: expected a readable configuration file, found `nowhere.toml`"),
        "{shown}"
    );
}

#[test]
fn every_language_has_its_words() {
    for (name, say) in [
        ("he", "he-IL"),
        ("ar", "arb"),
        ("es", "es-ES"),
        ("fr", "fr-FR"),
        ("de", "de-DE"),
        ("pt", "pt-BR"),
        ("en", "en-US"),
    ] {
        let loaded = loaded(&format!("[fallback]\nlanguage = \"{name}\"\n"));
        let voice = &loaded.config.default_route.policy.fallbacks.voice.body;
        assert!(String::from_utf8_lossy(voice).contains(&format!("language=\"{say}\"")), "{name}");
    }
    let own = loaded("[fallback]\ntext = \"a < b & c\"\n");
    assert!(
        String::from_utf8_lossy(&own.config.default_route.policy.fallbacks.voice.body)
            .contains("a &lt; b &amp; c")
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z\\[\\]=\"{}.*/ \n0-9#]{0,200}") {
        let (_folder, sources) = sources(Some(&text));
        if let Err(errors) = load(&sources) {
            prop_assert!(!errors.render(false).is_empty());
        }
    }

    #[test]
    fn what_is_printed_loads_to_the_same(budget in 100u64..14_500, workers in 1usize..64, observe: bool, port in 1u16..) {
        let text = format!("budget = \"{budget}ms\"\nworkers = {workers}\nobserve = {observe}\nlisten = \"127.0.0.1:{port}\"\n[[route]]\npath = \"/x\"\nslot = \"wait\"\n");
        let first = loaded(&text);
        let again = loaded(&first.print());
        for key in KEYS {
            let value = |loaded: &Loaded| loaded.entries.get(key.path).map(|entry| entry.value.clone());
            prop_assert_eq!(value(&again), value(&first));
        }
        prop_assert_eq!(again.config.routes.len(), 1);
    }
}
