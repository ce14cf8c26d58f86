//! The background work of the service beside its [jobs](super::jobs): it expires inbox entries, in
//! small commits between sends, and tries a commit after one that failed.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::handle::{Inner, Service, outcome_mismatch};
use super::stage::Stage;
use super::status::Status;
use crate::error::Error;
use crate::store::{Answer, Availability, Done, Expire, Outcome, Store, Write};
use crate::time::Clock;

/// The pause between a failed commit and the service's own attempt to commit. It doubles after each
/// attempt that fails.
///
/// Without these attempts the service could stay unready: while it is not ready, a load balancer
/// sends it no users, so no write of a user would show that the store works again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Maximum pause between two attempts. After the store has recovered, the next attempt follows
/// within this time.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(8);

/// The result of [`Service::expire`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// The number of inbox entries removed.
    pub entries: u64,
}

impl Service {
    /// Removes the inbox entries that are older than
    /// [`Config::inbox_retention`](crate::Config::inbox_retention), in commits of at most
    /// [`Config::expiry_step`](crate::Config::expiry_step). The service also does this without a
    /// call, every [`Config::expiry_interval`](crate::Config::expiry_interval). Messages stay in
    /// history.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`]. Entries removed before the error stay
    /// removed.
    pub async fn expire(&self) -> Result<Expired, Error> {
        let before = self.now().before(self.config().inbox_retention);
        let mut expired = Expired::default();
        loop {
            let step = Expire { before, limit: self.config().expiry_step };
            let (entries, more) = match self.job_outcome(step.into()).await? {
                Outcome::Done(Done { answer: Answer::Expired { entries, more }, .. }) => (entries, more),
                Outcome::Done(_) => return Err(outcome_mismatch()),
                Outcome::Refused(refusal) => return Err(self.refusal_error(&refusal)),
            };
            expired.entries += entries as u64;
            if !more {
                metrics::counter!("dm_expired_total").increment(expired.entries);
                return Ok(expired);
            }
        }
    }
}

/// Waits until the service has to try a commit, which is `pause` after a failed commit. If a later
/// commit has succeeded by then, or the store is closed for good, waits for the next failed commit.
async fn wait_for_retry(status: &Status, clock: &dyn Clock, store: &dyn Store, pause: Duration) {
    loop {
        status.commit_failed.notified().await;
        clock.sleep(pause).await;
        if status.is_failing.load(Ordering::Relaxed) && store.status().availability != Availability::Closed {
            return;
        }
    }
}

/// The work of a round of the background task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// The expiry of inbox entries.
    Expiry,
    /// An attempt to commit.
    Attempt,
}

/// Does the background work until the service shuts down or is dropped. This task holds no handle
/// of the service while it waits, so it does not keep the service alive.
pub(super) async fn run(service: Weak<Inner>) {
    let mut work = Work::Expiry;
    let mut pause = RETRY_PAUSE;
    // This timer is kept over several rounds. If each round started a new timer, frequent attempts
    // would delay expiry for ever.
    let mut next_expiry: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    loop {
        let Some(inner) = service.upgrade() else { return };
        let service = Service { inner };
        match work {
            Work::Expiry => {
                next_expiry = None;
                if let Err(error) = service.expire().await {
                    tracing::warn!(error = %error, "expiring inbox entries failed and is tried again later");
                }
            }
            // A write without changes shows whether the store commits again. The answer is in the
            // status, so the error is not needed here. Expiry is no part of an attempt: if only
            // expiry failed, the service would never become ready.
            Work::Attempt => drop(service.outcome(Write::default()).await),
        }
        let (clock, interval) = (Arc::clone(&service.inner.clock), service.config().expiry_interval);
        let status = Arc::clone(service.inner.queue.status());
        let store = Arc::clone(&service.inner.reads.store);
        let is_failing = status.is_failing.load(Ordering::Relaxed);
        pause = if is_failing { pause.saturating_mul(2).min(MAX_RETRY_PAUSE) } else { RETRY_PAUSE };
        let mut stage = service.inner.lifecycle.subscribe();
        drop(service);
        let next_expiry = next_expiry.get_or_insert_with(|| {
            let clock = Arc::clone(&clock);
            Box::pin(async move { clock.sleep(interval).await })
        });
        work = tokio::select! {
            () = wait_for_retry(&status, &*clock, &*store, pause) => Work::Attempt,
            () = next_expiry => Work::Expiry,
            // `wait_for` also returns, with an error, when the service was dropped.
            _ = stage.wait_for(|now| *now > Stage::Running) => return,
        };
    }
}
