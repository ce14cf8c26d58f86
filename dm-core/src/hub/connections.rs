//! The table of connections.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::mailbox::{Ended, Kind, Mailbox};
use super::term::{SessionId, Term};
use super::watch::{HubWatch, Watches};
use crate::device::{DeviceId, Principal};
use crate::disconnect::NodeId;
use crate::entropy::{Entropy as _, OsEntropy};
#[cfg(doc)]
use crate::notifier::Notifier;
use crate::notifier::{EntryHint, Reach};
use crate::time::Timestamp;
use crate::user::UserId;

/// Shards of the table of connections, so that connecting and notifying seldom wait for each other.
const SHARDS: usize = 64;

/// The connections of a service in this process, as a [`Notifier`]. Clones share them.
///
/// Every service has one, which [`Service::connect`](crate::Service::connect) fills and which brings
/// hints to its sessions. A notifier across nodes gets it from
/// [`ServiceBuilder::hub`](crate::ServiceBuilder::hub), and passes on what comes from other nodes.
#[derive(Clone)]
pub struct Hub {
    /// Each session holds a clone.
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) shards: [Mutex<Connections>; SHARDS],
    pub(super) hasher: RandomState,
    pub(super) watches: Watches,
    /// Watches of users with new device sessions.
    pub(super) new_claims: Watches,
    pub(super) node: NodeId,
    /// Device sessions that began here.
    pub(super) begun: AtomicU64,
}

type Connections = HashMap<UserId, Vec<Arc<Mailbox>>>;

impl Hub {
    /// A hub without connections.
    pub(crate) fn new() -> Self {
        let mut node = [0; 8];
        OsEntropy.fill(&mut node);
        let inner = Inner {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            watches: Watches::default(),
            new_claims: Watches::default(),
            node: NodeId::from_bytes(node),
            begun: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The id of this process among the nodes.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// Connections at this moment.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Whether a user has a session here.
    #[must_use]
    pub fn is_connected(&self, user: UserId) -> bool {
        self.shard(user).contains_key(&user)
    }

    /// Watches users come and go, beginning with those who are here: for what brings hints from other nodes, which
    /// needs them only for users who are connected.
    #[must_use]
    pub fn watch(&self) -> HubWatch {
        // With all of them locked nobody comes or goes between looking and watching.
        let shards: Vec<_> = self.inner.shards.iter().map(lock).collect();
        self.inner.watches.begin(shards.iter().flat_map(|shard| shard.keys().copied()).collect())
    }

    /// Watches users get new device sessions, beginning with those there are: for what tells other
    /// nodes of [`claims`](Self::claims). It holds no more than the users who are connected.
    #[must_use]
    pub fn watch_claims(&self) -> HubWatch {
        let shards: Vec<_> = self.inner.shards.iter().map(lock).collect();
        self.inner.new_claims.begin(shards.iter().flat_map(|shard| shard.keys().copied()).collect())
    }

    /// Passes on a hint that came without its entry: sessions that are not that far read the store. A hint with its
    /// entry goes through [`notify`](Notifier::notify).
    pub fn hint(&self, hint: &EntryHint) -> Reach {
        self.tell(hint.user, hint.origin.as_ref(), |mailbox| {
            mailbox.offer_number(hint.seq, hint.origin.as_ref() == Some(mailbox.device()));
        })
    }

    /// Has the sessions of a user read the store: for when hints may have been lost.
    pub fn recheck(&self, user: UserId) {
        self.tell(user, None, Mailbox::fall_behind);
    }

    /// Does something to every mailbox of a user. Answers whether one is another device's than the one left out.
    pub(super) fn tell(&self, user: UserId, leave_out: Option<&DeviceId>, offer: impl Fn(&Mailbox)) -> Reach {
        let mut reach = Reach::Absent;
        for mailbox in self.shard(user).get(&user).into_iter().flatten() {
            offer(mailbox);
            if leave_out != Some(mailbox.device()) {
                reach = Reach::Connected;
            }
        }
        reach
    }

    /// Gives a connection a mailbox, which is its place until that is dropped.
    pub(crate) fn enter(&self, who: &Principal, kind: Kind, now: Timestamp) -> Place {
        let mut connections = self.shard(who.user);
        let boxes = connections.entry(who.user).or_default();
        if boxes.is_empty() {
            self.inner.watches.changed(who.user);
        }
        let mut term = None;
        if kind == Kind::Device {
            let mut over = None;
            boxes.retain(|other| {
                let same = other.kind() == Kind::Device && *other.device() == who.device;
                if same {
                    other.end(Ended::Replaced);
                    over = over.max(other.term());
                }
                !same
            });
            term = Some(self.next_term(now, over));
            self.inner.new_claims.add(who.user);
        }
        let mailbox = Arc::new(Mailbox::new(who.device.clone(), kind, term));
        boxes.push(Arc::clone(&mailbox));
        drop(connections);
        metrics::gauge!("dm_sessions").increment(1);
        Place { hub: self.clone(), user: who.user, mailbox }
    }

    fn leave(&self, user: UserId, mailbox: &Arc<Mailbox>) {
        metrics::gauge!("dm_sessions").decrement(1);
        let mut connections = self.shard(user);
        if let Some(boxes) = connections.get_mut(&user) {
            boxes.retain(|other| !Arc::ptr_eq(other, mailbox));
            if boxes.is_empty() {
                connections.remove(&user);
                self.inner.watches.changed(user);
                self.inner.new_claims.remove(user);
            }
        }
    }

    /// The term of a session that begins here now, above one that it takes over.
    fn next_term(&self, now: Timestamp, over: Option<Term>) -> Term {
        let session = self.next_session();
        let term = Term { at: now, session };
        over.and_then(|over| term.above(over)).unwrap_or(term)
    }

    fn next_session(&self) -> SessionId {
        SessionId { node: self.inner.node, number: self.inner.begun.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn shard(&self, user: UserId) -> MutexGuard<'_, Connections> {
        let at = self.inner.hasher.hash_one(user) % SHARDS as u64;
        // `at` is below SHARDS, the length of the slice.
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "bounded by the remainder"
        )]
        lock(&self.inner.shards[at as usize])
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("connections", &self.connections()).finish()
    }
}

/// A mailbox in the hub's table; dropping it takes the mailbox out.
pub(crate) struct Place {
    hub: Hub,
    user: UserId,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.leave(self.user, &self.mailbox);
    }
}

fn lock(shard: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // Nothing panics while a shard is locked; a poisoned table is whole.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
