//! Plays Twilio: asks as Twilio asks, and says whether Twilio would take the answer.
//!
//! In: a [`Webhook`] (slot, path, parameters) and an address, or a URL for a [`Client`], a
//! [`Stream`], a [`Caller`]. Out: the answer as it arrived, from [`accepts`] whether it meets the
//! contract of a delivery, from a stream its report, from a caller the transcript of the call.

mod accepts;
mod address;
mod assess;
mod caller;
mod client;
mod connect;
mod document;
mod error;
mod params;
mod stream;
mod stream_words;
mod tls;
mod url;
mod webhook;
mod wire;

pub use accepts::{Refused, accepts};
pub use address::refused;
pub use assess::assess;
pub use caller::{Caller, Ending, Event, Script, Transcript};
pub use client::{Ask, Client, Fetched, LinkFacts, Unanswered};
pub use connect::Connector;
pub use document::{Content, Verb, content};
pub use error::ProbeError;
pub use params::{parameters, parameters_of};
pub use stream::{Stream, Streamed};
pub use tls::{CaError, TlsFacts, TlsFailure, TlsFault};
pub use url::{Scheme, Url, UrlError};
pub use webhook::{Response, Webhook};
pub use wire::Framing;
