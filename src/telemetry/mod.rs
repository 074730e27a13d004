//! Logs, metrics and their names.

pub mod door;
pub mod fields;
#[cfg(test)]
pub(crate) mod kept;
pub mod labels;
pub mod log;
pub mod metrics;
pub mod settings;
pub mod streams;
pub mod visible;

pub use log::init;
