//! Who came and who left: for what brings hints here from other nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::user::UserId;

/// Users whose first session came or whose last one went, from [`Hub::watch`](super::Hub::watch),
/// or users with a new device session, from [`Hub::watch_claims`](super::Hub::watch_claims).
///
/// It holds each user at most once, and none who came and went in between, so what it costs is bounded by the
/// connections there are and those there were when it was last asked.
pub struct HubWatch {
    changes: Arc<Changes>,
}

/// What a watch was not asked for yet.
#[derive(Default)]
pub(super) struct Changes {
    /// Users who are connected now and were not when the watch was last asked, or the other way
    /// round; or users with new device sessions.
    users: Mutex<HashSet<UserId>>,
    /// Rung when there are some. Only the watch waits for it.
    wake: Notify,
}

/// The watches of a hub.
#[derive(Default)]
pub(super) struct Watches(Mutex<Vec<Weak<Changes>>>);

impl HubWatch {
    /// Waits for users of whom there is something to tell, and takes them. Whether one is there now
    /// is for [`Hub::is_connected`](super::Hub::is_connected) to say; by then it may have changed
    /// again, and comes again.
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
    /// A watch that begins with the users there are. The caller keeps them from changing meanwhile.
    pub(super) fn begin(&self, connected: HashSet<UserId>) -> HubWatch {
        let changes = Arc::new(Changes { users: Mutex::new(connected), wake: Notify::new() });
        lock(&self.0).push(Arc::downgrade(&changes));
        HubWatch { changes }
    }

    /// A user's first session came, or the last one went. The caller keeps that from changing meanwhile.
    pub(super) fn changed(&self, user: UserId) {
        self.for_each(|changes| {
            let mut users = lock(&changes.users);
            if !users.remove(&user) {
                users.insert(user);
            }
        });
    }

    /// There is something to tell of a user.
    pub(super) fn add(&self, user: UserId) {
        self.for_each(|changes| {
            lock(&changes.users).insert(user);
        });
    }

    /// There is nothing to tell of a user any more.
    pub(super) fn remove(&self, user: UserId) {
        self.for_each(|changes| {
            lock(&changes.users).remove(&user);
        });
    }

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
    // Nothing panics while one of these is locked; a poisoned one is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
