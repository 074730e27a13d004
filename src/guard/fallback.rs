//! Fallback TwiML: compiled and judged when the config is loaded.

use std::sync::Arc;

use bytes::Bytes;

use super::causes::grammar;

use crate::twilio::Slot;

/// TwiML that is delivered in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Its name in logs.
    pub name: String,
    /// The document.
    pub body: Bytes,
    /// Whether it contains Redirect, Gather or Dial.
    pub steers: bool,
}

/// One fallback per slot that takes TwiML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallbacks {
    /// For `voice`.
    pub voice: Fallback,
    /// For `action`.
    pub action: Fallback,
    /// For `whisper`.
    pub whisper: Fallback,
    /// For `wait`.
    pub wait: Fallback,
    /// For `conference-wait`.
    pub conference_wait: Fallback,
    /// For `messaging`.
    pub messaging: Fallback,
}

impl Fallbacks {
    /// The built-in ones, in English.
    pub fn built_in() -> Self {
        Self::spoken(
            "en-US",
            "Polly.Joanna",
            "We are sorry. There is a technical problem. Please try again in a few minutes.",
        )
    }

    /// The defaults of the design's slot table, with one spoken apology.
    ///
    /// `text` must be plain prose; `language` and `voice` a pair that Twilio's `<Say>` has.
    pub fn spoken(language: &str, voice: &str, text: &str) -> Self {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let say = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Say language=\"{language}\" voice=\"{voice}\">{text}</Say></Response>"
        );
        let fixed = |name: &str, body: &str| Fallback {
            name: name.to_owned(),
            body: Bytes::from(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")),
            steers: false,
        };
        let spoken = |name: &str| Fallback {
            name: name.to_owned(),
            body: Bytes::from(say.clone()),
            steers: false,
        };
        let pause = "<Response><Pause length=\"10\"/></Response>";
        Self {
            voice: spoken("voice"),
            action: spoken("action"),
            whisper: fixed("whisper", "<Response/>"),
            wait: fixed("wait", pause),
            conference_wait: fixed("conference-wait", pause),
            messaging: fixed("messaging", "<Response/>"),
        }
    }

    /// The fallback of a slot; `None` where the slot takes no TwiML.
    pub fn of(&self, slot: Slot) -> Option<&Fallback> {
        match slot {
            Slot::Action => Some(&self.action),
            Slot::Callback | Slot::Stream => None,
            Slot::ConferenceWait => Some(&self.conference_wait),
            Slot::Messaging => Some(&self.messaging),
            Slot::Voice => Some(&self.voice),
            Slot::Wait => Some(&self.wait),
            Slot::Whisper => Some(&self.whisper),
        }
    }
}

/// Why a document can't serve as a fallback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FallbackError {
    /// Twilio would refuse or warn about it in this slot.
    #[error(
        "expected TwiML that Twilio accepts in slot `{slot}`, found {cause} ({code:?}): {evidence}; {remedy}"
    )]
    Unfit {
        /// The slot.
        slot: Slot,
        /// The cause's slug.
        cause: &'static str,
        /// Twilio's codes.
        code: &'static [u32],
        /// What was seen.
        evidence: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The slot takes no TwiML.
    #[error("slot `{slot}` takes no TwiML, so it has no fallback; remove the key")]
    NoTwiml {
        /// The slot.
        slot: Slot,
    },
}

impl Fallback {
    /// Compiles a document for a slot: it must be judged `untouched`, and hold nothing that Twilio
    /// refuses there or passes over in silence. Mere warnings (an attribute that is newer than our
    /// table, say) are the operator's to judge.
    ///
    /// `xml` is UTF-8 TwiML of at most 65,536 bytes.
    pub fn compile(name: &str, xml: &str, slot: Slot) -> Result<Self, FallbackError> {
        if !slot.takes_twiml() {
            return Err(FallbackError::NoTwiml { slot });
        }
        let body = Bytes::from(xml.trim().to_owned());
        if let Some(finding) = first_finding(&body, slot) {
            return Err(FallbackError::Unfit {
                slot,
                cause: finding.cause.slug,
                code: finding.cause.codes,
                evidence: finding.evidence,
                remedy: finding.cause.remedy,
            });
        }
        let names: Vec<String> = elements(&body).into_iter().map(|(name, _)| name).collect();
        let steers =
            names.iter().any(|name| matches!(name.as_str(), "Redirect" | "Gather" | "Dial"));
        Ok(Self { name: name.to_owned(), body, steers })
    }

    /// Every URL that Twilio would fetch as TwiML next because of this document
    /// (`action`, `<Redirect>`, `url`, `waitUrl`, `referUrl`), as written but for entities. The
    /// empty string stands for the document's own URL, which Gather and Record without `action`
    /// go back to.
    pub fn next_urls(&self) -> Vec<String> {
        elements(&self.body).into_iter().flat_map(|(_, urls)| urls).collect()
    }
}

/// Warnings after which the caller hears or reads nothing.
const SILENCING: [&super::Cause; 4] = [
    &grammar::message_empty::CAUSE,
    &grammar::say_empty::CAUSE,
    &grammar::verb_unknown::CAUSE,
    &grammar::verb_wrong_channel::CAUSE,
];

/// What the judge says of a document served as TwiML should be.
fn first_finding(body: &Bytes, slot: Slot) -> Option<super::Finding> {
    let mut headers = http::HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/xml; charset=utf-8"),
    );
    let exchange = super::Exchange {
        slot,
        request: Arc::new(super::RequestFacts {
            method: http::Method::POST,
            target: "/".to_owned(),
            host: None,
            has_authorization: false,
            params: crate::twilio::Params::default(),
            body: Bytes::new(),
        }),
        attempts: Vec::new(),
        outcome: super::Outcome::Answered(super::Answer {
            status: http::StatusCode::OK,
            headers,
            body: body.clone(),
            end: super::BodyEnd::Complete,
            odd: crate::guard::Oddities::default(),
        }),
        elapsed: std::time::Duration::ZERO,
        call: super::CallFacts::default(),
    };
    let judgement = super::judge(&exchange, &super::Policy::default());
    let untouched = judgement.verdict == super::Verdict::Untouched;
    judgement.findings.into_iter().find(|finding| {
        let silent = SILENCING.iter().any(|cause| finding.is(cause));
        !untouched || silent || finding.cause.level == super::causes::Level::Fault
    })
}

/// Names of all elements, each with the URLs that it hands to Twilio for TwiML.
fn elements(body: &Bytes) -> Vec<(String, Vec<String>)> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let Ok(document) = super::twiml::read(text) else { return Vec::new() };
    let plain = |raw: &str| {
        raw.trim()
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    };
    document
        .elements
        .iter()
        .map(|element| {
            let name = element.name_in(text);
            let of_attributes = ["action", "url", "waitUrl", "referUrl"]
                .into_iter()
                .filter_map(|attribute| element.attribute(text, attribute))
                .filter(|_| !matches!(name, "Stream" | "ConversationRelay"));
            let own = element.texts.first().filter(|_| name == "Redirect").cloned();
            let mut urls: Vec<String> =
                of_attributes.chain(own).filter_map(|span| text.get(span)).map(plain).collect();
            if matches!(name, "Gather" | "Record") && element.attribute(text, "action").is_none() {
                urls.push(String::new());
            }
            (name.to_owned(), urls)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ones_fit_their_slots() {
        let fallbacks = Fallbacks::built_in();
        for slot in Slot::ALL {
            if let Some(fallback) = fallbacks.of(slot) {
                let text = std::str::from_utf8(&fallback.body).unwrap();
                assert_eq!(
                    Fallback::compile(&fallback.name, text, slot).as_ref(),
                    Ok(fallback),
                    "{slot}"
                );
            }
        }
    }

    #[test]
    fn one_that_twilio_would_refuse_is_an_error() {
        for (xml, slot, cause) in [
            ("<Response><Say>x</Response>", Slot::Voice, "end-tag-missing"),
            ("<Response><Hangup/></Response>", Slot::ConferenceWait, "verb-forbidden-in-wait"),
            ("<Response><Dial>1</Dial></Response>", Slot::Whisper, "dial-in-whisper"),
            ("<Response><Say>x</Say></Response>", Slot::Messaging, "verb-wrong-channel"),
            ("sorry", Slot::Voice, "not-twiml"),
        ] {
            match Fallback::compile("x", xml, slot) {
                Err(FallbackError::Unfit { cause: found, .. }) => assert_eq!(found, cause, "{xml}"),
                other => panic!("{xml}: {other:?}"),
            }
        }
        assert!(matches!(
            Fallback::compile("x", "<Response/>", Slot::Callback),
            Err(FallbackError::NoTwiml { .. })
        ));
    }

    #[test]
    fn where_it_leads_is_known() {
        let xml = "<Response><Gather action=\"/a?x=1&amp;y=2\"><Say>x</Say></Gather><Gather/><Redirect> /b </Redirect></Response>";
        let fallback = Fallback::compile("x", xml, Slot::Voice).unwrap();
        assert_eq!(fallback.next_urls(), ["/a?x=1&y=2", "", "/b"]);
        assert!(fallback.steers);
    }
}
