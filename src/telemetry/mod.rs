//! Logs, metrics and their names.

pub mod clients;
pub mod fields;
#[cfg(test)]
pub(crate) mod kept;
pub mod labels;
pub mod log;
mod maker;
pub mod metrics;
pub mod settings;
pub mod streams;
pub mod visible;

pub use log::init;
