//! The configuration: the annotated manual, the schema, mistakes and their messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use twiml_guard::config::keys::{KEYS, NOTIFY_KEYS, ROUTE_KEYS};
use twiml_guard::config::notify::NotifyFormat;
use twiml_guard::config::{AdminListener, Flags, Loaded, OpsListener, Sources, load, schema};
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

fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
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
    for key in NOTIFY_KEYS {
        assert!(manual.contains(&format!("#   {}:", key.path)), "notify.{}", key.path);
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
    assert_eq!(loaded.config.listen.address().unwrap().port(), 3);
    assert_eq!(loaded.config.ops, OpsListener::Off);
    assert_eq!(loaded.config.public_url.as_deref(), Some("https://pbx.example.com"));
    assert!(loaded.config.default_route.policy.configured().observe);
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
fn webhooks_are_read_and_never_shown() {
    let text = "[[notify]]\nurl_file = \"hook\"\non = [\"opened\"]\n[[notify]]\nurl = \"https://h.example/s3cr3t\"\ntemplate = '{\"a\": \"{{cause}}\", \"n\": {{count}}}'\nper_minute = 3\n";
    let (folder, sources) = sources(Some(text));
    fs::write(folder.path().join("hook"), "http://127.0.0.1:1/s3cr3t\n").unwrap();
    let loaded = load(&sources).unwrap();
    let [first, second] = loaded.config.notify.as_slice() else { panic!("two webhooks") };
    assert_eq!(first.url.reveal(), "http://127.0.0.1:1/s3cr3t");
    assert_eq!(first.format, NotifyFormat::Slack);
    assert!(first.tells("opened") && !first.tells("closed") && second.tells("closed"));
    assert_eq!((second.per_minute, second.timeout.as_secs()), (3, 10));
    assert!(matches!(second.format, NotifyFormat::Template(_)));
    let printed = format!("{}{loaded:?}", loaded.print());
    assert!(printed.contains("[[notify]]") && !printed.contains("s3cr3t"), "{printed}");
    let same = load(&sources).unwrap().config.hash;
    assert_eq!(same, loaded.config.hash);
    let other = text.replace("h.example/s3cr3t", "h.example/other");
    fs::write(folder.path().join("config.toml"), other).unwrap();
    assert_ne!(load(&sources).unwrap().config.hash, loaded.config.hash);
}

#[test]
fn mistakes_in_webhooks_are_told_without_their_urls() {
    for (table, part) in [
        ("url = \"hooks.example.com/s3cr3t\"", "begins with"),
        ("url = \"https://h.example/s3cr3t#x\"", "fragment"),
        ("url = \"https://u:s3cr3t@h.example/\"", "password"),
        ("url = 7", "a URL that begins"),
        ("format = \"slack\"", "found neither"),
        ("url = \"https://h.example/s3cr3t\"\nurl_file = \"x\"", "found both"),
        ("url_file = \"missing\"", "a readable file"),
        ("url = \"https://h.example/s3cr3t\"\nformat = \"teams\"", "\"slack\", \"json\""),
        ("url = \"https://h.example/s3cr3t\"\non = [\"opend\"]", "\"opened\", \"reopened\""),
        ("url = \"https://h.example/s3cr3t\"\ntemplate = \"{{cause}}\"", "in quotes"),
        ("url = \"https://h.example/s3cr3t\"\ntemplate = '{\"a\": \"{{color}}\"}'", "{{color}}"),
        (
            "url = \"https://h.example/s3cr3t\"\ntemplate = '{}'\nformat = \"slack\"",
            "format = \"json\"",
        ),
        ("url = \"https://h.example/s3cr3t\" budget", "TOML"),
        ("url = \"https://h.example/s3cr3t\"\nurll = 1", "did you mean `url`"),
    ] {
        let told = mistakes(&format!("[[notify]]\n{table}\n"));
        assert!(told.contains(part), "{table}: {told}");
        assert!(!told.contains("s3cr3t"), "{told}");
    }
    let told = mistakes("[notify]\nurl = \"https://h.example/s3cr3t\"\n");
    assert!(told.contains("write [[notify]]") && !told.contains("s3cr3t"), "{told}");
}

#[test]
fn routes_take_over_what_they_do_not_say() {
    let loaded = loaded(
        "on_fault = \"fail\"\n[[route]]\npath = \"/a\"\n[[route]]\npath = \"/b\"\non_fault = \"fallback\"\nupstream = \"http://127.0.0.1:7\"\n",
    );
    let [a, b] = loaded.config.routes.as_slice() else { panic!("two routes") };
    assert_eq!(
        (a.policy.configured().on_fault, a.upstream.authority().as_str()),
        (OnFault::Fail, "127.0.0.1:5000")
    );
    assert_eq!(
        (b.policy.configured().on_fault, b.upstream.authority().ends_with(":7")),
        (OnFault::Fallback, true)
    );
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
        "^^^^^^^ route.slot",
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
fn aliases_that_lead_astray_are_mistakes() {
    let alias = |from: &str, to: &str| format!("[[alias]]\nfrom = \"{from}\"\nto = \"{to}\"\n");
    for (text, part) in [
        (alias("/a", "/a"), "found `/a`, which the alias `/a` in line 1 maps to `/a`"),
        (alias("/a", "/b") + &alias("/b", "/a"), "found `/b`, which the alias `/b` in line 4"),
        (alias("/a", "/b") + &alias("/b", "/c"), "a path is mapped once"),
        (alias("/a/*", "/a/b/*"), "a path is mapped once"),
        (alias("/a", "/b") + &alias("/a", "/c"), "found `/a`, which `/a` in line 1 takes"),
        (alias("/a/*", "/b/*") + &alias("/a/x", "/c"), "which `/a/*` in line 1 takes"),
        (alias("/a/*", "/b"), "expected two paths or two prefixes"),
        (alias("/a/{id}", "/b"), "an alias has no {segments}"),
        ("[[alias]]\nfrom = \"/a\"\n".to_owned(), "expected `to` in this [[alias]], found none"),
        ("[[alias]]\nform = \"/a\"\nto = \"/b\"\n".to_owned(), "did you mean `from`?"),
        (
            "[[route]]\npath = \"/a\"\n".to_owned() + &alias("/a", "/b"),
            "route `/a` in line 1 never matches",
        ),
    ] {
        let shown = mistakes(&text);
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let text = "[[route]]\npath = \"/webhook/*\"\n".to_owned()
        + &alias("/webhook/voice", "/webhook/incoming_call")
        + &alias("/old/*", "/*");
    let config = loaded(&text);
    assert_eq!(config.config.aliases.len(), 2);
    assert!(config.print().contains("[[alias]]"), "{}", config.print());
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
fn words_that_can_not_be_spoken_are_mistakes() {
    for words in ["", "   ", "\\u0001"] {
        let shown = mistakes(&format!("[fallback]\ntext = \"{words}\"\n"));
        assert!(shown.contains("fallback.text"), "{words}: {shown}");
    }
    loaded("[fallback]\ntext = \"]]> is spoken <too>\"\n");
}

#[test]
fn addresses_that_can_not_go_together_are_mistakes() {
    for (text, part) in [
        (
            "listen = \"127.0.0.1:5000\"\nupstream = \"http://localhost:5000\"\n",
            "expected the backend, found the guard itself",
        ),
        ("[[route]]\npath = \"/a\"\nupstream = \"http://127.0.0.1:8080\"\n", "route.upstream"),
        (
            "[ops]\nlisten = \"127.0.0.1:8080\"\n",
            "expected an address of its own for health and metrics",
        ),
    ] {
        let shown = mistakes(text);
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    // A default backend that the moved listener takes is told too.
    let (_folder, mut sources) = sources(None);
    sources.flags.listen = Some("127.0.0.1:5000".to_owned());
    assert!(load(&sources).unwrap_err().render(false).contains("found the guard itself"));
}

#[test]
fn the_admin_listener_is_off_unless_it_is_safe() {
    assert_eq!(loaded("").config.admin, AdminListener::Off);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, short) = (file("good", "0123456789abcdef\n"), file("short", "0123456789\n"));
    let admin = |text: &str| loaded(&format!("[admin]\n{text}")).config.admin;
    assert_eq!(
        admin(&format!(
            "listen = \"127.0.0.1:9901\"\ntoken_file = \"{good}\"\nhosts = [\"Guard.Internal\"]"
        )),
        AdminListener::Address {
            address: "127.0.0.1:9901".parse().unwrap(),
            token_file: good.clone().into(),
            hosts: vec!["guard.internal".to_owned()],
        }
    );
    assert_eq!(
        admin("listen = \"unix:/run/x/admin.sock\""),
        AdminListener::Socket { path: "/run/x/admin.sock".into(), hosts: Vec::new() }
    );
    for (text, part) in [
        ("listen = \"127.0.0.1:9901\"", "expected `token_file` beside the address"),
        (
            &format!("listen = \"127.0.0.1:9901\"\ntoken_file = \"{short}\""),
            "at least 16 printable ASCII characters",
        ),
        (
            "listen = \"127.0.0.1:9901\"\ntoken_file = \"/nonexistent\"",
            "expected a readable file with a token, found `/nonexistent`",
        ),
        (
            &format!("listen = \"127.0.0.1:8080\"\ntoken_file = \"{good}\""),
            "expected an address of its own for the admin listener, found `127.0.0.1:8080`, which is `listen` too",
        ),
        (
            &format!("listen = \"127.0.0.1:9900\"\ntoken_file = \"{good}\""),
            "which is `ops.listen` too",
        ),
        (
            &format!("listen = \"127.0.0.1:5000\"\ntoken_file = \"{good}\""),
            "expected the backend, found the guard itself",
        ),
        ("listen = \"unix:admin.sock\"", "a socket like \"unix:/run/twiml-guard/admin.sock\""),
        ("listen = \"unix:/run/\"", "found `unix:/run/`"),
        ("listen = \"9901\"", "found `9901`"),
        ("hosts = [\"http://x\"]", "expected host names, found `http://x`"),
        ("hosts = [\"x:80\"]", "no scheme, no port"),
    ] {
        let shown = mistakes(&format!("[admin]\n{text}\n"));
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
        assert!(!shown.contains("0123456789"), "{shown}");
    }
    // The environment names the same file.
    let (_folder, mut sources) = sources(None);
    sources.env.insert("TWIML_GUARD_ADMIN_LISTEN".to_owned(), "[::1]:9901".to_owned());
    sources.env.insert("TWIML_GUARD_ADMIN_TOKEN_FILE".to_owned(), good);
    assert!(matches!(load(&sources).unwrap().config.admin, AdminListener::Address { .. }));
}

#[test]
fn credentials_in_a_url_are_not_shown() {
    let shown = mistakes("upstream = \"http://user:secret@app:5000\"\n");
    assert!(
        shown.contains("credentials do not belong here") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn a_file_that_is_no_text_is_a_mistake() {
    let (folder, sources) = sources(None);
    fs::write(folder.path().join("config.toml"), b"listen = \"\xff\"\n").unwrap();
    let shown = load(&sources).unwrap_err().render(false);
    assert!(shown.contains("expected a readable configuration file"), "{shown}");
    assert!(!shown.contains("TWIML_GUARD_CONFIG"), "{shown}");
}

#[test]
fn each_kind_of_mistake_has_its_words() {
    for (text, part) in [
        ("upstream = \"ftp://app\"\n", "it begins with http://, https:// or unix:/"),
        ("upstream = \"unix:app.sock\"\n", "begins with /"),
        (
            "upstream = \"https://app\"\nupstream_tls.ca_file = \"/nonexistent\"\n",
            "expected certificates (PEM)",
        ),
        ("upstream_tls.server_name = \"a b\"\n", "expected a host name or an IP address"),
        ("upstream = \"http://app/x\"\n", "a path does not belong here"),
        (
            "listen = \"127.0.0.1\"\n",
            "expected an address and port like \"127.0.0.1:8080\", or a socket like \"unix:/run/twiml-guard/http.sock\", found `127.0.0.1`",
        ),
        ("observe = \"yes\"\n", "expected true or false, without quotes, found `yes`"),
        ("observe = true\nobserve = false\n", "duplicate key"),
        (
            "max_answer_body = \"1GB\"\n",
            "expected a size like \"1MiB\" or \"64kB\" from 1KiB to 64MiB, found `1GB`",
        ),
        ("workers = [1]\n", "found an array"),
        ("public_url = \"pbx.example.com\"\n", "found `pbx.example.com`"),
        ("log = \"json\"\n", "expected a table [log]"),
        ("[ops]\nlisen = \"off\"\n", "did you mean `listen`?"),
        ("[route]\npath = \"/a\"\n", "write [[route]], with two brackets"),
        ("[[route]]\npath = \"/a\"\nmethod = \"FETCH\"\n", "found `FETCH`"),
        ("[[route]]\npath = \"/a/{id}/*\"\n", "`*` and {name} do not go together"),
        ("[[route]]\npath = \"/a\"\n[[route]]\npath = \"/a\"\n", "never matches: `/a` in line 1"),
        ("[fallback]\nvoice = { path = \"x\" }\n", "expected { file = \"…\" } and nothing else"),
    ] {
        let shown = mistakes(text);
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
        assert!(shown.ends_with("1 mistake in the configuration; nothing was started"), "{shown}");
    }
    let (_folder, mut sources) = sources(None);
    for (name, value) in [
        ("TWIML_GUARD_LISTEN", "127.0.0.1:1"),
        ("TWIML_GUARD_LISTEN_FILE", "x"),
        ("TWIML_GUARD_BUDGET", "1h"),
        ("TWIML_GUARD_OPS_FILE", "/nonexistent"),
    ] {
        sources.env.insert(name.to_owned(), value.to_owned());
    }
    sources.flags.public_url = Some("x".to_owned());
    let shown = load(&sources).unwrap_err().render(false);
    for part in [
        "expected TWIML_GUARD_LISTEN or TWIML_GUARD_LISTEN_FILE, found both; unset one",
        "TWIML_GUARD_BUDGET: expected a duration",
        "TWIML_GUARD_OPS_FILE: expected a readable file, found `/nonexistent`",
        "--public-url: expected",
        "4 mistakes",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[test]
fn deep_nesting_is_a_mistake_not_a_crash() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("workers = {}{}\n", open.repeat(50_000), close.repeat(50_000));
        assert!(mistakes(&text).contains("not TOML"));
        assert!(mistakes(&format!("{}listen = 1\n", "[".repeat(50_000))).contains("not TOML"));
    }
}

#[test]
fn a_mistake_is_drawn_at_its_place() {
    assert_eq!(
        mistakes("[ops]\nlisten = 9900\n"),
        "error: expected an address and port like \"127.0.0.1:9900\", or \"off\", found `9900`\n --> /config.toml:2:10\n  |\n2 | listen = 9900\n  |          ^^^^ ops.listen\n\n1 mistake in the configuration; nothing was started"
    );
}

#[test]
fn a_printed_configuration_says_the_same() {
    let text = "public_url = \"https://pbx.example.com\"\nother_method = \"never\"\n[fallback]\nlanguage = \"he\"\nvoice = \"\"\"\n<Response>\n  <Say>It's \\\"down\\\" # \u{5d0}</Say>\n</Response>\"\"\"\n[[route]]\npath = \"/x/{id}\"\nmethod = \"POST\"\nslow_after = \"500ms\"\nfallback = '<Response><Say voice=\"alice\">a</Say></Response>'\n";
    for text in [text, ""] {
        let first = loaded(text);
        let again = loaded(&first.print());
        assert_eq!(format!("{:#?}", again.config), format!("{:#?}", first.config));
    }
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
        let voice = &loaded.config.default_route.policy.configured().fallbacks.voice.body;
        assert!(String::from_utf8_lossy(voice).contains(&format!("language=\"{say}\"")), "{name}");
    }
    let own = loaded("[fallback]\ntext = \"a < b & c\"\n");
    assert!(
        String::from_utf8_lossy(&own.config.default_route.policy.configured().fallbacks.voice.body)
            .contains("a &lt; b &amp; c")
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (folder, sources) = sources(None);
        fs::write(folder.path().join("config.toml"), bytes).unwrap();
        if let Err(errors) = load(&sources) {
            prop_assert!(!errors.render(false).is_empty());
        }
    }

    #[test]
    fn no_value_panics(at in 0..KEYS.len() + ROUTE_KEYS.len(), value in prop_oneof![
        "\\PC{0,40}".prop_map(|text| toml_string(&text)),
        "-?[0-9]{1,30}",
        "[0-9.]{1,25}(ms|s|m|min|B|kB|KiB|MB|MiB)".prop_map(|text| toml_string(&text)),
        "(http|https)://[a-z0-9:@/\\[\\]%.]{0,20}".prop_map(|text| toml_string(&text)),
        "/[a-z/*{}]{0,12}".prop_map(|text| toml_string(&text)),
        "<Response>[<>/&a-zA-Z= ]{0,30}</Response>".prop_map(|text| toml_string(&text)),
    ]) {
        let text = match KEYS.get(at) {
            Some(key) => format!("{} = {value}\n", key.path),
            None => format!("[[route]]\npath = \"/x\"\n{} = {value}\n", ROUTE_KEYS[at - KEYS.len()].path),
        };
        let (_folder, sources) = sources(Some(&text));
        match load(&sources) {
            Ok(first) => {
                let again = loaded(&first.print());
                prop_assert_eq!(format!("{:?}", again.config), format!("{:?}", first.config));
            }
            Err(errors) => prop_assert!(!errors.render(false).is_empty()),
        }
    }

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

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.toml"), text).unwrap();
    let mut sources = Sources { cwd: folder.path().to_owned(), ..Sources::default() };
    for (name, value) in variables {
        sources.env.insert((*name).to_owned(), (*value).to_owned());
    }
    load(&sources).map_err(|errors| errors.to_string())
}

#[test]
fn signatures_are_observed_where_there_is_a_token_and_never_without() {
    use twiml_guard::config::SignatureMode::{Enforce, Observe, Off};
    let token = [("TWILIO_AUTH_TOKEN", "s3cr3t-s3cr3t")];
    let mode = |text: &str, variables: &[(&str, &str)]| {
        let config = with_variables(text, variables).unwrap().config;
        let route = config.routes.first().unwrap_or(&config.default_route);
        (config.default_route.signature, route.signature, route.policy.configured().resign)
    };
    assert_eq!(mode("", &[]), (Off, Off, false));
    assert_eq!(mode("", &token), (Observe, Observe, false));
    assert_eq!(mode("signature = 'off'", &token), (Off, Off, false));
    assert_eq!(mode("signature = 'observe'", &[]), (Off, Off, false));
    let route = "[[route]]\npath = '/voice'\nsignature = 'enforce'\nresign = true\n";
    assert_eq!(mode(route, &token), (Observe, Enforce, true));
    assert_eq!(
        mode("signature = 'enforce'\n[[route]]\npath = '/voice'", &token),
        (Enforce, Enforce, false)
    );
    for text in ["signature = 'enforce'", "resign = true", route] {
        let said = with_variables(text, &[]).unwrap_err();
        assert!(
            said.contains("expected an auth token beside")
                && said.contains("TWIML_GUARD_AUTH_TOKEN_FILE"),
            "{said}"
        );
    }
}

#[test]
fn a_token_is_printed_by_its_place_alone() {
    let loaded = with_variables("", &[("TWILIO_AUTH_TOKEN", "s3cr3t-s3cr3t")]).unwrap();
    let printed = loaded.print();
    assert!(printed.ends_with("# auth token: *** (TWILIO_AUTH_TOKEN)\n"), "{printed}");
    let everything = format!("{printed}{loaded:?}");
    assert!(!everything.contains("s3cr3t"), "{everything}");
    let said = with_variables("", &[("TWILIO_AUTH_TOKEN", "s3cr3t s3cr3t")]).unwrap_err();
    assert!(said.contains("TWILIO_AUTH_TOKEN: line 1") && !said.contains("s3cr3t"), "{said}");
    let said = with_variables("[twilio]\nauth_token_file = 'missing'", &[]).unwrap_err();
    assert!(
        said.contains("config.toml:2:1") && said.contains("expected a readable file"),
        "{said}"
    );
    let said = with_variables("[twilio]\nauth_token = 's3cr3t'", &[]).unwrap_err();
    assert!(said.contains("unknown key `twilio.auth_token`") && !said.contains("s3cr3t"), "{said}");
    assert!(said.contains("did you mean `auth_token_file`?"), "{said}");
    let said = with_variables("trusted_proxies = ['10.1.2.3/8', 'edge']", &[]).unwrap_err();
    assert!(said.contains("not `10.1.2.3/8`") && said.contains("found `edge`"), "{said}");
}

#[test]
fn callbacks_that_wait_need_a_folder() {
    let base = "upstream = \"http://127.0.0.1:5000\"\n";
    for (key, text) in [
        ("callbacks", format!("{base}callbacks = \"redeliver\"\n")),
        (
            "route.callbacks",
            format!(
                "{base}[[route]]\npath = \"/status\"\nslot = \"callback\"\ncallbacks = \"redeliver\"\n"
            ),
        ),
    ] {
        let said = mistakes(&text);
        assert!(said.contains("found no `state_dir`") && said.contains(key), "{said}");
        let folder = if key == "callbacks" {
            format!("state_dir = \"state\"\n{text}")
        } else {
            text.replacen(base, &format!("{base}state_dir = \"state\"\n"), 1)
        };
        loaded(&folder);
    }
}
