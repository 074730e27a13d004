//! Logs, metrics and their names.

pub mod metrics;
pub mod settings;
