//! How people's calls went.

use std::time::Duration;

use crate::measure::{histogram, millis, nanos};

/// Whether a call needs the store to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Reads,
    Writes,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done as asked.
    Served,
    /// 503: come again.
    Refused,
    /// Another status, a lost connection, or no answer in time.
    Failed,
}

/// Calls of one way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) served: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

/// How the calls of some people went.
pub(super) struct Fared {
    /// In nanoseconds, of all calls.
    latency: hdrhistogram::Histogram<u64>,
    pub(super) reads: Calls,
    pub(super) writes: Calls,
}

impl Calls {
    pub(super) fn all(self) -> u64 {
        self.served + self.refused + self.failed
    }
}

impl Default for Fared {
    fn default() -> Self {
        Self { latency: histogram(), reads: Calls::default(), writes: Calls::default() }
    }
}

impl Fared {
    pub(super) fn count(&mut self, way: Way, answer: Answer, took: Duration) {
        self.latency.saturating_record(nanos(took));
        self.count_untimed(way, answer);
    }

    /// Counts a call of another kind, which must not show in the times.
    pub(super) fn count_untimed(&mut self, way: Way, answer: Answer) {
        let calls = match way {
            Way::Reads => &mut self.reads,
            Way::Writes => &mut self.writes,
        };
        match answer {
            Answer::Served => calls.served += 1,
            Answer::Refused => calls.refused += 1,
            Answer::Failed => calls.failed += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        for (calls, more) in [(&mut self.reads, other.reads), (&mut self.writes, other.writes)] {
            calls.served += more.served;
            calls.refused += more.refused;
            calls.failed += more.failed;
        }
        Ok(())
    }

    pub(super) fn calls(&self) -> u64 {
        self.reads.all() + self.writes.all()
    }

    /// Calls that were not done as asked.
    pub(super) fn unserved(&self) -> u64 {
        self.calls() - self.reads.served - self.writes.served
    }

    /// Calls that nobody should ever see: neither done nor told to come again.
    pub(super) fn failed(&self) -> u64 {
        self.reads.failed + self.writes.failed
    }

    /// Milliseconds that 99 of 100 calls were answered within.
    pub(super) fn p99(&self) -> f64 {
        millis(&self.latency, 0.99)
    }

    /// The slowest answer, in milliseconds.
    pub(super) fn slowest(&self) -> f64 {
        millis(&self.latency, 1.0)
    }
}
