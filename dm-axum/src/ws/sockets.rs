//! How many WebSockets each user has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_core::UserId;

/// Counts open WebSockets, so that no user has without bound.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    most: usize,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One open WebSocket; dropping it gives its place back.
#[derive(Debug)]
pub(super) struct Place {
    sockets: Sockets,
    user: UserId,
}

impl Sockets {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// A place for one more, or `None` when the user has as many as they may.
    pub(super) fn take(&self, user: UserId) -> Option<Place> {
        let mut open = self.lock();
        let count = open.get(&user).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        open.insert(user, count + 1);
        drop(open);
        metrics::gauge!("dm_websockets").increment(1);
        Some(Place { sockets: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        // Nothing panics while the counts are locked; a poisoned map is whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("dm_websockets").decrement(1);
        let mut open = self.sockets.lock();
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_it_is_dropped() {
        let user: UserId =
            "5866666666666666666666666666666666666666666666666666666666666666".parse().unwrap();
        let sockets = Sockets::new(2);
        let (first, second) = (sockets.take(user).unwrap(), sockets.take(user).unwrap());
        assert!(sockets.take(user).is_none());
        drop(first);
        let third = sockets.take(user).unwrap();
        drop((second, third));
        assert!(sockets.lock().is_empty());
    }
}
