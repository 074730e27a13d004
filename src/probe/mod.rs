//! Plays Twilio: asks as Twilio asks, and says whether Twilio would take the answer.
//!
//! In: a [`Webhook`] (slot, path, parameters) and an address. Out: the answer as it arrived, and
//! from [`accepts`] whether it meets the contract of a delivery.

mod accepts;
mod params;
mod webhook;

pub use accepts::{Refused, accepts};
pub use params::parameters;
pub use webhook::{ProbeError, Response, Webhook};
