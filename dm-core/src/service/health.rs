//! [`Health`], the health of the service, for probes and for metrics.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::handle::{Inner, Service};
use super::stage::Stage;
use crate::store::{Availability, Durability, Room, StoreStatus};

/// The time between two updates of the gauges.
const GAUGE_INTERVAL: Duration = Duration::from_secs(5);

/// The health of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether writes are accepted: false after shutdown has begun.
    pub accepting: bool,
    /// Whether the last commit succeeded and the store never panicked in one; true before the first
    /// commit. After a failed commit the service tries another one within 2 to 8 s, even if nobody
    /// sends. After a panic the writes of a lane fail until the service is started again.
    pub committing: bool,
    /// The number of writes that wait in the queue.
    pub queued: usize,
    /// The age of the oldest running commit; zero if none is running.
    pub oldest_commit: Duration,
    /// The age of the oldest running read; zero if none is running.
    pub oldest_read: Duration,
    /// Whether `oldest_commit` is at most [`Config::commit_bound`](crate::Config::commit_bound) and
    /// `oldest_read` at most [`Config::read_bound`](crate::Config::read_bound).
    pub in_time: bool,
    /// The condition of the store, as the store reports it.
    pub store: StoreStatus,
}

impl Health {
    /// Whether a load balancer should send users to this service. The store's durability does not
    /// count, because it is the operator's choice and not a failure.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.accepting
            && self.committing
            && self.in_time
            && self.store.availability == Availability::Open
            && self.store.room == Room::Enough
    }

    /// Sets the gauges.
    fn record(&self) {
        let gauge_value = |holds: bool| f64::from(u8::from(holds));
        metrics::gauge!("dm_ready").set(gauge_value(self.is_ready()));
        metrics::gauge!("dm_oldest_commit_seconds").set(self.oldest_commit.as_secs_f64());
        metrics::gauge!("dm_oldest_read_seconds").set(self.oldest_read.as_secs_f64());
        metrics::gauge!("dm_store_open").set(gauge_value(self.store.availability == Availability::Open));
        metrics::gauge!("dm_store_room_low").set(gauge_value(self.store.room == Room::Low));
        for durability in [Durability::Synced, Durability::AsynchronousReplica, Durability::NotSynced] {
            let holds = self.store.durability == durability;
            metrics::gauge!("dm_store_durability", "is" => durability.name()).set(gauge_value(holds));
        }
    }
}

impl Service {
    /// The health of the service. The call reads memory only, so probes may make it often. Ages are
    /// measured with the service's clock, so they jump if that clock is set.
    #[must_use]
    pub fn health(&self) -> Health {
        let (reads, status, now) = (&self.inner.reads, self.inner.queue.status(), self.now());
        let (oldest_commit, oldest_read) =
            (status.commits_in_flight.oldest_age(now), reads.in_flight.oldest_age(now));
        let config = self.config();
        Health {
            accepting: self.inner.lifecycle.stage() == Stage::Running,
            committing: status.is_committing(),
            queued: self.inner.queue.queued_count(),
            oldest_commit,
            oldest_read,
            in_time: oldest_commit <= config.commit_bound && oldest_read <= config.read_bound,
            store: reads.store.status(),
        }
    }
}

/// Sets the gauges of [`Health`] until the service has stopped or is dropped. This task holds no
/// handle of the service while it waits, so it does not keep the service alive.
pub(super) async fn update_gauges(service: Weak<Inner>) {
    while let Some(inner) = service.upgrade() {
        let service = Service { inner };
        service.health().record();
        let clock = Arc::clone(&service.inner.clock);
        let mut stage = service.inner.lifecycle.subscribe();
        drop(service);
        tokio::select! {
            () = clock.sleep(GAUGE_INTERVAL) => {}
            // `wait_for` also returns, with an error, when the service was dropped.
            _ = stage.wait_for(|now| *now > Stage::Draining) => return,
        }
    }
}
