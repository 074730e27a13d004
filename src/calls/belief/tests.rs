use proptest::prelude::*;

use super::*;

const VOICE: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=in-progress";
const OVER: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=completed";
const RINGING: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=ringing";
const MESSAGE: &str = "MessageSid=SM1&AccountSid=AC1&From=1&To=2";

/// `action:Connect.action`, `callback:Stream.statusCallback`, `voice` for one that was only asked.
fn known(all: &str) -> Vec<Known> {
    let known = |word: &str| {
        let (slot, place) = word.split_once(':').unwrap_or((word, ""));
        let place = place.split_once('.').map(|(element, attribute)| {
            Arc::new(HandedOut {
                element: element.to_owned(),
                attribute: Some(attribute.to_owned()).filter(|name| !name.is_empty()),
                parent: "POST /voice".to_owned(),
            })
        });
        let slot = Slot::ALL.into_iter().find(|own| own.name() == slot).unwrap();
        Known { slot, place }
    };
    all.split_whitespace().map(known).collect()
}

struct Row {
    form: String,
    is_route: bool,
    fixed: Option<Slot>,
    own: &'static str,
    learnt: &'static str,
    is_first: bool,
}

impl Row {
    fn new(form: &str) -> Self {
        let form = form.to_owned();
        Self { form, is_route: true, fixed: None, own: "", learnt: "", is_first: false }
    }

    /// `action this-call action of <Connect> against callback`.
    fn decided(&self) -> String {
        let params = Params::from_form(self.form.as_bytes());
        let (own, learnt) = (known(self.own), known(self.learnt));
        let Self { is_route, fixed, is_first, .. } = *self;
        let evidence =
            Evidence { params: &params, is_route, fixed, own: &own, learnt: &learnt, is_first };
        let Some((slot, role)) = decide(&evidence) else { return "nobody's".to_owned() };
        let place = role.handed_out.map(|place| format!(" {}", place.element)).unwrap_or_default();
        let against = role.against.map(|slot| format!(" against {slot}")).unwrap_or_default();
        format!("{slot} {}{place}{against}", role.belief.name())
    }
}

/// Each row: parameters beside those of a call in progress, what this call's documents told, what
/// others told, what is decided.
fn holds(base: &str, rows: &[(&str, &'static str, &'static str, &str)]) {
    for (params, own, learnt, expected) in rows {
        let form = if params.is_empty() { base.to_owned() } else { format!("{base}&{params}") };
        let row = Row { own, learnt, ..Row::new(&form) };
        assert_eq!(row.decided(), *expected, "{base} & {params} | {own} | {learnt}");
    }
}

#[test]
fn a_plain_voice_request_contradicts_no_step() {
    holds(
        VOICE,
        &[
            ("", "", "", "voice inferred"),
            ("", "action:Connect.action", "", "action this-call Connect"),
            ("", "", "action:Connect.action", "action learnt Connect"),
            ("", "action:Connect.action", "whisper:Number.url", "action this-call Connect"),
            ("", "whisper:Number.url", "", "whisper this-call Number"),
            ("", "", "wait:Enqueue.waitUrl", "wait learnt Enqueue"),
            ("", "", "conference-wait:Conference.waitUrl", "conference-wait learnt Conference"),
            ("", "voice:Redirect.", "", "voice this-call Redirect"),
            // What was handed out last, before what was only asked.
            ("", "action:Connect.action voice", "", "action this-call Connect"),
            ("", "voice:Redirect. action:Connect.action voice", "", "voice this-call Redirect"),
            // The action of a Gather would tell what was keyed in.
            ("", "action:Gather.action voice", "", "voice this-call"),
            ("", "action:Gather.action", "", "action this-call Gather"),
            // In doubt between callback and TwiML: TwiML.
            ("", "callback:Stream.statusCallback", "", "voice inferred against callback"),
            ("", "", "callback:Dial.statusCallback voice", "voice learnt"),
            ("", "", "messaging:Message.action", "voice inferred against messaging"),
            ("", "stream:Stream.url", "", "voice inferred"),
        ],
    );
}

#[test]
fn the_state_of_the_call_tells_a_beginning_from_an_end() {
    holds(
        RINGING,
        &[
            ("", "action:Connect.action voice", "", "voice this-call"),
            ("", "", "action:Connect.action", "action learnt Connect"),
        ],
    );
    holds(
        OVER,
        &[
            ("", "voice:Redirect. action:Connect.action", "", "action this-call Connect"),
            ("", "", "callback:Number.statusCallback", "callback learnt Number"),
            ("", "", "", "action inferred"),
            ("CallDuration=9", "", "", "callback inferred"),
            ("CallDuration=9", "", "action:Dial.action", "action learnt Dial"),
            ("CallDuration=9", "", "callback:Number.statusCallback", "callback learnt Number"),
            (
                "CallDuration=9",
                "",
                "action:Dial.action callback:Number.statusCallback",
                "callback learnt Number",
            ),
        ],
    );
    let first = Row { learnt: "action:Connect.action voice", is_first: true, ..Row::new(VOICE) };
    assert_eq!(first.decided(), "voice learnt");
    let later = Row { is_first: false, ..first };
    assert_eq!(later.decided(), "action learnt Connect");
}

#[test]
fn marks_decide_between_several_roles() {
    holds(
        VOICE,
        &[
            ("Digits=1", "voice", "", "action inferred"),
            ("Digits=1", "action:Gather.action voice", "", "action this-call Gather"),
            ("Digits=1", "voice:Redirect.", "", "action inferred against voice"),
            ("Digits=1", "voice:Redirect.", "action:Gather.action", "action learnt Gather"),
            (
                "Digits=1",
                "",
                "callback:Gather.partialResultCallback",
                "action inferred against callback",
            ),
            // Within a whisper or a wait everything stays so.
            ("Digits=1", "whisper:Number.url", "", "whisper this-call Number"),
            ("Digits=", "", "wait:Enqueue.waitUrl", "wait learnt Enqueue"),
            ("QueuePosition=1", "", "", "wait inferred"),
            (
                "QueuePosition=1",
                "action:Enqueue.action wait:Enqueue.waitUrl",
                "",
                "wait this-call Enqueue",
            ),
        ],
    );
}

#[test]
fn an_action_is_no_callback() {
    for mark in ["CallbackSource=x", "StreamEvent=x", "RecordingStatus=x", "TranscriptionStatus=x"]
    {
        holds(
            VOICE,
            &[
                (mark, "", "", "callback inferred"),
                (mark, "voice", "", "callback inferred"),
                (mark, "action:Record.action", "", "action this-call Record"),
                (mark, "voice:Redirect.", "action:Record.action", "action learnt Record"),
                (
                    mark,
                    "action:Record.action callback:Record.recordingStatusCallback",
                    "",
                    "callback this-call Record",
                ),
                (
                    mark,
                    "action:Record.action",
                    "callback:Record.recordingStatusCallback",
                    "callback learnt Record",
                ),
                (mark, "callback:Record.transcribeCallback", "", "callback this-call Record"),
                (mark, "whisper:Number.url", "", "callback inferred against whisper"),
            ],
        );
    }
}

#[test]
fn messages_are_told_apart() {
    holds(
        MESSAGE,
        &[
            ("SmsStatus=received&Body=x", "", "", "messaging inferred"),
            ("SmsStatus=received&Body=x", "", "messaging:Redirect.", "messaging learnt Redirect"),
            ("SmsStatus=received&Body=x", "", "voice", "messaging inferred"),
            ("SmsStatus=received", "", "voice:Redirect.", "messaging inferred against voice"),
            ("MessageStatus=sent", "", "messaging", "callback inferred"),
            (
                "MessageStatus=sent",
                "callback:Message.statusCallback",
                "",
                "callback this-call Message",
            ),
            ("MessageStatus=sent", "messaging:Message.action", "", "messaging this-call Message"),
        ],
    );
}

#[test]
fn what_is_configured_stands() {
    let fixed = |slot, own| Row { fixed: Some(slot), own, ..Row::new(VOICE) }.decided();
    assert_eq!(fixed(Slot::Voice, ""), "voice configured");
    assert_eq!(fixed(Slot::Action, "callback:Dial.x action:Dial.action"), "action configured Dial");
    assert_eq!(fixed(Slot::Action, "callback:Dial.x"), "action configured");
    assert_eq!(fixed(Slot::Callback, "callback:Dial.x"), "callback configured Dial");
}

#[test]
fn an_action_of_this_call_is_no_callback_whatever_was_written_by_hand() {
    let row =
        |form| Row { fixed: Some(Slot::Callback), own: "action:Connect.action", ..Row::new(form) };
    assert_eq!(row(VOICE).decided(), "action this-call Connect against callback");
    let report = "CallSid=CA1&AccountSid=AC1&CallStatus=completed&CallbackSource=x";
    assert_eq!(row(report).decided(), "callback configured");
    let elsewhere = Row { own: "", learnt: "action:Connect.action", ..row(VOICE) };
    assert_eq!(elsewhere.decided(), "callback configured");
}

#[test]
fn without_parameters_the_documents_tell() {
    holds(
        "x=1",
        &[
            ("", "", "", "voice assumed"),
            ("", "", "callback:Stream.statusCallback", "callback learnt Stream"),
            (
                "",
                "",
                "callback:Stream.statusCallback action:Connect.action",
                "action learnt Connect",
            ),
            ("", "", "stream:Stream.url", "voice assumed"),
        ],
    );
}

#[test]
fn without_a_route_a_sid_is_asked_for() {
    for (form, learnt, expected) in [
        ("x=1", "action:Connect.action", "nobody's"),
        ("", "voice", "nobody's"),
        ("CallSid=CA1", "", "nobody's"),
        ("CallSid=CA1", "action:Connect.action", "action learnt Connect"),
        ("CallSid=CA1&StreamEvent=x", "", "nobody's"),
        ("CallSid=CA1&StreamEvent=x", "callback:Stream.statusCallback", "callback learnt Stream"),
        ("CallSid=CA1&AccountSid=AC1&StreamEvent=x", "", "callback inferred"),
        ("CallSid=CA1&AccountSid=AC1&Payload=x", "", "nobody's"),
        ("StreamEvent=x&AccountSid=AC1", "callback:Stream.statusCallback", "nobody's"),
        ("MessageSid=SM1&AccountSid=AC1&From=1&To=2&MessageStatus=sent", "", "callback inferred"),
        (VOICE, "", "voice inferred"),
    ] {
        let row = Row { is_route: false, learnt, ..Row::new(form) };
        assert_eq!(row.decided(), expected, "{form} | {learnt}");
    }
}

proptest! {
    #[test]
    fn no_parameters_turn_an_action_into_a_callback(
        names in prop::collection::vec(prop::sample::select(vec![
            "CallSid", "AccountSid", "CallStatus", "CallbackSource", "StreamEvent", "RecordingStatus",
            "TranscriptionStatus", "SequenceNumber", "Digits", "RecordingUrl", "DialCallStatus",
            "QueuePosition", "MessageSid", "From", "To", "MessageStatus", "CallDuration",
        ]), 0..12),
        status in prop::sample::select(vec!["ringing", "in-progress", "completed"]),
        others in prop::collection::vec(prop::sample::select(vec![
            "voice", "voice:Redirect.", "whisper:Number.url", "wait:Enqueue.waitUrl", "messaging",
        ]), 0..4),
        is_own: bool, is_route: bool, is_first: bool, at in 0_usize..4,
    ) {
        let form: Vec<_> = names.iter().map(|name| format!("{name}={status}")).collect();
        let params = Params::from_form(form.join("&").as_bytes());
        let mut with_action = known(&others.join(" "));
        let at = at.min(with_action.len());
        with_action.insert(at, known("action:Connect.action").remove(0));
        let others = known(&others.join(" "));
        let (own, learnt) = if is_own { (&with_action, &others) } else { (&others, &with_action) };
        let evidence = Evidence { params: &params, is_route, fixed: None, own, learnt, is_first };
        let decided = decide(&evidence).map(|(slot, _)| slot);
        prop_assert_ne!(decided, Some(Slot::Callback));
        prop_assert_ne!(decided, Some(Slot::Stream));
    }
}
