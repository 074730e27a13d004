//! What is said when Twilio asks for a fallback URL: which URL failed, and that this one did not.

use serde_json::json;

use super::event::{fell_back, line};
use super::redact::Redaction;
use super::repeated::Event;
use crate::guard::Exchange;
use crate::telemetry::fields;
use crate::twilio::{Params, call};

const MESSAGE: &str = "Twilio asked for a fallback URL";
/// Most characters that are kept of each text that came.
const MOST: usize = 2_048;

/// A request of Twilio's to a fallback URL, as far as it is told.
#[derive(Debug)]
pub(super) struct FellBack {
    method: String,
    target: String,
    url: String,
    code: String,
    params: Params,
    bytes: usize,
    redaction: Redaction,
}

impl FellBack {
    /// Of a request, where it is one.
    pub(super) fn of(exchange: &Exchange, redaction: &Redaction) -> Option<Self> {
        let request = &exchange.request;
        let fell = call::fell_back(&request.params, exchange.slot)?;
        let kept = |text: &str| text.chars().take(MOST).collect::<String>();
        Some(Self {
            method: request.method.to_string(),
            target: kept(request.target.split('?').next().unwrap_or_default()),
            url: kept(fell.url.unwrap_or_default()),
            code: kept(fell.code.unwrap_or_default()),
            params: request.params.clone(),
            bytes: request.body.len() + request.target.len(),
            redaction: redaction.clone(),
        })
    }

    /// Bytes that it holds while it waits.
    pub(super) fn weight(&self) -> usize {
        self.bytes + 1_024
    }

    /// Which URL failed, and how: said once a minute.
    pub(super) fn key(&self) -> (String, String) {
        (format!("fell back: {}", self.path_of_url()), self.code.clone())
    }

    fn path_of_url(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// The event of the first such request.
    pub(super) fn event(&self) -> Event {
        let redaction = self.redaction.knowing(&self.params, std::iter::empty());
        let path = line(redaction.target(&self.target), 256);
        let code = line(redaction.text(&self.code), 16);
        let why = fell_back(&redaction.target(&self.url), &code);
        let summary = why.replacen("fell back", &format!("fell back to {} {path}", self.method), 1);
        let mut event = self.with_url(&redaction);
        event.fields.insert(0, (fields::SUMMARY, json!(summary)));
        if let Some(sid) = self.params.get("CallSid").or_else(|| self.params.get("MessageSid")) {
            event.fields.push((fields::CALL_SID, json!(line(redaction.text(sid), 96))));
        }
        event
    }

    /// The event of those that were held back.
    pub(super) fn again(&self) -> Event {
        let redaction = self.redaction.knowing(&self.params, std::iter::empty());
        self.with_url(&redaction)
    }

    fn with_url(&self, redaction: &Redaction) -> Event {
        let fields = vec![
            (fields::FAILED_URL, json!(line(redaction.target(self.path_of_url()), 256))),
            (fields::TWILIO_CODE, json!(line(redaction.text(&self.code), 16))),
        ];
        Event { level: "WARN", message: MESSAGE, fields }
    }
}
