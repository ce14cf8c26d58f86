//! [`HubWatch`], with which a notifier between nodes learns which users connect, disconnect, or
//! have a new claim. A claim says that a session is the newest of its device (see
//! [`takeover`](super::takeover)).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::user::UserId;

/// A watch of users.
///
/// - A watch from [`Hub::watch`](super::Hub::watch) returns users whose first session started or
///   whose last session ended.
/// - A watch from [`Hub::watch_claims`](super::Hub::watch_claims) returns users with a new claim of
///   a device session.
///
/// A watch holds each user at most once, and no user who connected and disconnected since the last
/// call of [`changed`](Self::changed). So it holds at most the users who are connected now, and
/// those who were connected at the last call.
pub struct HubWatch {
    changes: Arc<Changes>,
}

/// The changes since the last call of [`HubWatch::changed`].
#[derive(Default)]
pub(super) struct Changes {
    /// Users who are connected now but were not at the last call, and users who were connected at
    /// the last call but are not now. In a watch of claims: users with new claims.
    users: Mutex<HashSet<UserId>>,
    /// Notified when a user was added. Only the watch waits for it.
    wake: Notify,
}

/// The watches of a hub.
#[derive(Default)]
pub(super) struct Watches(Mutex<Vec<Weak<Changes>>>);

impl HubWatch {
    /// Waits until the watch holds at least one user, and removes and returns all its users.
    /// [`Hub::is_connected`](super::Hub::is_connected) tells whether a user is connected now. A
    /// user who connects or disconnects after this call is returned by the next call.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Vec<UserId> {
        loop {
            let users = std::mem::take(&mut *lock(&self.changes.users));
            if !users.is_empty() {
                return users.into_iter().collect();
            }
            self.changes.wake.notified().await;
        }
    }
}

impl Watches {
    /// A watch that starts with the connected users. The caller holds the locks of all shards
    /// during this call.
    pub(super) fn new_watch(&self, connected: HashSet<UserId>) -> HubWatch {
        let changes = Arc::new(Changes { users: Mutex::new(connected), wake: Notify::new() });
        lock(&self.0).push(Arc::downgrade(&changes));
        HubWatch { changes }
    }

    /// Records that a user's first session started or the last one ended. The caller holds the lock
    /// of the user's shard during this call.
    pub(super) fn record_change(&self, user: UserId) {
        self.for_each(|changes| {
            let mut users = lock(&changes.users);
            // A second change cancels the first: the user is again as at the last call.
            if !users.remove(&user) {
                users.insert(user);
            }
        });
    }

    /// Adds a user to every watch.
    pub(super) fn add(&self, user: UserId) {
        self.for_each(|changes| {
            lock(&changes.users).insert(user);
        });
    }

    /// Removes a user from every watch.
    pub(super) fn remove(&self, user: UserId) {
        self.for_each(|changes| {
            lock(&changes.users).remove(&user);
        });
    }

    /// Calls `change` with the changes of every watch, wakes the watches, and removes the watches
    /// that were dropped.
    fn for_each(&self, change: impl Fn(&Changes)) {
        let update = |watch: &Weak<Changes>| {
            let changes = watch.upgrade()?;
            change(&changes);
            changes.wake.notify_one();
            Some(())
        };
        lock(&self.0).retain(|watch| update(watch).is_some());
    }
}

impl std::fmt::Debug for HubWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubWatch").field("changes", &lock(&self.changes.users).len()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks, so even a poisoned one is consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
