//! The bytes that answers may take, for each user and for all users.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dm_core::UserId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit. Several permits are acquired as a `u32`, so a permit cannot be one byte.
const UNIT: usize = 1024;

/// Most answers of one user that are made at a time. An ordinary client asks for one after another;
/// more at once, over many connections, could keep all readers of a store busy.
const AT_ONCE: usize = 2;

/// The permits that all users share, and those of each user.
#[derive(Debug)]
pub(super) struct Budget {
    all: Pool,
    per_user: usize,
    /// The bytes of each user.
    users: Mutex<Users>,
    /// One permit for each user: to wait for `all`.
    turns: Mutex<Users>,
    /// [`AT_ONCE`] permits for each user: to make an answer.
    making: Mutex<Users>,
}

/// Permits of one answer, out of the user's own and out of all.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) of: UserId,
    pub(super) user: OwnedSemaphorePermit,
    pub(super) all: OwnedSemaphorePermit,
}

/// A semaphore, and the number of its permits in total.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    free: Arc<Semaphore>,
    most: u32,
}

/// The pools of users by user, only those in use: a request waits for a permit or holds one.
#[derive(Debug, Default)]
struct Users {
    pools: HashMap<UserId, Weak<Semaphore>>,
    /// The number of entries at which unused ones are removed next.
    sweep_at: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize, bytes_per_user: usize) -> Self {
        Self {
            all: Pool::new(bytes),
            per_user: bytes_per_user,
            users: Mutex::default(),
            turns: Mutex::default(),
            making: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) const fn all(&self) -> &Pool {
        &self.all
    }

    /// The pool of one user.
    pub(super) fn of(&self, user: UserId) -> Pool {
        Users::pool(&self.users, user, Pool::new(self.per_user))
    }

    /// Waits until an answer of a user may be made, for as long as the permit is held.
    pub(super) async fn begin(&self, user: UserId) -> Result<OwnedSemaphorePermit, AcquireError> {
        Users::pool(&self.making, user, Pool::new(AT_ONCE * UNIT)).take(UNIT).await
    }

    /// Waits for permits that all users share. Only one request of a user waits in this queue at a
    /// time, so that many requests of one user do not go before those of others.
    pub(super) async fn take_of_all(
        &self,
        user: UserId,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let _turn = Users::pool(&self.turns, user, Pool::new(UNIT)).take(UNIT).await?;
        self.all.clone().take(bytes).await
    }
}

impl Users {
    /// The pool of a user, which is `new` if there is none.
    fn pool(users: &Mutex<Self>, user: UserId, new: Pool) -> Pool {
        // Nothing panics while this is locked.
        let mut users = users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = users.pools.get(&user).and_then(Weak::upgrade) {
            return Pool { free, ..new };
        }
        if users.pools.len() >= users.sweep_at {
            users.pools.retain(|_, pool| pool.strong_count() > 0);
            users.sweep_at = (2 * users.pools.len()).max(64);
        }
        users.pools.insert(user, Arc::downgrade(&new.free));
        new
    }
}

impl Pool {
    fn new(bytes: usize) -> Self {
        // The clamp is at 512 GiB, beyond any real budget.
        let most = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX >> 3).clamp(1, u32::MAX >> 3);
        Self { free: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1))), most }
    }

    /// Bytes that are not acquired.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.free.available_permits() * UNIT
    }

    /// Acquires permits for `bytes`, or all permits if there are fewer. Requests are served in
    /// order.
    pub(super) async fn take(self, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.free.acquire_many_owned(units(bytes).min(self.most)).await
    }
}

impl Share {
    /// Returns the permits beyond `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let keep = usize::try_from(units(bytes)).unwrap_or(usize::MAX);
        for permit in [&mut self.user, &mut self.all] {
            drop(permit.split(permit.num_permits().saturating_sub(keep)));
        }
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn user(n: u8) -> UserId {
        UserId::from_stored([n; 32])
    }

    #[test]
    fn a_share_larger_than_the_pool_is_the_whole_pool() {
        let budget = Budget::new(10 * UNIT, 4 * UNIT);
        let whole = budget.all().clone().take(usize::MAX).now_or_never().unwrap().unwrap();
        assert_eq!(whole.num_permits(), 10);
        assert!(budget.all().clone().take(1).now_or_never().is_none());
    }

    #[test]
    fn users_have_pools_of_their_own_which_are_removed_when_unused() {
        let budget = Budget::new(10 * UNIT, 4 * UNIT);
        let ana = user(1);
        let all = budget.of(ana).take(4 * UNIT).now_or_never().unwrap().unwrap();
        assert!(budget.of(ana).take(1).now_or_never().is_none());
        assert!(budget.of(user(2)).take(1).now_or_never().is_some());
        drop(all);
        assert!(budget.of(ana).take(1).now_or_never().is_some());
        for n in 0..10_000_u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            drop(budget.of(UserId::from_stored(bytes)));
        }
        assert!(budget.users.lock().unwrap().pools.len() <= 64);
    }

    #[test]
    fn the_pool_of_a_user_with_a_share_is_kept_however_many_users_follow() {
        let budget = Budget::new(10 * UNIT, 4 * UNIT);
        let ana = user(1);
        let all = budget.of(ana).take(4 * UNIT).now_or_never().unwrap().unwrap();
        for n in 2..=200 {
            drop(budget.of(user(n)));
        }
        assert!(budget.of(ana).take(1).now_or_never().is_none(), "there is a second pool");
        drop(all);
    }

    #[test]
    fn only_one_request_of_a_user_waits_in_the_queue_of_all() {
        let budget = Budget::new(UNIT, UNIT);
        let held = budget.all().clone().take(UNIT).now_or_never().unwrap().unwrap();
        let mut ana = [(); 3].map(|()| Box::pin(budget.take_of_all(user(1), UNIT)));
        let mut bo = Box::pin(budget.take_of_all(user(2), UNIT));
        assert!(ana.iter_mut().all(|wait| wait.now_or_never().is_none()));
        assert!((&mut bo).now_or_never().is_none());
        drop(held);
        let [first, second, _] = &mut ana;
        let held = first.now_or_never().unwrap().unwrap();
        assert!(second.now_or_never().is_none());
        // Bo asked after Ana's three requests, and only one of them was ahead of his.
        drop(held);
        assert!(second.now_or_never().is_none());
        assert!(bo.now_or_never().is_some());
    }

    #[test]
    fn shrinking_returns_permits_of_both_kinds() {
        let budget = Budget::new(10 * UNIT, 8 * UNIT);
        let take = |pool: Pool| pool.take(8 * UNIT).now_or_never().unwrap().unwrap();
        let mut share =
            Share { of: user(1), user: take(budget.of(user(1))), all: take(budget.all().clone()) };
        share.shrink_to(UNIT + 1);
        assert_eq!((share.user.num_permits(), share.all.num_permits()), (2, 2));
        share.shrink_to(5 * UNIT);
        assert_eq!((share.user.num_permits(), share.all.num_permits()), (2, 2));
    }
}
