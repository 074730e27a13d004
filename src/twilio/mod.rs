//! What Twilio is, as far as a webhook can see it: request parameters, slots, limits, codes.
//!
//! Pure: no IO, no clock, no environment. Facts about Twilio carry their source.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod call;
pub mod codes;
pub mod limits;
pub mod params;
pub mod recognise;
pub mod signature;
pub mod slot;

pub use params::Params;
pub use slot::{Slot, SlotSetting};
