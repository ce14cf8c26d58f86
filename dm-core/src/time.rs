//! [`Timestamp`], a point in time, and [`Clock`], the source of the current time. The clock is
//! passed to the service, so that tests can replace it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

/// A time in Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A time from Unix milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The time in Unix milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time minus a span; the epoch if the result would be before it.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This time plus a span; the largest time if the result would be above it.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Lengthens a span that starts at this time, so that it ends at a whole tenth of a second. A
    /// span of less than ten seconds is returned unchanged.
    ///
    /// Thousands of connections that wait for such spans then wake in groups, and threads are woken
    /// once per group.
    #[must_use]
    pub fn grouped(self, span: Duration) -> Duration {
        if span < MIN_LENGTHENED {
            return span;
        }
        let past = self.after(span).0 % GROUP_MILLIS;
        span.saturating_add(Duration::from_millis((GROUP_MILLIS - past) % GROUP_MILLIS))
    }
}

/// Spans below this length are not lengthened. So a span becomes longer by one percent at most.
const MIN_LENGTHENED: Duration = Duration::from_secs(10);
/// A lengthened span ends at a multiple of this number of milliseconds.
const GROUP_MILLIS: u64 = 100;

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// The source of the current time, and of timers.
///
/// The time may jump in either direction. The library does not order messages or inbox entries by
/// it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Returns after the span has passed. Cancel safe: dropping the future only ends the wait.
    async fn sleep(&self, span: Duration);
}

/// The machine's clock. It waits with tokio's timer, so the runtime needs its time driver enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that moves only when it is told to, for tests of hosts and stores.
#[derive(Clone, Debug)]
pub struct ManualClock {
    /// The time that [`now`](Clock::now) returns.
    wall: Arc<Mutex<Timestamp>>,
    /// The time that has passed for sleepers. Unlike the wall clock it never goes back.
    elapsed: watch::Sender<Duration>,
}

impl ManualClock {
    /// A clock that shows `now` until the test moves it.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { wall: Arc::new(Mutex::new(now)), elapsed: watch::Sender::new(Duration::ZERO) }
    }

    /// Lets a span pass: the wall clock moves forward, and sleepers whose span has passed wake.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
        self.elapsed.send_modify(|elapsed| *elapsed = elapsed.saturating_add(span));
    }

    /// Sets the wall clock, as an administrator or a time server would. Sleepers are not affected.
    pub fn set(&self, now: Timestamp) {
        // The old time is overwritten, so a poisoned lock is no problem.
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        // The state is a single number, so even a poisoned one is consistent.
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, span: Duration) {
        let mut elapsed = self.elapsed.subscribe();
        let until = elapsed.borrow().saturating_add(span);
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = elapsed.wait_for(|now| *now >= until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_end_at_a_whole_tenth_of_a_second() {
        let grouped = |now, span| {
            let span = Timestamp::from_millis(now).grouped(Duration::from_millis(span));
            now + u64::try_from(span.as_millis()).unwrap()
        };
        assert_eq!(
            [0, 1, 99, 100, 101].map(|now| grouped(now, 30_000)),
            [30_000, 30_100, 30_100, 30_100, 30_200]
        );
        assert_eq!(grouped(1, 9_999), 10_000, "a short span is unchanged");
        let longest = Timestamp::from_millis(u64::MAX).grouped(Duration::MAX);
        assert_eq!(longest, Duration::MAX);
    }
}
