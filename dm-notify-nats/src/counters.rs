//! Counts of hints and dropped frames, for the host and for `metrics`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::codec::Undecodable;
use crate::mac::Unauthenticated;
use crate::replay_filter::NotFresh;

/// Counts of a notifier since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsStats {
    /// Users to whose subjects this node is subscribed: those with a session here.
    pub subscriptions: usize,
    /// Hints that were handed to the connection.
    pub published: u64,
    /// Hints from other nodes that were handed to the hub.
    pub received: u64,
    /// Hints that were not published, because the queue was full or the servers could not be
    /// reached.
    pub dropped: u64,
    /// Of [`received`](Self::received), hints without their entry.
    pub numbers: u64,
    /// Messages that were no frames of this version.
    pub undecodable: u64,
    /// With [`keys`](crate::NatsConfig::keys): messages without a valid tag. Without keys: hints
    /// that carry an entry.
    pub unauthenticated: u64,
    /// Orders, claims and heartbeats that were too old, from before this node's start, or from a
    /// clock more than a minute ahead. Always zero without a key, like
    /// [`repeated`](Self::repeated).
    pub stale: u64,
    /// Orders, claims, heartbeats, probes and replies that were taken before.
    pub repeated: u64,
}

/// The reason why a frame is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Undecodable,
    Unauthenticated,
    Stale,
    Repeated,
}

impl From<Undecodable> for DropReason {
    fn from(_: Undecodable) -> Self {
        Self::Undecodable
    }
}

impl From<Unauthenticated> for DropReason {
    fn from(_: Unauthenticated) -> Self {
        Self::Unauthenticated
    }
}

impl From<NotFresh> for DropReason {
    fn from(why: NotFresh) -> Self {
        match why {
            NotFresh::Stale => Self::Stale,
            NotFresh::Repeated => Self::Repeated,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    subscriptions: AtomicUsize,
    published: AtomicU64,
    received: AtomicU64,
    dropped: AtomicU64,
    numbers: AtomicU64,
    undecodable: AtomicU64,
    unauthenticated: AtomicU64,
    stale: AtomicU64,
    repeated: AtomicU64,
}

impl Counters {
    pub(crate) fn subscriptions(&self, now: usize) {
        self.subscriptions.store(now, Ordering::Relaxed);
        metrics::gauge!("dm_nats_subscriptions").set(f64::from(u32::try_from(now).unwrap_or(u32::MAX)));
    }

    pub(crate) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_published_total").increment(1);
    }

    pub(crate) fn hint_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_dropped_total").increment(1);
    }

    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_received_total").increment(1);
    }

    pub(crate) fn received_number(&self) {
        self.received();
        self.numbers.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_numbers_total").increment(1);
    }

    /// Counts a dropped frame.
    pub(crate) fn frame_dropped(&self, why: DropReason) {
        let (count, label) = match why {
            DropReason::Undecodable => (&self.undecodable, "undecodable"),
            DropReason::Unauthenticated => (&self.unauthenticated, "unauthenticated"),
            DropReason::Stale => (&self.stale, "stale"),
            DropReason::Repeated => (&self.repeated, "repeated"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_refused_total", "why" => label).increment(1);
    }

    pub(crate) fn stats(&self) -> NatsStats {
        NatsStats {
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            published: self.published.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            numbers: self.numbers.load(Ordering::Relaxed),
            undecodable: self.undecodable.load(Ordering::Relaxed),
            unauthenticated: self.unauthenticated.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
        }
    }
}
