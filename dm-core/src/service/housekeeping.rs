//! Work in the background: telling peers of new keys, and expiry. Both go in small commits between sends.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::handle::{Inner, Service, misaligned};
use super::stage::Stage;
use super::status::Status;
use crate::error::Error;
use crate::store::{AnnounceKeys, Availability, Expire, Outcome, Store, Write};
use crate::time::Clock;

/// How long after a failed commit another is tried, if none succeeded meanwhile; twice as long
/// after each that failed, too. A load balancer that asks for the health sends nobody until one
/// succeeded, so that there may be no other.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// The longest that a service is not ready although its store works again.
const TRY_AGAIN_MOST: Duration = Duration::from_secs(8);

/// What a run of [`Service::expire`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Inbox entries removed.
    pub entries: u64,
}

impl Service {
    /// Removes the inbox entries that are older than the configured retention, in steps of
    /// [`Config::expiry_step`](crate::Config::expiry_step). The service does so by itself every
    /// [`Config::expiry_interval`](crate::Config::expiry_interval). Messages stay in history.
    ///
    /// # Errors
    /// Those common to all calls; what was removed until then stays removed.
    pub async fn expire(&self) -> Result<Expired, Error> {
        let before = self.now().before(self.config().inbox_retention);
        let mut expired = Expired::default();
        loop {
            let step = Write::Expire(Expire { before, limit: self.config().expiry_step });
            let Outcome::Expired { entries, more } = self.submit(step).await? else {
                return Err(misaligned());
            };
            expired.entries += entries as u64;
            if !more {
                metrics::counter!("dm_expired_total").increment(expired.entries);
                return Ok(expired);
            }
        }
    }

    /// Tells peers of published keys until all are told. The service does so by itself after each publication.
    async fn announce_keys(&self) -> Result<(), Error> {
        loop {
            let step = AnnounceKeys { limit: self.config().announce_step, at: self.now() };
            let Outcome::KeysAnnounced { more, .. } = self.submit(Write::AnnounceKeys(step)).await? else {
                return Err(misaligned());
            };
            if !more {
                return Ok(());
            }
        }
    }
}

/// Resolves a pause after a commit failed, unless another succeeded by then or the store is closed
/// for good.
async fn time_to_try_again(status: &Status, clock: &dyn Clock, store: &dyn Store, pause: Duration) {
    loop {
        status.failed.notified().await;
        clock.sleep(pause).await;
        if status.failing.load(Ordering::Relaxed) && store.status().availability != Availability::Closed {
            return;
        }
    }
}

/// Runs until the service shuts down or is dropped. It holds no handle while it waits, so it keeps nothing alive.
pub(super) async fn run(service: Weak<Inner>) {
    // What an earlier run of the process left behind comes first.
    let (mut announce, mut expire) = (true, true);
    let mut pause = TRY_AGAIN;
    // Kept over what happens in between, which may happen more often than expiry is due.
    let mut next_expiry: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    loop {
        let Some(inner) = service.upgrade() else { return };
        let service_now = Service { inner };
        if announce && let Err(error) = service_now.announce_keys().await {
            tracing::warn!(error = %error, "telling peers of a new key is put off");
        }
        // Also when the announcements failed: on a full disk they are refused, and room comes from
        // expiry alone.
        if expire {
            next_expiry = None;
            if let Err(error) = service_now.expire().await {
                tracing::warn!(error = %error, "expiry is put off");
            }
        }
        let (clock, interval) = (Arc::clone(&service_now.inner.clock), service_now.config().expiry_interval);
        let status = Arc::clone(service_now.inner.queue.status());
        let store = Arc::clone(&service_now.inner.reads.store);
        let failing = status.failing.load(Ordering::Relaxed);
        pause = if failing { pause.saturating_mul(2).min(TRY_AGAIN_MOST) } else { TRY_AGAIN };
        let mut stage = service_now.inner.lifecycle.subscribe();
        drop(service_now);
        let next_expiry = next_expiry.get_or_insert_with(|| {
            let clock = Arc::clone(&clock);
            Box::pin(async move { clock.sleep(interval).await })
        });
        tokio::select! {
            () = status.announce.notified() => (announce, expire) = (true, false),
            // An expiry that fails for a reason of its own says nothing about commits.
            () = time_to_try_again(&status, &*clock, &*store, pause) => (announce, expire) = (true, false),
            // Also picks up what was put off.
            () = next_expiry => (announce, expire) = (true, true),
            // Also when the service was dropped.
            _ = stage.wait_for(|now| *now > Stage::Running) => return,
        }
    }
}
