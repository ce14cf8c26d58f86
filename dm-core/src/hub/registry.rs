//! The table of connections.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::{EndCause, ConnectionKind, Connection};
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
    pub(super) sessions_started: AtomicU64,
}

type Connections = HashMap<UserId, Vec<Arc<Connection>>>;

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
            sessions_started: AtomicU64::new(0),
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
        self.for_connections(hint.user, hint.origin.as_ref(), |connection| {
            connection.push_number(hint.seq, hint.origin.as_ref() == Some(connection.device()));
        })
    }

    /// Has the sessions of a user read the store: for when hints may have been lost.
    pub fn recheck(&self, user: UserId) {
        self.for_connections(user, None, Connection::fall_behind);
    }

    /// Does something to every connection of a user. Answers whether one is another device's than the one left out.
    pub(super) fn for_connections(&self, user: UserId, leave_out: Option<&DeviceId>, offer: impl Fn(&Connection)) -> Reach {
        let mut reach = Reach::Absent;
        for connection in self.shard(user).get(&user).into_iter().flatten() {
            offer(connection);
            if leave_out != Some(connection.device()) {
                reach = Reach::Connected;
            }
        }
        reach
    }

    /// Gives a connection a connection, which is its place until that is dropped.
    pub(crate) fn add_connection(&self, who: &Principal, kind: ConnectionKind, now: Timestamp) -> ConnectionGuard {
        let mut connections = self.shard(who.user);
        let of_user = connections.entry(who.user).or_default();
        if of_user.is_empty() {
            self.inner.watches.changed(who.user);
        }
        let mut term = None;
        if kind == ConnectionKind::Device {
            let mut over = None;
            of_user.retain(|other| {
                let same = other.kind() == ConnectionKind::Device && *other.device() == who.device;
                if same {
                    other.end(EndCause::Replaced);
                    over = over.max(other.term());
                }
                !same
            });
            term = Some(self.next_term(now, over));
            self.inner.new_claims.add(who.user);
        }
        let connection = Arc::new(Connection::new(who.device.clone(), kind, term));
        of_user.push(Arc::clone(&connection));
        drop(connections);
        metrics::gauge!("dm_sessions").increment(1);
        ConnectionGuard { hub: self.clone(), user: who.user, connection }
    }

    fn remove_connection(&self, user: UserId, connection: &Arc<Connection>) {
        metrics::gauge!("dm_sessions").decrement(1);
        let mut connections = self.shard(user);
        if let Some(of_user) = connections.get_mut(&user) {
            of_user.retain(|other| !Arc::ptr_eq(other, connection));
            if of_user.is_empty() {
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
        SessionId { node: self.inner.node, number: self.inner.sessions_started.fetch_add(1, Ordering::Relaxed) }
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

/// A connection in the hub's table; dropping it takes the connection out.
pub(crate) struct ConnectionGuard {
    hub: Hub,
    user: UserId,
    pub(crate) connection: Arc<Connection>,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.hub.remove_connection(self.user, &self.connection);
    }
}

fn lock(shard: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // Nothing panics while a shard is locked; a poisoned table is whole.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
