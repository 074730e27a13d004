//! Logs, metrics and their names.

mod answers;
pub mod batched;
pub mod bytes;
pub mod clients;
pub mod fields;
pub mod json;
#[cfg(test)]
pub(crate) mod kept;
pub mod labels;
pub mod log;
mod maker;
pub mod metrics;
pub mod reloads;
pub mod settings;
pub mod streams;
pub mod upstreams;
pub mod visible;

pub use log::init;
