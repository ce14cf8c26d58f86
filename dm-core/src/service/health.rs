//! How the service is, for probes and for metrics.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::handle::{Inner, Service};
use super::stage::Stage;
use crate::store::{Availability, Durability, Room, StoreStatus};

/// How often the gauges are set.
const GAUGE_INTERVAL: Duration = Duration::from_secs(5);

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether new work is taken: false once shutdown began.
    pub accepting: bool,
    /// Whether the last commit succeeded. After one that failed the service tries another within
    /// 2 to 8 s, also when nobody sends.
    pub committing: bool,
    /// Writes waiting to be committed.
    pub queued: usize,
    /// The age of the oldest commit under way; zero when there is none.
    pub oldest_commit: Duration,
    /// The age of the oldest read under way; zero when there is none.
    pub oldest_read: Duration,
    /// Whether neither is older than [`Config::commit_bound`](crate::Config::commit_bound) and
    /// [`Config::read_bound`](crate::Config::read_bound).
    pub in_time: bool,
    /// What the store says of its condition.
    pub store: StoreStatus,
}

impl Health {
    /// Whether a load balancer should send people here. The store's durability does not count: it
    /// is a choice, not a failure.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.accepting
            && self.committing
            && self.in_time
            && self.store.availability == Availability::Open
            && self.store.room == Room::Enough
    }

    /// Tells the metrics.
    fn record(&self) {
        let is = |holds: bool| f64::from(u8::from(holds));
        metrics::gauge!("dm_ready").set(is(self.is_ready()));
        metrics::gauge!("dm_oldest_commit_seconds").set(self.oldest_commit.as_secs_f64());
        metrics::gauge!("dm_oldest_read_seconds").set(self.oldest_read.as_secs_f64());
        metrics::gauge!("dm_store_open").set(is(self.store.availability == Availability::Open));
        metrics::gauge!("dm_store_room_low").set(is(self.store.room == Room::Low));
        for durability in [Durability::Synced, Durability::AsynchronousReplica, Durability::NotSynced] {
            let holds = self.store.durability == durability;
            metrics::gauge!("dm_store_durability", "is" => durability.name()).set(is(holds));
        }
    }
}

impl Service {
    /// How the service is, from memory: cheap enough for any probe. Ages are by the service's
    /// clock, so that they jump with it.
    #[must_use]
    pub fn health(&self) -> Health {
        let (reads, status, now) = (&self.inner.reads, self.inner.queue.status(), self.now());
        let (oldest_commit, oldest_read) = (status.commits.oldest(now), reads.under_way.oldest(now));
        let config = self.config();
        Health {
            accepting: self.inner.lifecycle.stage() == Stage::Running,
            committing: !status.failing.load(Ordering::Relaxed),
            queued: self.inner.queue.queued(),
            oldest_commit,
            oldest_read,
            in_time: oldest_commit <= config.commit_bound && oldest_read <= config.read_bound,
            store: reads.store.status(),
        }
    }
}

/// Sets the gauges of [`Health`] until the service shuts down or is dropped. It holds no handle
/// while it waits.
pub(super) async fn watch(service: Weak<Inner>) {
    while let Some(inner) = service.upgrade() {
        let service_now = Service { inner };
        service_now.health().record();
        let clock = Arc::clone(&service_now.inner.clock);
        let mut stage = service_now.inner.lifecycle.subscribe();
        drop(service_now);
        tokio::select! {
            () = clock.sleep(GAUGE_INTERVAL) => {}
            // Also when the service was dropped.
            _ = stage.wait_for(|now| *now > Stage::Draining) => return,
        }
    }
}
