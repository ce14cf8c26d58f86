//! [`TestClock`]: a clock on which a test ends the waits.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dm_client::{Clock, Sleep, Timestamp};
use tokio::sync::{Notify, oneshot};

/// The time of the clock, which never changes.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A clock whose time never changes. Its waits end at once, or when the test ends them.
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    ends_at_once: bool,
    waits: Mutex<Vec<(Duration, Option<oneshot::Sender<()>>)>>,
    waiting: Notify,
}

impl TestClock {
    /// A clock whose waits end at once.
    pub(crate) fn immediate() -> Self {
        Self { ends_at_once: true, ..Self::default() }
    }

    /// The durations of all waits so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.lock().iter().map(|(duration, _)| *duration).collect()
    }

    /// Waits until the client waits for a duration that `wanted` accepts. Ends that wait and
    /// returns its duration.
    pub(crate) async fn end(&self, wanted: impl Fn(Duration) -> bool) -> Duration {
        loop {
            let waiting = self.waiting.notified();
            let found = self.lock().iter_mut().find_map(|(duration, end)| {
                let open = end.as_ref().is_some_and(|end| !end.is_closed());
                if open && wanted(*duration) { end.take().map(|end| (*duration, end)) } else { None }
            });
            let Some((duration, end)) = found else {
                waiting.await;
                continue;
            };
            if end.send(()).is_ok() {
                return duration;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Duration, Option<oneshot::Sender<()>>)>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if self.ends_at_once {
            self.lock().push((duration, None));
            return Box::pin(std::future::ready(()));
        }
        let (end, ended) = oneshot::channel();
        self.lock().push((duration, Some(end)));
        self.waiting.notify_waiters();
        Box::pin(async move {
            if ended.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
