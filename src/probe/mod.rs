//! Plays Twilio: asks as Twilio asks, and says whether Twilio would take the answer.
//!
//! In: a [`Webhook`] (slot, path, parameters) and an address. Out: the answer as it arrived, and
//! from [`accepts`] whether it meets the contract of a delivery.

mod accepts;
mod address;
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
pub use caller::{Caller, Ending, Event, Script, Transcript};
pub use client::{Ask, Client, Fetched, LinkFacts, Unanswered};
pub use connect::Connector;
pub use error::ProbeError;
pub use document::{Content, Verb, content};
pub use params::parameters;
pub use stream::{Stream, Streamed};
pub use tls::{CaError, TlsFacts, TlsFailure, TlsFault};
pub use url::{Scheme, Url, UrlError};
pub use webhook::{Response, Webhook};
pub use wire::Framing;
