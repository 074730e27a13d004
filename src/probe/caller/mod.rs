//! The simulated caller: follows TwiML as Twilio does, from a number's URL to the end.

mod script;
mod transcript;
mod verbs;

use http::Method;

use super::Refused;
use super::client::{Ask, Client, Fetched};
use super::document::{Content, Verb, content};
use super::params::parameters;
use super::url::Url;
use crate::guard::link;
use crate::twilio::Slot;

pub use script::Script;
pub use transcript::{Ending, Event, Transcript};

/// Most requests in one call.
const MAX_REQUESTS: usize = 60;
/// Longest call.
const LONGEST: std::time::Duration = std::time::Duration::from_mins(3);

/// A number as it is configured at Twilio, and who calls it.
#[derive(Debug)]
pub struct Caller {
    client: Client,
    script: Script,
    fallback: Option<Url>,
    status_callback: Option<Url>,
    call_sid: String,
    requests: usize,
    fell_back: bool,
    has_hung_up: bool,
    /// Whether the person heard anything since the last thing that went wrong.
    was_spoken_to: bool,
    transcript: Transcript,
}

/// The next document of a call.
#[derive(Debug)]
pub(super) struct Step {
    slot: Slot,
    method: Method,
    url: Url,
    more: Vec<(String, String)>,
}

/// What a document comes to.
pub(super) enum Flow {
    /// Twilio asks for the next document.
    Next(Box<Step>),
    /// Nothing is left.
    End(Ending),
}

impl Caller {
    /// One who does what the script says.
    pub fn new(client: Client, script: Script) -> Self {
        let sid = uuid::Uuid::now_v7().simple();
        Self {
            client,
            script,
            fallback: None,
            status_callback: None,
            call_sid: format!("CA{sid}"),
            requests: 0,
            fell_back: false,
            has_hung_up: false,
            was_spoken_to: false,
            transcript: Transcript::default(),
        }
    }

    /// The number's fallback URL.
    #[must_use]
    pub fn fallback(mut self, url: Url) -> Self {
        self.fallback = Some(url);
        self
    }

    /// The number's status callback.
    #[must_use]
    pub fn status_callback(mut self, url: Url) -> Self {
        self.status_callback = Some(url);
        self
    }

    /// Calls a number whose Voice URL is this.
    pub async fn call(self, url: Url) -> Transcript {
        self.run(Slot::Voice, url).await
    }

    /// Sends a message to a number whose Messaging URL is this.
    pub async fn message(self, url: Url) -> Transcript {
        self.run(Slot::Messaging, url).await
    }

    async fn run(mut self, slot: Slot, url: Url) -> Transcript {
        let step = Step { slot, method: Method::POST, url, more: Vec::new() };
        let ending = match tokio::time::timeout(LONGEST, self.documents(step)).await {
            Ok(ending) => ending,
            Err(_) => Ending::GivenUp("it took longer than 3 minutes"),
        };
        if slot == Slot::Voice
            && let Some(url) = self.status_callback.clone()
        {
            self.callback(&url, Method::POST, parameters(Slot::Callback)).await;
        }
        self.transcript.events.push(Event::Ended(ending));
        self.transcript
    }

    async fn documents(&mut self, first: Step) -> Ending {
        let mut step = first;
        loop {
            let flow = match self.document(&step).await {
                Ok((answer, content)) => self.execute(&step, &answer, content).await,
                Err(Some((code, url))) => self.fall_back(step.slot, code, url),
                Err(None) => Flow::End(Ending::GivenUp("it asked for 60 documents and more")),
            };
            match flow {
                Flow::Next(next) => step = *next,
                Flow::End(ending) => return ending,
            }
        }
    }

    /// Once per call, with the code and the URL that gave it.
    fn fall_back(&mut self, slot: Slot, code: u32, from: Url) -> Flow {
        // The caller is gone: nobody hears what comes.
        if self.has_hung_up {
            return Flow::End(Ending::HungUp("the caller".to_owned()));
        }
        let Some(url) = self.fallback.clone().filter(|_| !self.fell_back) else {
            return Flow::End(Ending::ApplicationError);
        };
        self.fell_back = true;
        let more = vec![
            ("ErrorCode".to_owned(), code.to_string()),
            ("ErrorUrl".to_owned(), from.to_string()),
        ];
        self.transcript.events.push(Event::FellBack { code, from });
        let slot = if slot == Slot::Messaging { slot } else { Slot::Voice };
        Flow::Next(Box::new(Step { slot, method: Method::POST, url, more }))
    }

    /// Asks for a document and reads it; what is wrong with it is logged.
    async fn document(&mut self, step: &Step) -> Result<(Fetched, Content), Option<(u32, Url)>> {
        let answer = self.ask(step).await?;
        let is_over = self.has_hung_up;
        match content(&answer, step.slot) {
            Ok(content) => Ok((answer, content)),
            // After the caller has hung up an empty answer logs nothing.
            Err(_) if is_over && answer.status.is_success() => {
                Ok((answer, Content::Twiml(Verb::default())))
            }
            Err(_) if step.slot == Slot::Messaging && answer.status.as_u16() == 204 => {
                Ok((answer, Content::Twiml(Verb::default())))
            }
            Err(Refused { code, why }) => {
                self.log(code, why, &step.url);
                Err(Some((code, step.url.clone())))
            }
        }
    }

    async fn ask(&mut self, step: &Step) -> Result<Fetched, Option<(u32, Url)>> {
        self.requests += 1;
        if self.requests > MAX_REQUESTS {
            return Err(None);
        }
        let params = self.params(step.slot, &step.more);
        self.transcript.events.push(Event::Asked {
            slot: step.slot,
            method: step.method.to_string(),
            url: step.url.clone(),
            params: params.clone(),
        });
        let ask = Ask { method: step.method.clone(), url: step.url.clone(), params };
        match self.client.ask(ask).await {
            Ok(answer) => {
                self.transcript.events.push(Event::Answered {
                    status: answer.status.as_u16(),
                    redirects: answer.hops.len(),
                    retries: answer.link.retries,
                    body: answer.body.clone(),
                });
                Ok(answer)
            }
            Err(unanswered) => {
                let code = unanswered.error.code();
                self.log(code, unanswered.error.to_string(), &step.url);
                Err(Some((code, step.url.clone())))
            }
        }
    }

    /// A callback: nothing comes of it but a code.
    async fn callback(&mut self, url: &Url, method: Method, more: Vec<(String, String)>) {
        let step = Step { slot: Slot::Callback, method, url: url.clone(), more };
        if let Ok(answer) = self.ask(&step).await
            && answer.status.as_u16() >= 400
        {
            let status = answer.status.as_u16();
            self.log(15_003, format!("a callback was answered with {status}"), url);
        }
    }

    /// The parameters of a slot for this call, with more or others.
    fn params(&self, slot: Slot, more: &[(String, String)]) -> Vec<(String, String)> {
        let mut params = parameters(slot);
        let stays = |name: &str| !matches!(name, "Digits");
        params.retain(|(name, _)| stays(name));
        let mut set = |name: &str, value: &str| match params.iter_mut().find(|(own, _)| own == name)
        {
            Some((_, own)) => value.clone_into(own),
            None => params.push((name.to_owned(), value.to_owned())),
        };
        if slot == Slot::Messaging {
            for name in ["MessageSid", "SmsSid", "SmsMessageSid"] {
                set(name, &self.call_sid.replacen("CA", "SM", 1));
            }
        } else {
            set("CallSid", &self.call_sid);
            if self.has_hung_up && slot == Slot::Action {
                set("CallStatus", "completed");
            }
        }
        for (name, value) in more {
            set(name, value);
        }
        params
    }

    fn log(&mut self, code: u32, why: String, url: &Url) {
        self.transcript.events.push(Event::Logged { code, why, url: url.clone() });
    }

    fn hear(&mut self, words: impl Into<String>) {
        self.was_spoken_to = true;
        self.transcript.events.push(Event::Heard(words.into()));
    }

    /// A URL of a document, resolved against the one that gave it.
    fn resolved(&mut self, written: &str, base: &Url) -> Option<Url> {
        let absolute = link::absolute(written, Some(&base.to_string()));
        match absolute.unwrap_or_else(|| written.to_owned()).parse::<Url>() {
            Ok(url) => Some(url),
            Err(error) => {
                self.log(11_100, error.to_string(), base);
                None
            }
        }
    }
}

/// GET where a document says so, else Twilio's default.
fn method(verb: &Verb, attribute: &str) -> Method {
    let is_get = verb.get(attribute).is_some_and(|value| value.eq_ignore_ascii_case("GET"));
    if is_get { Method::GET } else { Method::POST }
}
