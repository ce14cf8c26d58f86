//! Delivery in this process: the [`Notifier`] for hosts that want the library to keep track of connections, and this
//! node's end of a notifier across nodes.

mod delivery;
mod disconnect;
mod handle;
mod mailbox;
mod session;
mod takeover;
mod watch;

pub use delivery::{Delivery, SessionEnd};
pub use handle::SessionHandle;
pub use session::Session;
pub use takeover::{SessionClaim, SessionId, Term};
pub use watch::HubWatch;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::device::{DeviceId, Principal};
use crate::disconnect::{Disconnected, EndSessions, NodeId};
use crate::entropy::{Entropy as _, OsEntropy};
use crate::error::Error;
use crate::notify::{EntryHint, Notification, Notifier, NotifyError, Reach};
use crate::service::Service;
use crate::store::{DeviceStart, InboxQuery};
use crate::time::Timestamp;
use crate::user::UserId;
use mailbox::{Ended, Kind, Mailbox};
use watch::Watches;

/// Shards of the table of connections, so that connecting and notifying seldom wait for each other.
const SHARDS: usize = 64;

/// The connections of this process, as a [`Notifier`]. Clones share them.
///
/// Give a clone to [`ServiceBuilder::notifier`](crate::ServiceBuilder::notifier), and
/// [`connect`](Hub::connect) every client to get its [`Session`].
#[derive(Clone)]
pub struct Hub {
    /// Each session holds a clone.
    inner: Arc<Inner>,
}

struct Inner {
    shards: [Mutex<Connections>; SHARDS],
    hasher: RandomState,
    watches: Watches,
    /// Watches of users with new device sessions.
    new_claims: Watches,
    node: NodeId,
    /// Device sessions that began here.
    begun: AtomicU64,
}

type Connections = HashMap<UserId, Vec<Arc<Mailbox>>>;

impl Hub {
    /// A hub without connections.
    #[must_use]
    pub fn new() -> Self {
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

    /// Connects a device: the session brings what is pending, says when it has caught up, then brings what happens.
    ///
    /// The device is registered if it is new, at the oldest entry still held. An older session of the same device
    /// ends with [`SessionEnd::Replaced`]; what it delivered and was not acknowledged is delivered again here.
    ///
    /// # Errors
    /// [`Error::TooManyDevices`] for one device too many, and those common to all calls of the service.
    pub async fn connect(&self, service: &Service, who: &Principal) -> Result<Session, Error> {
        self.connect_from(service, who, DeviceStart::Oldest).await
    }

    /// As [`connect`](Self::connect), choosing where a new device starts.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_from(
        &self,
        service: &Service,
        who: &Principal,
        start: DeviceStart,
    ) -> Result<Session, Error> {
        // In this order nothing falls between the backlog and the hints: what is committed from here on is hinted to
        // the mailbox, what was committed before is read from the store, and what is in both is told by its number.
        let place = self.enter(who, Kind::Device, service.now());
        // Boxed, because the task that connects goes on to wait: it would keep the room of a commit for good.
        let cursor = Box::pin(service.register(who, start)).await?;
        Ok(Session::new(service.clone(), who.clone(), place, cursor))
    }

    /// Follows a user's inbox from its newest entry on, the device's own entries included, without a window, a
    /// take-over or a notice of having caught up: for clients that know nothing of positions, such as the seed's.
    ///
    /// Following registers no device and moves no cursor. [`Session::handle`] acknowledges for the
    /// device of `who`. The first acknowledgement registers that device if it is new, with
    /// everything still held pending for it. [`AckTarget::UpTo`](crate::AckTarget::UpTo) then
    /// acknowledges all of that up to its number, also entries from before this session, which it
    /// never showed. [`Entries`](crate::AckTarget::Entries) and
    /// [`Messages`](crate::AckTarget::Messages) acknowledge what they name and nothing else.
    ///
    /// # Errors
    /// Those common to all calls of the service.
    pub async fn follow(&self, service: &Service, who: &Principal) -> Result<Session, Error> {
        let place = self.enter(who, Kind::Follower, service.now());
        let head = service.store().inbox(InboxQuery::of_head(who.user)).await?.head;
        Ok(Session::new(service.clone(), who.clone(), place, head))
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
    fn tell(&self, user: UserId, leave_out: Option<&DeviceId>, offer: impl Fn(&Mailbox)) -> Reach {
        let mut reach = Reach::Absent;
        for mailbox in self.shard(user).get(&user).into_iter().flatten() {
            offer(mailbox);
            if leave_out != Some(mailbox.device()) {
                reach = Reach::Connected;
            }
        }
        reach
    }

    fn enter(&self, who: &Principal, kind: Kind, now: Timestamp) -> Place {
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

    fn next_session(&self) -> SessionId {
        SessionId { node: self.inner.node, number: self.inner.begun.fetch_add(1, Ordering::Relaxed) }
    }

    fn shard(&self, user: UserId) -> MutexGuard<'_, Connections> {
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

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("connections", &self.connections()).finish()
    }
}

#[async_trait]
impl Notifier for Hub {
    async fn notify(&self, notifications: &[Notification]) -> Result<Vec<Reach>, NotifyError> {
        let deliver = |Notification { user, entry }: &Notification| {
            self.tell(*user, entry.origin.as_ref(), |mailbox| mailbox.offer(entry))
        };
        Ok(notifications.iter().map(deliver).collect())
    }

    async fn end_sessions(&self, order: &EndSessions) -> Disconnected {
        self.obey(order)
    }
}

/// A mailbox in the hub's table; dropping it takes the mailbox out.
struct Place {
    hub: Hub,
    user: UserId,
    mailbox: Arc<Mailbox>,
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
