//! Logs, metrics and their names.

pub mod metrics;
