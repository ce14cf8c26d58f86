//! A clock whose waits the test ends.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use dm_client::{Clock, Sleep};
use tokio::sync::{Notify, oneshot};

pub(crate) const NOW: u64 = 1_700_000_000_000;

/// Ends waits when told to, or, if made so, at once.
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    at_once: bool,
    waits: Mutex<Vec<(Duration, Option<oneshot::Sender<()>>)>>,
    waiting: Notify,
}

impl TestClock {
    /// Every wait ends at once.
    pub(crate) fn impatient() -> Self {
        Self { at_once: true, ..Self::default() }
    }

    /// Every wait asked for so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.lock().iter().map(|(duration, _)| *duration).collect()
    }

    /// Waits until somebody waits for a duration that `wanted` accepts, ends that wait and tells
    /// how long it was.
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
    fn now(&self) -> u64 {
        NOW
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if self.at_once {
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
