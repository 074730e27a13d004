//! What each verb does.

use std::time::Duration;

use super::{Caller, Content, Ending, Event, Fetched, Flow, Method, Step, Url, Verb, method};
use crate::guard::stream::StreamKind;
use crate::probe::stream::Stream;
use crate::twilio::Slot;

/// Verbs that do nothing which a simulated person would notice.
const SILENT: [&str; 4] = ["Pause", "Prompt", "Sms", "Stop"];

type Params = Vec<(String, String)>;

fn owned(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Caller {
    pub(super) async fn execute(
        &mut self,
        step: &Step,
        answer: &Fetched,
        content: Content,
    ) -> Flow {
        let root = match content {
            Content::Twiml(root) => root,
            Content::Sound => {
                self.hear("a sound");
                return self.end("the sound");
            }
            Content::Words(words) => {
                self.hear(words);
                return self.end("the text");
            }
        };
        let mut last = "an empty document".to_owned();
        for verb in &root.children {
            last.clone_from(&verb.name);
            if let Some(flow) = self.verb(step, verb, &answer.url).await {
                return flow;
            }
        }
        self.end(&last)
    }

    fn end(&self, after: &str) -> Flow {
        Flow::End(if self.has_hung_up {
            Ending::HungUp("the caller".to_owned())
        } else if self.was_spoken_to {
            Ending::HungUp(after.to_owned())
        } else {
            Ending::Silence
        })
    }

    /// Executes one verb; `None`: on to the next.
    async fn verb(&mut self, step: &Step, verb: &Verb, base: &Url) -> Option<Flow> {
        match verb.name.as_str() {
            "Say" => self.hear(verb.text.clone()),
            "Play" => self.hear(format!("sound of {}", verb.text)),
            "Gather" => return self.gather(verb, base),
            "Record" => return self.record(verb, base).await,
            "Dial" => return self.dial(step.slot, verb, base).await,
            "Connect" => return self.connect(verb, base).await,
            "Start" => drop(self.streams(verb, base).await),
            "Enqueue" => return self.enqueue(verb, base).await,
            "Redirect" => {
                let url = self.resolved(&verb.text, base)?;
                let slot = if step.slot == Slot::Action { Slot::Voice } else { step.slot };
                let more = owned(&[("CallStatus", "in-progress")]);
                let more = if slot == Slot::Messaging { Vec::new() } else { more };
                return Some(Self::next(slot, method(verb, "method"), url, more));
            }
            "Hangup" | "Leave" => return Some(self.end(&verb.name)),
            "Reject" => return Some(Flow::End(Ending::HungUp("Reject".to_owned()))),
            "Message" => self.text(verb, base).await,
            silent if SILENT.contains(&silent) => {}
            other => {
                self.transcript.events.push(Event::Skipped(format!("<{other}> is not played")));
            }
        }
        None
    }

    fn next(slot: Slot, method: Method, url: Url, more: Params) -> Flow {
        Flow::Next(Box::new(Step { slot, method, url, more }))
    }

    /// The action of a verb; `None` where it has none, and the next verb follows.
    fn action(&mut self, verb: &Verb, base: &Url, more: Params) -> Option<Flow> {
        let url = self.resolved(verb.get("action")?, base)?;
        Some(Self::next(Slot::Action, method(verb, "method"), url, more))
    }

    fn gather(&mut self, verb: &Verb, base: &Url) -> Option<Flow> {
        for said in
            verb.children.iter().filter(|child| matches!(child.name.as_str(), "Say" | "Play"))
        {
            self.hear(said.text.clone());
        }
        let digits = self.script.digits.pop_front();
        let asks_anyway = verb.get("actionOnEmptyResult") == Some("true");
        if digits.is_none() && !asks_anyway {
            return None;
        }
        let more = vec![("Digits".to_owned(), digits.unwrap_or_default())];
        let url = match verb.get("action") {
            Some(action) => self.resolved(action, base)?,
            // The default is the document's own URL.
            None => base.clone(),
        };
        Some(Self::next(Slot::Action, method(verb, "method"), url, more))
    }

    async fn record(&mut self, verb: &Verb, base: &Url) -> Option<Flow> {
        if !self.script.speaks {
            return None;
        }
        self.hear("a beep");
        let more = owned(&[
            (
                "RecordingUrl",
                "https://api.example.com/recordings/RE0123456789abcdef0123456789abcdef",
            ),
            ("RecordingSid", "RE0123456789abcdef0123456789abcdef"),
            ("RecordingDuration", "5"),
            ("Digits", "#"),
        ]);
        if let Some(written) = verb.get("recordingStatusCallback") {
            let mut done = more.clone();
            done.truncate(3);
            done.push(("RecordingStatus".to_owned(), "completed".to_owned()));
            if let Some(url) = self.resolved(written, base) {
                self.callback(&url, method(verb, "recordingStatusCallbackMethod"), done).await;
            }
        }
        self.action(verb, base, more)
    }

    async fn dial(&mut self, slot: Slot, verb: &Verb, base: &Url) -> Option<Flow> {
        if slot == Slot::Whisper {
            self.log(13_201, "a <Dial> in a whisper".to_owned(), base);
            return None;
        }
        let answered = self.script.dial == "completed";
        for noun in &verb.children {
            if answered && let Some(url) = noun.get("url") {
                let url = self.resolved(url, base)?;
                self.aside(Slot::Whisper, method(noun, "method"), url).await;
            }
            if let Some(url) = noun.get("waitUrl") {
                let url = self.resolved(url, base)?;
                self.aside(Slot::ConferenceWait, method(noun, "waitMethod"), url).await;
            }
            if let Some(url) = noun.get("statusCallback") {
                let url = self.resolved(url, base)?;
                let more = owned(&[
                    ("CallStatus", &self.script.dial),
                    ("CallbackSource", "call-progress-events"),
                    ("SequenceNumber", "0"),
                ]);
                self.callback(&url, method(noun, "statusCallbackMethod"), more).await;
            }
        }
        if answered {
            self.hear("the person who was dialled");
        }
        let sid = self.call_sid.replacen("CA", "CAd", 1).chars().take(34).collect::<String>();
        let mut more = owned(&[("DialCallStatus", &self.script.dial), ("DialCallSid", &sid)]);
        if answered {
            more.push(("DialCallDuration".to_owned(), "5".to_owned()));
        }
        self.action(verb, base, more)
    }

    /// A document that is played beside the call: to the other side, or while waiting.
    async fn aside(&mut self, slot: Slot, method: Method, url: Url) {
        let step = Step { slot, method, url, more: Vec::new() };
        if let Ok((_, Content::Twiml(root))) = self.document(&step).await {
            for verb in &root.children {
                match verb.name.as_str() {
                    "Say" | "Play" if slot != Slot::Whisper => self.hear(verb.text.clone()),
                    "Dial" if slot == Slot::Whisper => {
                        self.log(13_201, "a <Dial> in a whisper".to_owned(), &step.url);
                    }
                    "Dial" | "Gather" | "Record" | "Hangup" if slot == Slot::ConferenceWait => {
                        self.log(13_238, format!("a <{}> while waiting", verb.name), &step.url);
                    }
                    _ => {}
                }
            }
        }
    }

    async fn enqueue(&mut self, verb: &Verb, base: &Url) -> Option<Flow> {
        if let Some(url) = verb.get("waitUrl") {
            let url = self.resolved(url, base)?;
            self.aside(Slot::Wait, method(verb, "waitUrlMethod"), url).await;
        }
        if self.script.queue == "bridged" {
            self.hear("the person who took the call from the queue");
        }
        let more = owned(&[
            ("QueueResult", &self.script.queue),
            ("QueueSid", "QU0123456789abcdef0123456789abcdef"),
            ("QueueTime", "5"),
        ]);
        self.action(verb, base, more)
    }

    async fn connect(&mut self, verb: &Verb, base: &Url) -> Option<Flow> {
        let more = self.streams(verb, base).await;
        self.action(verb, base, more)
    }

    /// Opens the streams of a `<Connect>` or `<Start>`; gives what the action is told of them.
    async fn streams(&mut self, verb: &Verb, base: &Url) -> Params {
        let mut more = Vec::new();
        for noun in &verb.children {
            let kind = match noun.name.as_str() {
                "Stream" => StreamKind::MediaStream,
                "ConversationRelay" => StreamKind::ConversationRelay,
                other => {
                    let skipped = format!("<{other}> of <{}> is not played", verb.name);
                    self.transcript.events.push(Event::Skipped(skipped));
                    continue;
                }
            };
            let is_connected = verb.name == "Connect";
            if is_connected && noun.get("track").is_some_and(|track| track != "inbound_track") {
                self.log(31_941, "a track that <Connect> refuses".to_owned(), base);
                continue;
            }
            let Some(url) = noun.get("url").and_then(|written| self.resolved(written, base)) else {
                self.log(31_923, "a stream without a URL".to_owned(), base);
                continue;
            };
            more.extend(self.stream(noun, kind, url, base, is_connected).await);
        }
        more
    }

    async fn stream(
        &mut self,
        noun: &Verb,
        kind: StreamKind,
        url: Url,
        base: &Url,
        is_connected: bool,
    ) -> Params {
        if is_connected {
            self.was_spoken_to = false;
        }
        let parameter = |child: &Verb| {
            let value = child.get("value").unwrap_or_default();
            Some((child.get("name")?.to_owned(), value.to_owned()))
        };
        let stream = Stream {
            url: url.clone(),
            kind,
            call_sid: self.call_sid.clone(),
            account_sid: "AC0123456789abcdef0123456789abcdef".to_owned(),
            parameters: noun.children.iter().filter_map(parameter).collect(),
            frames: self.script.frames,
            pace: self.script.pace.min(Duration::from_millis(20)),
        };
        let streamed = stream.run(&self.client).await;
        let fault = streamed.fault();
        let ran = streamed.report.status == Some(101);
        self.was_spoken_to |= streamed.served();
        let sid = streamed.report.stream_sid.clone().unwrap_or_default();
        self.transcript.events.push(Event::Streamed(Box::new(streamed)));
        if let Some((code, why)) = &fault {
            self.log(*code, why.clone(), &url);
        }
        if let Some(callback) = noun.get("statusCallback").and_then(|url| self.resolved(url, base))
        {
            let events: &[&str] =
                if ran { &["stream-started", "stream-stopped"] } else { &["stream-error"] };
            for event in events {
                let mut more = owned(&[("StreamEvent", event), ("StreamSid", &sid)]);
                if let Some((_, why)) = fault.as_ref().filter(|_| *event == "stream-error") {
                    more.push(("StreamError".to_owned(), why.clone()));
                }
                self.callback(&callback, method(noun, "statusCallbackMethod"), more).await;
            }
        }
        if is_connected && self.script.hangs_up_in_stream {
            self.has_hung_up = true;
        }
        match kind {
            StreamKind::ConversationRelay => owned(&[
                ("SessionStatus", if ran { "completed" } else { "failed" }),
                ("SessionDuration", "1"),
            ]),
            _ => owned(&[("StreamSid", &sid)]),
        }
    }

    async fn text(&mut self, verb: &Verb, base: &Url) {
        let body = verb.children.iter().find(|child| child.name == "Body");
        let words = body.map_or(&verb.text, |body| &body.text).clone();
        if words.is_empty() && !verb.children.iter().any(|child| child.name == "Media") {
            self.log(14_103, "an empty <Message>".to_owned(), base);
            return;
        }
        self.hear(words);
        if let Some(callback) = verb.get("statusCallback").and_then(|url| self.resolved(url, base))
        {
            let more = owned(&[("MessageStatus", "delivered"), ("SmsStatus", "delivered")]);
            self.callback(&callback, method(verb, "method"), more).await;
        }
    }
}
