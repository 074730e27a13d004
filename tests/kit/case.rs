//! Case files: a head, the backend's answer, what is expected. `tests/cases/README.md` tells how they are written.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use twiml_guard::guard::call::{Authenticity, Belief, HandedOut, Role, StreamState};
use twiml_guard::guard::policy::{OnFault, OtherMethod, PlainText, Redirects, Repairs};
use twiml_guard::guard::stream::{Side, StreamEnd, StreamKind, StreamReport};
use twiml_guard::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, CallFacts, Exchange, Failure, Fallback, Fallbacks,
    Outcome, Policy, RequestFacts,
};
use twiml_guard::twilio::{Params, Slot};

use super::{coding, http as wire, stream};

/// One case file.
pub struct Case {
    /// Causes that must not be found.
    pub silent: Vec<String>,
    /// Text up to `=== findings`, kept when the rest is written anew.
    pub given: String,
    /// Text from `=== findings` on.
    pub expected: String,
    pub exchange: Exchange,
    pub policy: Policy,
}

const FINDINGS: &str = "=== findings";
const ANSWER: &str = "=== answer\n";

/// Reads a case file; the message says what is wrong with it.
pub fn read(path: &Path) -> Result<Case, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let at = text.find(&format!("\n{FINDINGS}")).map_or(text.len(), |at| at + 1);
    let (given, expected) = text.split_at(at);
    let (head, written) = match given.split_once(ANSWER) {
        // The line break before the next part is not the body's.
        Some((head, answer)) => (head, Some(answer.strip_suffix('\n').unwrap_or(answer))),
        None => (given, None),
    };
    let head = Head::read(head)?;
    let mut outcome = match (head.get("failure"), head.get("answer-file"), written) {
        (Some(failure), None, None) => Outcome::Failed(failure_of(failure)?),
        (None, Some(file), None) => {
            let file = path.with_file_name(file.trim_start_matches("../../"));
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            Outcome::Answered(wire::page(name))
        }
        (None, None, Some(answer)) => Outcome::Answered(answer_of(&head, answer)?),
        _ => return Err("expected one of failure, answer-file, === answer".to_owned()),
    };
    if let Outcome::Answered(answer) = &mut outcome {
        answer.end = match head.get("end") {
            None => answer.odd.end_of(answer.body.len()),
            end => end_of(end)?,
        };
    }
    let slot = head.slot()?;
    let request = request_of(&head, slot)?;
    let (saw, lost) = (head.get("stream-saw"), head.get("upgrade-lost"));
    let stream = stream::state(saw, lost, &outcome, request.path())?;
    let exchange = Exchange {
        slot,
        attempts: attempts_of(&head, &request, &outcome)?,
        request: Arc::new(request),
        outcome,
        elapsed: Duration::from_secs_f32(match head.get("elapsed") {
            Some(seconds) => {
                seconds.trim_end_matches('s').trim().parse().map_err(|_| "elapsed: 11 s")?
            }
            None => 0.2,
        }),
        call: CallFacts {
            steering_fallbacks: head
                .get("steered")
                .map_or(Ok(0), str::parse)
                .map_err(|_| "steered: 3")?,
            role: head.get("role").map_or(Ok(Role::default()), role_of)?,
            stream: match head.get("stream") {
                Some(words) => stream_of(words)?,
                None => stream,
            },
            signature: signature_of(head.get("signature"))?,
            acknowledged: head
                .get("acknowledged")
                .map(|after| after.trim_end_matches('s').trim().parse())
                .transpose()
                .map_err(|_| "acknowledged: 1 s")?
                .map(Duration::from_secs_f32),
        },
    };
    let silent = head.all("silent").map(str::to_owned).collect();
    let policy = policy_of(&head)?;
    Ok(Case { silent, given: given.to_owned(), expected: expected.to_owned(), exchange, policy })
}

struct Head(Vec<(String, String)>);

impl Head {
    const KEYS: [&str; 25] = [
        "role",
        "stream",
        "silent",
        "slot",
        "request",
        "host",
        "params",
        "authorization",
        "policy",
        "elapsed",
        "attempt",
        "coding",
        "charset",
        "escapes",
        "end",
        "failure",
        "answer-file",
        "fill",
        "steered",
        "fallback",
        "raw-head",
        "stream-saw",
        "upgrade-lost",
        "signature",
        "acknowledged",
    ];

    fn read(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, value) = line.split_once(':').ok_or(format!("no `key: value`: {line}"))?;
            if !Self::KEYS.contains(&key) {
                return Err(format!("unknown key `{key}`; there are {}", Self::KEYS.join(", ")));
            }
            lines.push((key.to_owned(), value.trim().to_owned()));
        }
        Ok(Self(lines))
    }

    fn slot(&self) -> Result<Slot, String> {
        let name = self.get("slot").unwrap_or("voice");
        Slot::ALL.into_iter().find(|slot| slot.name() == name).ok_or(format!("no slot `{name}`"))
    }

    fn get(&self, key: &'static str) -> Option<&str> {
        self.all(key).next()
    }

    fn all(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn answer_of(head: &Head, written: &str) -> Result<Answer, String> {
    let (status_and_headers, body) = match written.split_once("\n\n") {
        Some((first, body)) => (first, body),
        None => (written.trim_end_matches('\n'), ""),
    };
    let escapes = head.get("escapes") == Some("yes");
    let mut body = if escapes { wire::unescape(body) } else { body.as_bytes().to_vec() };
    if let Some(fill) = head.get("fill") {
        let (count, what) = fill.split_once(' ').ok_or("fill: COUNT TEXT")?;
        let filler = what.repeat(count.parse().map_err(|_| "fill: COUNT TEXT")?);
        let text = String::from_utf8(body).map_err(|error| error.to_string())?;
        body = text.replace("@@", &filler).into_bytes();
    }
    if let Some(label) = head.get("charset") {
        body = recoded(label, &String::from_utf8(body).map_err(|error| error.to_string())?)?;
    }
    for step in head.get("coding").unwrap_or_default().split_whitespace() {
        body = coding::step(step, body)?;
    }
    let length = format!("Content-Length: {}", body.len());
    let first = status_and_headers.replace("Content-Length: auto", &length);
    let mut answer = match head.get("raw-head") {
        None => wire::parse(format!("{first}\n\n").as_bytes())?,
        Some("yes") => wire::raw(&first)?,
        Some(other) => return Err(format!("raw-head: yes, not {other}")),
    };
    answer.body = Bytes::from(body);
    Ok(answer)
}

fn recoded(label: &str, text: &str) -> Result<Vec<u8>, String> {
    match label {
        "utf-16le" => return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf-16be" => return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        _ => {}
    }
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or(format!("charset: no encoding `{label}`"))?;
    let (bytes, _, unmappable) = encoding.encode(text);
    if unmappable {
        Err(format!("charset: {label} has not all characters"))
    } else {
        Ok(bytes.into_owned())
    }
}

/// `action of Connect from POST /voice`: how a document of the call handed the URL out.
fn role_of(text: &str) -> Result<Role, String> {
    let (attribute, rest) =
        text.split_once(" of ").ok_or("role: ATTRIBUTE of ELEMENT from PARENT")?;
    let (element, parent) = rest.split_once(" from ").ok_or("role: … from PARENT")?;
    let handed_out = HandedOut {
        element: element.to_owned(),
        attribute: Some(attribute.to_owned()),
        parent: parent.to_owned(),
    };
    Ok(Role { belief: Belief::ThisCall, handed_out: Some(Arc::new(handed_out)), against: None })
}

/// `never-opened`, `open`, `over 0.3s audio=0s frames=13 closed=1000 backend`, `over 0s refused=400`.
fn stream_of(text: &str) -> Result<StreamState, String> {
    let seconds = |text: &str| {
        let seconds = text.trim_end_matches('s').parse();
        seconds.map(Duration::from_secs_f32).map_err(|_| format!("stream: `{text}` is no time"))
    };
    let mut words = text.split_whitespace();
    let mut report = match words.next() {
        Some("never-opened") => {
            return Ok(StreamState::NeverOpened { url: "wss://pbx.example.com/ws".to_owned() });
        }
        Some("open") => return Ok(StreamState::Open),
        Some("over") => StreamReport { path: "/ws".to_owned(), ..StreamReport::default() },
        _ => return Err("stream: never-opened, open or over …".to_owned()),
    };
    report.duration = seconds(words.next().ok_or("stream: over SECONDS …")?)?;
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("audio", time) => report.outbound.audio = seconds(time)?,
            ("frames", count) => report.inbound.frames = count.parse().map_err(|_| "frames=13")?,
            ("messages", count) => {
                report.kind = StreamKind::ConversationRelay;
                report.outbound.messages = count.parse().map_err(|_| "messages=2")?;
            }
            ("refused", status) => report.status = Some(status.parse().map_err(|_| "refused=400")?),
            ("closed", code) => {
                let code = Some(code.parse().map_err(|_| "closed=1000")?);
                report.end = StreamEnd::Closed { by: Side::Backend, code, reason: String::new() };
            }
            ("lost", "") => report.end = StreamEnd::Lost { by: Side::Backend },
            ("backend", "") => {}
            ("twilio", "") => match &mut report.end {
                StreamEnd::Closed { by, .. } | StreamEnd::Lost { by } => *by = Side::Twilio,
                _ => return Err("stream: … closed=1000 twilio".to_owned()),
            },
            _ => return Err(format!("stream: unknown `{word}`")),
        }
    }
    if report.end != StreamEnd::Refused {
        // Twilio's `start` is among the frames, where there are any.
        (report.status, report.has_started) = (Some(101), report.inbound.frames > 0);
    }
    Ok(StreamState::Over(Box::new(report)))
}

fn end_of(end: Option<&str>) -> Result<BodyEnd, String> {
    Ok(match end {
        None => BodyEnd::Complete,
        Some("truncated") => BodyEnd::Truncated { detail: "connection closed".to_owned() },
        Some("too-late") => BodyEnd::TooLate,
        Some("too-large") => BodyEnd::TooLarge { limit: 1024 * 1024 },
        Some(other) => return Err(format!("end: truncated, too-late or too-large, not {other}")),
    })
}

fn failure_of(text: &str) -> Result<Failure, String> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let bytes = Bytes::from(wire::unescape(rest));
    let address = "127.0.0.1:5000".to_owned();
    Ok(match name {
        "refused" => Failure::Refused { address },
        "reset" => Failure::Reset,
        "connect-timeout" => Failure::ConnectTimeout,
        "closed-early" => Failure::ClosedEarly { received: bytes },
        "not-http" => {
            Failure::NotHttp { received: bytes, detail: "invalid HTTP version".to_owned() }
        }
        "headers-too-late" => Failure::HeadersTooLate,
        "unreachable" => Failure::Unreachable { address, detail: rest.to_owned() },
        "cut-short" => Failure::CutShort {
            backend: address,
            silence: Duration::from_secs(12),
            waited: Duration::from_secs(1),
        },
        "full" => Failure::Full { detail: rest.to_owned() },
        "request-unfit" => Failure::RequestUnfit { detail: rest.to_owned() },
        "internal" => Failure::Internal { detail: rest.to_owned() },
        _ => return Err(format!("failure: unknown `{name}`")),
    })
}

fn request_of(head: &Head, slot: Slot) -> Result<RequestFacts, String> {
    let usual = match slot {
        Slot::Messaging => {
            "MessageSid=SM0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&From=%2B15550100001&To=%2B15550100002&Body=hello"
        }
        _ => {
            "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&From=%2B15550100001&To=%2B15550100002"
        }
    };
    let state = head.get("params").map_or_else(
        || if slot == Slot::Messaging { String::new() } else { "&CallStatus=ringing".to_owned() },
        |more| format!("&{more}"),
    );
    let form =
        if head.get("params") == Some("none") { String::new() } else { format!("{usual}{state}") };
    let line = head.get("request").unwrap_or("POST /voice");
    let (method, target) = line.split_once(' ').ok_or("request: METHOD TARGET")?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
    let posted = method == Method::POST;
    let target = if posted || form.is_empty() {
        target.to_owned()
    } else {
        format!("{target}{}{form}", if target.contains('?') { '&' } else { '?' })
    };
    let mut params = Params::from_form(target.split_once('?').map_or(b"", |(_, q)| q.as_bytes()));
    if posted {
        params.append_form(form.as_bytes());
    }
    Ok(RequestFacts {
        method,
        target,
        host: Some(head.get("host").unwrap_or("pbx.example.com").to_owned()),
        has_authorization: head.get("authorization") == Some("yes"),
        params,
        body: if posted { Bytes::from(form) } else { Bytes::new() },
    })
}

/// `METHOD TARGET [STATUS] [redirect|other-method|collapsed|post-again] [location=…] [allow=…]`, one line each; without
/// any, the one request that was sent.
fn attempts_of(
    head: &Head,
    request: &RequestFacts,
    outcome: &Outcome,
) -> Result<Vec<Attempt>, String> {
    let answered = match outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Failed(_) => None,
    };
    let text = |name: &str| {
        answered
            .and_then(|answer| answer.headers.get(name))
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut attempts = Vec::new();
    for line in head.all("attempt") {
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or_default();
        let mut attempt = Attempt {
            method: Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?,
            target: words.next().ok_or("attempt: METHOD TARGET …")?.to_owned(),
            reason: AttemptReason::First,
            status: None,
            location: None,
            allow: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("location", value)) => attempt.location = Some(value.to_owned()),
                Some(("allow", value)) => attempt.allow = Some(value.to_owned()),
                Some(("resigned", url)) => {
                    attempt.reason = AttemptReason::Resigned { url: url.to_owned() };
                }
                None if AttemptReason::by_name(word).is_some() => {
                    attempt.reason = AttemptReason::by_name(word).unwrap_or(AttemptReason::First);
                }
                _ => {
                    let status = StatusCode::from_bytes(word.as_bytes());
                    attempt.status = Some(status.map_err(|_| format!("attempt: `{word}`"))?);
                }
            }
        }
        attempts.push(attempt);
    }
    if attempts.is_empty() {
        attempts.push(Attempt {
            method: request.method.clone(),
            target: request.target.clone(),
            reason: AttemptReason::First,
            status: None,
            location: None,
            allow: None,
        });
    }
    if let Some(last) = attempts.last_mut() {
        last.status = answered.map(|answer| answer.status);
        last.location = text("location");
        last.allow = text("allow");
    }
    Ok(attempts)
}

fn signature_of(said: Option<&str>) -> Result<Authenticity, String> {
    Ok(match said {
        None => Authenticity::Unchecked,
        Some("forged") => Authenticity::Forged,
        Some("unsigned") => Authenticity::Unsigned,
        Some(said) => {
            let url = said
                .strip_prefix("genuine ")
                .ok_or("signature: genuine URL, forged or unsigned")?;
            Authenticity::Genuine { url: url.to_owned() }
        }
    })
}

fn policy_of(head: &Head) -> Result<Policy, String> {
    let mut policy =
        Policy { upstream_authority: "127.0.0.1:5000".to_owned(), ..Policy::default() };
    for word in head.all("policy").flat_map(str::split_whitespace) {
        match word.split_once('=').unwrap_or((word, "")) {
            ("observe", "") => policy.observe = true,
            ("on_fault", "fail") => policy.on_fault = OnFault::Fail,
            ("other_method", "never") => policy.other_method = OtherMethod::Never,
            ("other_method", "on-missing") => policy.other_method = OtherMethod::OnMissing,
            ("plain_text", "replace") => policy.plain_text = PlainText::Replace,
            ("resign", "") => policy.resign = true,
            ("redirects", "replace") => policy.redirects = Redirects::Replace,
            ("repairs", "lossless") => policy.repairs = Repairs::Lossless,
            ("public_url", url) => {
                let host = url.split_once("://").ok_or("public_url=https://…")?.1;
                policy.own_hosts = vec![host.to_ascii_lowercase()];
                policy.public_origin = Some(url.to_owned());
            }
            _ => return Err(format!("policy: unknown `{word}`")),
        }
    }
    if let Some(xml) = head.get("fallback") {
        let slot = head.slot()?;
        let own = Fallback::compile("own", xml, slot).map_err(|error| error.to_string())?;
        let mut all = Fallbacks::built_in();
        match slot {
            Slot::Action => all.action = own,
            Slot::ConferenceWait => all.conference_wait = own,
            Slot::Messaging => all.messaging = own,
            Slot::Wait => all.wait = own,
            Slot::Whisper => all.whisper = own,
            _ => all.voice = own,
        }
        policy.fallbacks = Arc::new(all);
    }
    Ok(policy)
}
