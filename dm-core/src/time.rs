//! Time as the library sees it: passed in.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

/// Unix time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A time from Unix milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Unix milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time less a span, not below the epoch.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This time plus a span, not above the largest time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// A span from this time on that is stretched to end with a tenth of a second. Thousands of
    /// connections that wait for it wake in groups: threads are woken for a group instead of for
    /// each. A span of less than ten seconds stays as it is.
    #[must_use]
    pub fn grouped(self, span: Duration) -> Duration {
        if span < SHORT {
            return span;
        }
        let past = self.after(span).0 % GROUP;
        span.saturating_add(Duration::from_millis((GROUP - past) % GROUP))
    }
}

/// Spans below this are not stretched.
const SHORT: Duration = Duration::from_secs(10);
/// Milliseconds from the end of a stretched span to the next possible one.
const GROUP: u64 = 100;

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Tells the time and waits for it to pass.
///
/// The wall clock may jump either way; the library orders nothing by it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns once the span has passed. Cancel safe: dropping the future only stops the waiting.
    async fn sleep(&self, span: Duration);
}

/// The machine's clock, with tokio's timer for waiting (the runtime needs its time driver enabled).
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

/// A clock that stands still until it is told to move: for tests of hosts and stores.
#[derive(Clone, Debug)]
pub struct ManualClock {
    wall: Arc<Mutex<Timestamp>>,
    /// Time passed for sleepers: unlike the wall it never goes back.
    elapsed: watch::Sender<Duration>,
}

impl ManualClock {
    /// A clock standing at a time.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { wall: Arc::new(Mutex::new(now)), elapsed: watch::Sender::new(Duration::ZERO) }
    }

    /// Lets a span pass: the wall clock moves on and sleepers whose span is over wake.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
        self.elapsed.send_modify(|elapsed| *elapsed = elapsed.saturating_add(span));
    }

    /// Sets the wall clock, as an administrator or a time server would; sleepers do not notice.
    pub fn set(&self, now: Timestamp) {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
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
    fn long_spans_end_with_a_tenth_of_a_second() {
        let grouped = |now, span| {
            let span = Timestamp::from_millis(now).grouped(Duration::from_millis(span));
            now + u64::try_from(span.as_millis()).unwrap()
        };
        assert_eq!(
            [0, 1, 99, 100, 101].map(|now| grouped(now, 30_000)),
            [30_000, 30_100, 30_100, 30_100, 30_200]
        );
        assert_eq!(grouped(1, 9_999), 10_000, "a short one stays");
        let longest = Timestamp::from_millis(u64::MAX).grouped(Duration::MAX);
        assert_eq!(longest, Duration::MAX);
    }
}
