//! [`InFlight`], the calls of the store that are running, and the age of the oldest one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// The calls of one kind, reads or commits, that are running. Clones share the calls.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    /// The number of the next call.
    next: u64,
    /// The time at which each call started, by the call's number. Calls are numbered in the order
    /// in which they start.
    started_at: BTreeMap<u64, Timestamp>,
}

/// A running call. Dropping this records that the call has ended.
pub(super) struct InFlightCall {
    calls: InFlight,
    number: u64,
}

impl InFlight {
    /// Records that a call starts. Dropping the result records that the call has ended.
    pub(super) fn begin(&self, now: Timestamp) -> InFlightCall {
        let mut calls = self.lock();
        let number = calls.next;
        calls.next += 1;
        calls.started_at.insert(number, now);
        drop(calls);
        InFlightCall { calls: self.clone(), number }
    }

    /// The age of the oldest running call; zero when none is running.
    pub(super) fn oldest_age(&self, now: Timestamp) -> Duration {
        let started_at = self.lock().started_at.first_key_value().map_or(now, |(_, at)| *at);
        Duration::from_millis(now.as_millis().saturating_sub(started_at.as_millis()))
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        // No code panics while it holds this lock, so even a poisoned list is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        self.calls.lock().started_at.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_age_is_that_of_the_first_call_that_still_runs() {
        let at = Timestamp::from_millis;
        let calls = InFlight::default();
        assert_eq!(calls.oldest_age(at(5)), Duration::ZERO);
        let first = calls.begin(at(10));
        let second = calls.begin(at(20));
        assert_eq!(calls.oldest_age(at(30)), Duration::from_millis(20));
        drop(first);
        assert_eq!(calls.oldest_age(at(30)), Duration::from_millis(10));
        // A clock that was set back gives no negative age.
        assert_eq!(calls.oldest_age(at(1)), Duration::ZERO);
        drop(second);
        assert_eq!(calls.oldest_age(at(30)), Duration::ZERO);
    }
}
