//! The counts and times of calls.

use std::time::Duration;

use crate::measure::{histogram, millis, nanos};

/// Whether a call makes the store write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Reads,
    Writes,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The call succeeded.
    Served,
    /// The host answered 503: try again later.
    Refused,
    /// Another status, a lost connection, or no answer within the time limit.
    Failed,
}

/// The calls that read, or those that write, by their outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) served: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

/// The calls of a group of users.
pub(super) struct CallStats {
    /// The latencies of all calls, in nanoseconds.
    latency: hdrhistogram::Histogram<u64>,
    pub(super) reads: Calls,
    pub(super) writes: Calls,
}

impl Calls {
    pub(super) fn all(self) -> u64 {
        self.served + self.refused + self.failed
    }
}

impl Default for CallStats {
    fn default() -> Self {
        Self { latency: histogram(), reads: Calls::default(), writes: Calls::default() }
    }
}

impl CallStats {
    pub(super) fn count(&mut self, kind: CallKind, answer: Answer, took: Duration) {
        self.latency.saturating_record(nanos(took));
        self.count_untimed(kind, answer);
    }

    /// Counts a call of another kind, whose time is not recorded.
    pub(super) fn count_untimed(&mut self, kind: CallKind, answer: Answer) {
        let calls = match kind {
            CallKind::Reads => &mut self.reads,
            CallKind::Writes => &mut self.writes,
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

    /// The calls that did not succeed.
    pub(super) fn unserved(&self) -> u64 {
        self.calls() - self.reads.served - self.writes.served
    }

    /// The calls that neither succeeded nor were answered with 503, which must not occur.
    pub(super) fn failed(&self) -> u64 {
        self.reads.failed + self.writes.failed
    }

    /// The latency, in milliseconds, that 99 of 100 calls do not exceed.
    pub(super) fn p99(&self) -> f64 {
        millis(&self.latency, 0.99)
    }

    /// The slowest answer, in milliseconds.
    pub(super) fn slowest(&self) -> f64 {
        millis(&self.latency, 1.0)
    }
}
