//! Instruments of the configuration's reloads.

use prometheus::IntGauge;

use super::maker::Maker;
use super::metrics::now_seconds;

/// What became of the configurations that were read.
#[derive(Debug, Clone)]
pub struct ReloadMetrics {
    loaded: IntGauge,
    is_fine: IntGauge,
    fine_at: IntGauge,
}

impl ReloadMetrics {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            loaded: make.gauge(
                "twiml_guard_config_loaded_timestamp_seconds",
                "When the configuration in force was loaded, seconds since the Unix epoch.",
            )?,
            is_fine: make.gauge(
                "twiml_guard_config_last_reload_successful",
                "1 if the configuration that was read last is in force, 0 if it has mistakes.",
            )?,
            fine_at: make.gauge(
                "twiml_guard_config_last_reload_success_timestamp_seconds",
                "When a configuration was last read without mistakes, seconds since the Unix epoch.",
            )?,
        })
    }

    /// A configuration is in force from now on.
    pub fn loaded(&self) {
        let now = now_seconds();
        self.loaded.set(now);
        self.fine_at.set(now);
        self.is_fine.set(1);
    }

    /// What was read last has mistakes; an earlier configuration stays in force.
    pub fn refused(&self) {
        self.is_fine.set(0);
    }
}
