//! Turns of sends to conversations that are not in memory, and of sends to those that are.

use crate::measure::Measured;
use crate::report::Report;

/// One turn.
pub(super) struct Turn {
    pub(super) cold: Measured,
    pub(super) warm: Measured,
}

/// The ratios of all turns.
#[derive(Default)]
pub(super) struct Ratios {
    pub(super) rate: Vec<f64>,
    pub(super) p50: Vec<f64>,
    pub(super) p99: Vec<f64>,
}

impl Turn {
    /// The rate of cold sends divided by that of warm sends.
    pub(super) fn rate(&self) -> f64 {
        self.cold.per_second() / self.warm.per_second()
    }

    /// Adds the figures of a turn to a report, with a prefix before each name.
    pub(super) fn tell(&self, prefix: &str, report: &mut Report) {
        for (what, measured) in [("cold", &self.cold), ("warm", &self.warm)] {
            let what = format!("{prefix}{what}");
            report.add(&what, measured.per_second(), "msg/s");
            report.add(format!("{what}, p50"), measured.millis(0.5), "ms");
            report.add(format!("{what}, p99"), measured.millis(0.99), "ms");
        }
    }
}

impl Ratios {
    pub(super) fn add(&mut self, turn: &Turn) {
        let ratio = |quantile| turn.cold.millis(quantile) / turn.warm.millis(quantile);
        self.rate.push(turn.rate());
        self.p50.push(ratio(0.5));
        self.p99.push(ratio(0.99));
    }
}
