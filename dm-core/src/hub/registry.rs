//! [`Hub`], the registry of the connections of this process. A claim is a message between nodes: it
//! says that a session is the newest of its device (see [`takeover`](super::takeover)).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::{Connection, ConnectionKind, EndCause};
use super::term::{SessionId, Term};
use super::watch::{HubWatch, Watches};
use crate::device::Principal;
use crate::disconnect::NodeId;
use crate::entropy::{Entropy as _, OsEntropy};
#[cfg(doc)]
use crate::notifier::Notifier;
use crate::notifier::{Reach, SeqHint};
use crate::time::Timestamp;
use crate::user::UserId;

/// The number of shards of the registry. Each has a lock of its own, so that connecting and
/// notifying seldom wait for each other.
const SHARDS: usize = 64;

/// The connections of a service in this process, and the [`Notifier`] that passes hints to their
/// sessions. Clones share the connections.
///
/// Every service has a hub. [`Service::connect`](crate::Service::connect) and
/// [`Service::follow`](crate::Service::follow) add connections to it. A notifier between nodes gets
/// it from [`ServiceBuilder::hub`](crate::ServiceBuilder::hub) and gives it the hints of other
/// nodes.
#[derive(Clone)]
pub struct Hub {
    /// Shared by all clones. Each session holds a clone.
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) shards: [Mutex<Connections>; SHARDS],
    /// Hashes a user's id to choose the user's shard.
    pub(super) hasher: RandomState,
    /// The watches of users who connect and disconnect.
    pub(super) watches: Watches,
    /// The watches of users with new claims of device sessions.
    pub(super) new_claims: Watches,
    /// The id of this process.
    pub(super) node: NodeId,
    /// The number of device sessions that have started here, which is the number in the id of the
    /// next one.
    pub(super) sessions_started: AtomicU64,
}

/// The connections of each user. A user without connections has no key.
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

    /// The id of this process among the nodes. Every new hub has a new id.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// The number of connections in this process.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Whether a user has a session in this process.
    #[must_use]
    pub fn is_connected(&self, user: UserId) -> bool {
        self.shard(user).contains_key(&user)
    }

    /// A watch of the users who connect and disconnect. It starts with the users who are connected
    /// now. A notifier between nodes uses it to get hints only for connected users.
    #[must_use]
    pub fn watch(&self) -> HubWatch {
        // All shards are locked, so that nobody connects or disconnects before the watch has begun.
        let shards: Vec<_> = self.inner.shards.iter().map(lock).collect();
        self.inner.watches.new_watch(shards.iter().flat_map(|shard| shard.keys().copied()).collect())
    }

    /// A watch of the users with new [`claims`](Self::claims) of device sessions. It starts with
    /// all users who are connected now, and never holds more users than are connected. A notifier
    /// between nodes uses it to send claims to other nodes.
    #[must_use]
    pub fn watch_claims(&self) -> HubWatch {
        let shards: Vec<_> = self.inner.shards.iter().map(lock).collect();
        self.inner.new_claims.new_watch(shards.iter().flat_map(|shard| shard.keys().copied()).collect())
    }

    /// Passes on a hint that has the number of an entry but not the entry. Sessions that have not
    /// delivered the entry read it from the store. A hint with its entry goes through
    /// [`notify`](Notifier::notify).
    pub fn hint(&self, hint: &SeqHint) -> Reach {
        self.for_each_connection(hint.user, |connection| {
            let is_own = hint.origin.as_ref() == Some(connection.device());
            connection.push_number(hint.seq, is_own);
            !is_own
        })
    }

    /// Makes the sessions of a user read the store. A notifier between nodes calls this when hints
    /// for the user may have been lost.
    pub fn recheck(&self, user: UserId) {
        self.for_each_connection(user, |connection| {
            connection.fall_behind();
            true
        });
    }

    /// Calls a function with every connection of a user. Returns [`Reach::Connected`] if at least
    /// one of the calls returns true.
    pub(super) fn for_each_connection(&self, user: UserId, call: impl Fn(&Connection) -> bool) -> Reach {
        let mut reach = Reach::Absent;
        for connection in self.shard(user).get(&user).into_iter().flatten() {
            if call(connection) {
                reach = Reach::Connected;
            }
        }
        reach
    }

    /// Adds a connection, which stays until the guard is dropped. If it is a device session, an
    /// older session of the same device is ended.
    pub(crate) fn add_connection(
        &self,
        who: &Principal,
        kind: ConnectionKind,
        now: Timestamp,
    ) -> ConnectionGuard {
        let mut connections = self.shard(who.user);
        let user_connections = connections.entry(who.user).or_default();
        if user_connections.is_empty() {
            self.inner.watches.record_change(who.user);
        }
        let mut term = None;
        if kind == ConnectionKind::Device {
            let mut replaced_term = None;
            user_connections.retain(|other| {
                let is_same_device = other.kind() == ConnectionKind::Device && *other.device() == who.device;
                if is_same_device {
                    other.end(EndCause::Replaced);
                    replaced_term = replaced_term.max(other.term());
                }
                !is_same_device
            });
            term = Some(self.next_term(now, replaced_term));
            self.inner.new_claims.add(who.user);
        }
        let connection = Arc::new(Connection::new(who.device.clone(), kind, term));
        user_connections.push(Arc::clone(&connection));
        drop(connections);
        metrics::gauge!("dm_sessions").increment(1);
        ConnectionGuard { hub: self.clone(), user: who.user, connection }
    }

    fn remove_connection(&self, user: UserId, connection: &Arc<Connection>) {
        metrics::gauge!("dm_sessions").decrement(1);
        let mut connections = self.shard(user);
        if let Some(user_connections) = connections.get_mut(&user) {
            user_connections.retain(|other| !Arc::ptr_eq(other, connection));
            if user_connections.is_empty() {
                connections.remove(&user);
                self.inner.watches.record_change(user);
                self.inner.new_claims.remove(user);
            }
        }
    }

    /// The term of a session that starts now. It is above the term of the session that it replaces,
    /// unless no higher term exists.
    fn next_term(&self, now: Timestamp, replaced_term: Option<Term>) -> Term {
        let session = self.next_session_id();
        let term = Term { at: now, session };
        replaced_term.and_then(|replaced| term.raised_above(replaced)).unwrap_or(term)
    }

    /// A session id that no other call returns.
    fn next_session_id(&self) -> SessionId {
        SessionId {
            node: self.inner.node,
            number: self.inner.sessions_started.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Locks the shard with a user's connections.
    pub(super) fn shard(&self, user: UserId) -> MutexGuard<'_, Connections> {
        let index = self.inner.hasher.hash_one(user) % SHARDS as u64;
        // The index is below SHARDS, the length of the array.
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "bounded by the remainder"
        )]
        lock(&self.inner.shards[index as usize])
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("connections", &self.connections()).finish()
    }
}

/// A connection that is in the hub. Dropping the guard removes the connection.
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
    // No code panics while it holds this lock, so even a poisoned shard is consistent.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
