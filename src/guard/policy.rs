//! One route's rules as plain data.

use std::sync::Arc;

use super::call::StreamDone;
use super::exchange::RequestFacts;
use super::fallback::Fallbacks;

/// What the judge may do with the answers of one route.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Judge and record, deliver the original.
    pub observe: bool,
    /// What takes the place of an answer that can't be repaired.
    pub on_fault: OnFault,
    /// What happens to prose in text/plain.
    pub plain_text: PlainText,
    /// Which repairs are accepted.
    pub repairs: Repairs,
    /// What happens to redirects of the backend.
    pub redirects: Redirects,
    /// When the other method is tried.
    pub other_method: OtherMethod,
    /// Whether a genuine request that the backend's own check refused is signed anew for the URLs
    /// that apps rebuild wrongly.
    pub resign: bool,
    /// Hosts (authority, lower case, port only if not the scheme's own) that are the guard itself
    /// seen from outside; from `public_url`.
    pub own_hosts: Vec<String>,
    /// The public URL's scheme and authority (`https://pbx.example.com`), where configured.
    pub public_origin: Option<String>,
    /// The upstream's authority (`127.0.0.1:5000`), lower case.
    pub upstream_authority: String,
    /// Those of the upstreams beside it, where there are several.
    pub other_authorities: Vec<String>,
    /// What is delivered in place, per slot.
    pub fallbacks: Arc<Fallbacks>,
    /// What is delivered in place once a call was given too many fallbacks that steer it.
    pub plain_fallbacks: Arc<Fallbacks>,
    /// Most bytes of a body after content coding is undone.
    pub max_decoded_body: usize,
    /// An answer that took longer carries a warning.
    pub slow_after: std::time::Duration,
    /// When a stream counts as having done its work.
    pub stream_done: StreamDone,
}

impl Policy {
    /// The authority of every upstream.
    pub fn upstream_authorities(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.upstream_authority).chain(&self.other_authorities)
    }

    /// Hosts that are the guard itself: the configured one, and the one that was asked.
    pub fn hosts_seen_by(&self, request: &RequestFacts) -> Vec<String> {
        let asked = request.host.iter().map(|host| {
            let lower = host.to_ascii_lowercase();
            let bare = lower.strip_suffix(":443").or_else(|| lower.strip_suffix(":80"));
            bare.unwrap_or(&lower).to_owned()
        });
        self.own_hosts.iter().cloned().chain(asked).collect()
    }

    /// The URL that Twilio asked; `None` without a Host to tell.
    pub fn asked_url(&self, request: &RequestFacts) -> Option<String> {
        let asked = || request.host.as_ref().map(|host| format!("https://{host}"));
        let origin = self.public_origin.clone().or_else(asked)?;
        Some(format!("{origin}{}", request.target))
    }
}

impl Default for Policy {
    fn default() -> Self {
        let fallbacks = Arc::new(Fallbacks::built_in());
        Self {
            observe: false,
            on_fault: OnFault::Fallback,
            plain_text: PlainText::Pass,
            repairs: Repairs::All,
            redirects: Redirects::Follow,
            other_method: OtherMethod::On405,
            resign: false,
            own_hosts: Vec::new(),
            public_origin: None,
            upstream_authority: String::new(),
            other_authorities: Vec::new(),
            plain_fallbacks: Arc::clone(&fallbacks),
            fallbacks,
            max_decoded_body: 1024 * 1024,
            slow_after: std::time::Duration::from_secs(10),
            stream_done: StreamDone::default(),
        }
    }
}

/// What takes the place of an answer that can't be repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFault {
    /// A 502, so that Twilio's own Fallback URL takes over.
    Fail,
    /// Fallback TwiML with status 200.
    #[default]
    Fallback,
}

/// What happens to prose in text/plain, which Twilio speaks or texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainText {
    /// Left as it is, with a warning.
    #[default]
    Pass,
    /// Replaced by the fallback.
    Replace,
}

/// Which repairs a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repairs {
    /// Lossless and inferred ones.
    #[default]
    All,
    /// Only those that keep the call flow for certain.
    Lossless,
}

impl Repairs {
    /// Whether a repair of this grade is accepted.
    pub fn accepts(self, grade: super::Grade) -> bool {
        self == Self::All || grade == super::Grade::Lossless
    }
}

/// What happens to redirects of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// To the same origin: followed inside. Others: replaced.
    #[default]
    Follow,
    /// Always replaced.
    Replace,
}

/// When the other method is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherMethod {
    /// Never.
    Never,
    /// On 405 whose Allow is absent or lists the other method.
    #[default]
    On405,
    /// On 404 and 501 as well.
    OnMissing,
}
