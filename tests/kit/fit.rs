//! Documents that are fit, put together after the grammar, and small changes to their bytes.

use proptest::prelude::*;
use twiml_guard::twilio::Slot;

/// Words that are heard or read.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Hello",
        "please",
        "hold",
        "the line",
        "Press 1 for sales,",
        "2 for support.",
        "call 555-0100",
        "at 10:30 a.m.",
        "שלום",
        "הגעתם",
        "êtes",
        "café",
        "Grüße",
        "日本語",
        "👋",
        "It’s",
        "“fine”",
        "&amp;",
        "&lt;",
        "&#39;",
        "&#x5d0;",
        "\n  ",
        "\t",
        "could not understand",
        "the connection",
        "undefined",
        "our object",
        "sorry,",
        "error",
        "e.g. this",
        "U.S. office",
        "50",
        "fault",
        "not found",
        "www.example.com/a",
        "an exception",
        "Note: this",
        "#1",
        "100%",
        "* or",
        "İstanbul",
        "press #",
    ]);
    prop::collection::vec(word, 1..8).prop_map(|words| words.join(" "))
}

fn url() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "/voice",
        "/ivr/menu.php?step=2&amp;lang=en",
        "menu",
        "menu.php?x=1",
        "../up",
        "?again=1",
        "/a/%20b#rc=2",
        "./x/y",
        "https://pbx.example.com/a?b=c",
        "http://pbx.example.com",
        "HTTPS://pbx.example.com/a",
        "https://cdn.example.net/a/b.mp3",
        "https://cdn.example.net:8443/x",
        "https://api.twilio.com/x",
        "/proxy?u=https://x.example//y",
        "/a:b",
        " /padded ",
        "#top",
        "http://user@pbx.example.com/",
        "https://pbx.example.com:443/x",
        "https://PBX.example.com/é",
        "/{id}",
        "localhost/a",
    ])
    .prop_map(str::to_owned)
}

/// URLs that nothing is found in, wherever the call goes on there.
fn own_url() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(vec![
            "/voice", "/ivr/menu.php?step=2&amp;lang=en", "menu", "menu.php?x=1", "../up", "?again=1", "/a/%20b#rc=2",
            "https://pbx.example.com/a?b=c", "http://pbx.example.com", "/proxy?u=https://x.example//y", "/a:b", " /padded ",
            "https://demo.twilio.com/a", "#top", "./x/y", "https://pbx.example.com/a?b=//c",
        ]).prop_map(str::to_owned),
        1 => url(),
    ]
}

/// Some of these attributes, in this order or the other, in either kind of quotes.
fn attributes(all: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let blank = prop::sample::select(vec![" ", " ", " ", "\n  ", "\t"]);
    let one = all.into_iter().map(|(name, value)| {
        let said = (value, any::<bool>(), blank.clone()).prop_map(move |(value, single, blank)| {
            let quote = if single { '\'' } else { '"' };
            format!("{blank}{name}={quote}{value}{quote}")
        });
        prop::option::weighted(0.4, said)
    });
    (one.collect::<Vec<_>>(), any::<bool>())
        .prop_map(|(mut all, turned)| {
            if turned {
                all.reverse();
            }
            all.into_iter().flatten().collect()
        })
        .boxed()
}

fn of(values: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(values.to_vec()).prop_map(str::to_owned).boxed()
}

fn method() -> BoxedStrategy<String> {
    of(&["GET", "POST", "get", " GET "])
}

fn boolean() -> BoxedStrategy<String> {
    of(&["true", "false"])
}

fn element(
    name: &'static str,
    attributes: BoxedStrategy<String>,
    inner: BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    let end = prop::sample::select(vec!["", "", "", " ", "\n"]);
    (attributes, inner, end)
        .prop_map(move |(attributes, inner, end)| {
            if inner.is_empty() && end.is_empty() {
                format!("<{name}{attributes}/>")
            } else {
                format!("<{name}{attributes}{end}>{inner}</{name}{end}>")
            }
        })
        .boxed()
}

fn nothing() -> BoxedStrategy<String> {
    Just(String::new()).boxed()
}

fn say() -> BoxedStrategy<String> {
    let marked = words().prop_map(|words| {
        format!("{words}<break time=\"1s\"/><emphasis level=\"strong\">now</emphasis> <say-as interpret-as=\"date\">1</say-as>")
    });
    element(
        "Say",
        attributes(vec![
            ("voice", of(&["alice", "woman", "Polly.Joanna", "Google.he-IL-Standard-A"])),
            ("language", of(&["en-US", "he-IL", "fr-FR"])),
            ("loop", of(&["1", "0"])),
        ]),
        prop_oneof![5 => words(), 1 => marked].boxed(),
    )
}

fn play() -> BoxedStrategy<String> {
    let media = prop_oneof![Just("https://cdn.example.net/a.mp3".to_owned()), own_url()].boxed();
    element("Play", attributes(vec![("loop", of(&["2"])), ("digits", of(&["ww12#"]))]), media)
}

fn redirect() -> BoxedStrategy<String> {
    element("Redirect", attributes(vec![("method", method())]), own_url().boxed())
}

fn pause() -> BoxedStrategy<String> {
    element("Pause", attributes(vec![("length", of(&["1", "10"]))]), nothing())
}

fn gather() -> BoxedStrategy<String> {
    let inner = prop::collection::vec(prop_oneof![say(), play(), pause()], 0..3);
    element(
        "Gather",
        attributes(vec![
            ("action", own_url().boxed()),
            ("method", method()),
            ("numDigits", of(&["1", "4"])),
            ("timeout", of(&["5", "auto"])),
            ("finishOnKey", of(&["#", "*", ""])),
            ("input", of(&["dtmf", "speech dtmf", "dtmf speech"])),
            ("hints", of(&["yes, no", "one"])),
            ("speechTimeout", of(&["auto", "3"])),
            ("partialResultCallback", own_url().boxed()),
            ("partialResultCallbackMethod", method()),
        ]),
        inner.prop_map(|inner| inner.concat()).boxed(),
    )
}

fn dial() -> BoxedStrategy<String> {
    let noun = element(
        "Number",
        attributes(vec![
            ("url", own_url().boxed()),
            ("method", method()),
            ("statusCallback", own_url().boxed()),
            ("statusCallbackMethod", method()),
            ("statusCallbackEvent", of(&["initiated ringing", "completed"])),
            ("sendDigits", of(&["wwww1928"])),
        ]),
        of(&["+15550100003", "555-010-0004", " +15550100005 "]),
    );
    let sip = element(
        "Sip",
        attributes(vec![("url", own_url().boxed())]),
        of(&["sip:kate@example.com", "sip:a@example.com?x=1&amp;y=2"]),
    );
    let conference = element(
        "Conference",
        attributes(vec![
            ("waitUrl", own_url().boxed()),
            ("waitMethod", method()),
            ("startConferenceOnEnter", boolean()),
            ("statusCallback", own_url().boxed()),
        ]),
        of(&["Room 1234", "room"]),
    );
    let nouns = prop_oneof![
        of(&["+15550100003", "(555) 010-0003"]),
        prop::collection::vec(prop_oneof![noun, sip], 1..3).prop_map(|nouns| nouns.concat()),
        conference,
    ];
    element(
        "Dial",
        attributes(vec![
            ("action", own_url().boxed()),
            ("method", method()),
            ("callerId", of(&["+15550100002", "client:jenny"])),
            ("timeout", of(&["20"])),
            ("record", of(&["record-from-answer-dual", "true"])),
            ("answerOnBridge", boolean()),
            ("referUrl", own_url().boxed()),
            ("referMethod", method()),
        ]),
        nouns.boxed(),
    )
}

fn connect() -> BoxedStrategy<String> {
    let parameter = element(
        "Parameter",
        attributes(vec![("name", of(&["a", "caller"])), ("value", of(&["1", "null", "x y"]))]),
        nothing(),
    );
    let stream = element(
        "Stream",
        attributes(vec![
            ("url", of(&["wss://pbx.example.com/ws", "wss://media.example.net/s?x=1", "/ws"])),
            ("track", of(&["inbound_track"])),
            ("name", of(&["s"])),
            ("statusCallback", own_url().boxed()),
            ("statusCallbackMethod", method()),
        ]),
        prop::collection::vec(parameter, 0..2).prop_map(|all| all.concat()).boxed(),
    );
    (
        element(
            "Connect",
            attributes(vec![("action", own_url().boxed()), ("method", method())]),
            stream.clone(),
        ),
        element("Start", nothing(), stream),
        any::<bool>(),
    )
        .prop_map(|(connect, start, first)| if first { connect } else { start })
        .boxed()
}

fn simple() -> BoxedStrategy<String> {
    prop_oneof![
        element(
            "Record",
            attributes(vec![
                ("action", own_url().boxed()),
                ("maxLength", of(&["30", "600"])),
                ("playBeep", boolean()),
                ("transcribeCallback", own_url().boxed()),
            ]),
            nothing(),
        ),
        element("Reject", attributes(vec![("reason", of(&["busy", "rejected"]))]), nothing()),
        element(
            "Enqueue",
            attributes(vec![
                ("waitUrl", own_url().boxed()),
                ("waitUrlMethod", method()),
                ("action", own_url().boxed()),
                ("method", method())
            ]),
            of(&["support", "sales &amp; co"]),
        ),
        element("Hangup", nothing(), nothing()),
    ]
    .boxed()
}

fn message() -> BoxedStrategy<String> {
    let media = own_url().prop_map(|url| format!("<Media>{url}</Media>"));
    let inner = prop_oneof![
        words(),
        (words(), media).prop_map(|(words, media)| format!("{words}{media}")),
        words().prop_map(|words| format!("<Body>{words}</Body>")),
    ];
    element(
        "Message",
        attributes(vec![
            ("to", of(&["+15550100001", "whatsapp:+15550100001"])),
            ("from", of(&["+15550100002", "Example Ltd"])),
            ("action", own_url().boxed()),
            ("method", method()),
            ("statusCallback", own_url().boxed()),
        ]),
        inner.boxed(),
    )
}

/// A document that is nearly always fit in this slot.
pub fn document(slot: Slot) -> BoxedStrategy<String> {
    let verb = match slot {
        Slot::Messaging => prop_oneof![message(), redirect()].boxed(),
        Slot::ConferenceWait => prop_oneof![say(), play(), pause(), redirect()].boxed(),
        Slot::Whisper => prop_oneof![say(), play(), gather(), simple()].boxed(),
        _ => prop_oneof![say(), play(), redirect(), pause(), gather(), dial(), connect(), simple()]
            .boxed(),
    };
    let between = prop::sample::select(vec![
        "",
        "",
        "\n  ",
        "\r\n",
        "<!-- a remark: <Say>old</Say> -->",
        " <!--x-->\n",
    ]);
    let before = prop::sample::select(vec![
        "",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version='1.0' encoding='utf-8'?>\n",
        "\n ",
        "<!-- by hand -->\n",
        "<?xml version=\"1.0\"?>\n<!-- x -->",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\" ?>\r\n",
    ]);
    (
        before,
        prop::collection::vec((verb, between), 0..7),
        prop::sample::select(vec!["", "\n", " <!-- end -->"]),
    )
        .prop_map(|(before, verbs, after)| {
            let verbs = verbs.into_iter().flat_map(|(verb, between)| [between.to_string(), verb]);
            let verbs: String = verbs.collect();
            format!("{before}<Response>{verbs}</Response>{after}")
        })
        .boxed()
}

/// One change to the bytes of a document.
#[derive(Debug, Clone)]
pub enum Mutation {
    Cut(prop::sample::Index),
    Delete(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Put(prop::sample::Index, u8),
    Swap(prop::sample::Index, prop::sample::Index),
}

pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<prop::sample::Index>;
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"<>/&;'\" =:.-#%{}[]!?0aAsS\n\t\0".to_vec())
    ];
    let piece = prop::sample::select(vec![
        "<!-- -->",
        "<!--",
        "-->",
        "<Say>",
        "</Say>",
        "<Response>",
        "</Response>",
        "&amp;",
        "&#0;",
        "&nbsp;",
        "]]>",
        "<![CDATA[",
        "<?x?>",
        "//",
        "https://",
        "wss://",
        "http:/",
        " on line 3",
        "Notice: ",
        "Error: ",
        "com.example.Driver: ",
        "ERROR ",
        "app.py:12",
        "csrf",
        "errno",
        "{name}",
        "%s",
        "None",
        "undefined",
        "\u{feff}",
        "\u{a0}",
        "\u{2028}",
        "\u{ffff}",
        "\u{85}",
        "Ã©",
        "é",
        "ש",
        "\u{212a}",
        "İ",
        " voice=\"x\"",
        " url=\"/x\"",
        " action=\"\"",
        " track=\"both_tracks\"",
        " xml:lang=\"en\"",
        " xmlns=\"u\"",
        "<Body>",
        "<Dial>",
        "traceback (most recent call last)",
    ]);
    let mutation = prop_oneof![
        1 => at().prop_map(Mutation::Cut),
        3 => (at(), 1usize..12).prop_map(|(at, len)| Mutation::Delete(at, len)),
        2 => (at(), 1usize..40).prop_map(|(at, len)| Mutation::Double(at, len)),
        4 => (at(), piece).prop_map(|(at, piece)| Mutation::Insert(at, piece.as_bytes().to_vec())),
        4 => (at(), byte).prop_map(|(at, byte)| Mutation::Put(at, byte)),
        2 => (at(), at()).prop_map(|(one, other)| Mutation::Swap(one, other)),
    ];
    prop::collection::vec(mutation, 0..3)
}

pub fn mutated(mut body: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if body.is_empty() {
            return body;
        }
        let len = body.len();
        match mutation {
            Mutation::Cut(at) => body.truncate(at.index(len)),
            Mutation::Delete(at, count) => {
                let at = at.index(len);
                body.drain(at..(at + count).min(len));
            }
            Mutation::Double(at, count) => {
                let at = at.index(len);
                let piece = body[at..(at + count).min(len)].to_vec();
                body.splice(at..at, piece);
            }
            Mutation::Insert(at, piece) => {
                let at = at.index(len);
                body.splice(at..at, piece.iter().copied());
            }
            Mutation::Put(at, byte) => body[at.index(len)] = *byte,
            Mutation::Swap(one, other) => body.swap(one.index(len), other.index(len)),
        }
    }
    body
}
