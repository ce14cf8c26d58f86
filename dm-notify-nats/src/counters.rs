//! Counts of hints and of refused frames, for the host and for `metrics`. Outgoing frames that are
//! not published are *dropped*. Received frames that are not processed are *refused*.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::codec::Undecodable;
use crate::mac::Unauthenticated;
use crate::replay_filter::NotFresh;

/// Counts of a notifier since its start. The [terms](crate#terms) are those of the crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsStats {
    /// The current number of users to whose subjects this node is subscribed. These are the users
    /// with a session here.
    pub subscriptions: usize,
    /// The number of hints, and of replies to presence requests, that were handed to the
    /// connection.
    pub published: u64,
    /// The number of hints from other nodes that were handed to the hub.
    pub received: u64,
    /// The number of outgoing hints, and of replies to presence requests, that were not published,
    /// because the queue was full or the servers could not be reached.
    pub outgoing_dropped: u64,
    /// The number of received hints without their entry. [`received`](Self::received) includes
    /// them.
    pub received_without_entry: u64,
    /// The number of received messages that are not frames of this version. With
    /// [`keys`](crate::NatsConfig::keys) these messages had a valid tag.
    pub undecodable: u64,
    /// The number of received messages that were refused because no tag proves their sender. With
    /// [`keys`](crate::NatsConfig::keys) these are messages without a valid tag. Without keys these
    /// are hints with an entry.
    pub unauthenticated: u64,
    /// The number of received frames with a stamp that were refused because of their age, or
    /// because too many nodes are known. Always zero without [`keys`](crate::NatsConfig::keys).
    ///
    /// These frames have a stamp: orders, claims, objections, probes, heartbeats (which are also
    /// the replies to challenges), and the last frame of a node that ends. A frame with a stamp is
    /// refused if it is:
    ///
    /// - more than a minute old, or from a clock that is more than a minute ahead;
    /// - sent more than a second before this node's start;
    /// - overtaken by 8,192 later frames of its node;
    /// - from a new node, while this node remembers 1,024 other nodes.
    pub stale: u64,
    /// The number of received frames with a stamp that were refused because they had been accepted
    /// before. Always zero without [`keys`](crate::NatsConfig::keys).
    pub repeated: u64,
}

/// The reason why a received frame is refused. [`NatsStats`] has a count for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalReason {
    Undecodable,
    Unauthenticated,
    Stale,
    Repeated,
}

impl From<Undecodable> for RefusalReason {
    fn from(_: Undecodable) -> Self {
        Self::Undecodable
    }
}

impl From<Unauthenticated> for RefusalReason {
    fn from(_: Unauthenticated) -> Self {
        Self::Unauthenticated
    }
}

impl From<NotFresh> for RefusalReason {
    fn from(reason: NotFresh) -> Self {
        match reason {
            NotFresh::Stale => Self::Stale,
            NotFresh::Repeated => Self::Repeated,
        }
    }
}

/// The counters behind [`NatsStats`]. Each method also updates the counter of `metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    subscriptions: AtomicUsize,
    published: AtomicU64,
    received: AtomicU64,
    outgoing_dropped: AtomicU64,
    received_without_entry: AtomicU64,
    undecodable: AtomicU64,
    unauthenticated: AtomicU64,
    stale: AtomicU64,
    repeated: AtomicU64,
}

impl Counters {
    /// Sets the current number of subscriptions.
    pub(crate) fn set_subscriptions(&self, now: usize) {
        self.subscriptions.store(now, Ordering::Relaxed);
        metrics::gauge!("dm_nats_subscriptions").set(f64::from(u32::try_from(now).unwrap_or(u32::MAX)));
    }

    /// Counts a frame of the publish queue that was handed to the connection.
    pub(crate) fn count_published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_published_total").increment(1);
    }

    /// Counts a frame of the publish queue that was not published.
    pub(crate) fn count_outgoing_dropped(&self) {
        self.outgoing_dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_dropped_total").increment(1);
    }

    /// Counts a received hint with its entry.
    pub(crate) fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_received_total").increment(1);
    }

    /// Counts a received hint without its entry.
    pub(crate) fn count_received_without_entry(&self) {
        self.count_received();
        self.received_without_entry.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_numbers_total").increment(1);
    }

    /// Counts a refused frame.
    pub(crate) fn count_refused(&self, reason: RefusalReason) {
        let (count, label) = match reason {
            RefusalReason::Undecodable => (&self.undecodable, "undecodable"),
            RefusalReason::Unauthenticated => (&self.unauthenticated, "unauthenticated"),
            RefusalReason::Stale => (&self.stale, "stale"),
            RefusalReason::Repeated => (&self.repeated, "repeated"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("dm_nats_refused_total", "why" => label).increment(1);
    }

    pub(crate) fn stats(&self) -> NatsStats {
        NatsStats {
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            published: self.published.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            outgoing_dropped: self.outgoing_dropped.load(Ordering::Relaxed),
            received_without_entry: self.received_without_entry.load(Ordering::Relaxed),
            undecodable: self.undecodable.load(Ordering::Relaxed),
            unauthenticated: self.unauthenticated.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
        }
    }
}
