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
}

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
