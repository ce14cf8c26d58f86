//! The budget of answers: permits for the bytes that answers may take, in a pool for each user and
//! in a pool that all users share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dm_core::UserId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The number of bytes that one permit stands for. A semaphore counts the permits of one request in
/// a `u32`, so with permits for single bytes a request could not exceed 4 GiB.
const UNIT: usize = 1024;

/// Maximum number of answers of one user that are built at a time. An ordinary client requests one
/// after another. Many at a time, over many connections, could keep all readers of a store busy.
const AT_ONCE: usize = 2;

/// The shared pool, and the pools of each user.
#[derive(Debug)]
pub(super) struct Budget {
    /// The byte permits that all users share.
    all: Pool,
    /// The size in bytes of each user's pool in `users`.
    per_user: usize,
    /// The byte permits of each user.
    users: Mutex<Users>,
    /// Lets only one request per user wait for `all`.
    turns: Mutex<Users>,
    /// Limits each user to [`AT_ONCE`] answers being built at a time.
    making: Mutex<Users>,
}

/// The permits that one answer holds: from its user's pool and from the shared pool.
#[derive(Debug)]
pub(super) struct Share {
    /// The user whom the answer is for.
    pub(super) of: UserId,
    /// The permits from the user's pool.
    pub(super) user: OwnedSemaphorePermit,
    /// The permits from the shared pool.
    pub(super) all: OwnedSemaphorePermit,
}

/// A semaphore that knows its total number of permits.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    free: Arc<Semaphore>,
    /// The number of permits, both acquired and available.
    most: u32,
}

/// One semaphore per user, removed when no request holds or waits for its permits.
#[derive(Debug, Default)]
struct Users {
    pools: HashMap<UserId, Weak<Semaphore>>,
    /// Map size at which unused entries are removed.
    sweep_at: usize,
}

impl Budget {
    /// A budget of `bytes` in total and `bytes_per_user` for each user.
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

    /// Returns the byte permits of one user.
    pub(super) fn of(&self, user: UserId) -> Pool {
        Users::pool(&self.users, user, Pool::new(self.per_user))
    }

    /// Waits until the user may build another answer. The permit is to be held while the answer is
    /// being built.
    pub(super) async fn begin(&self, user: UserId) -> Result<OwnedSemaphorePermit, AcquireError> {
        Users::pool(&self.making, user, Pool::new(AT_ONCE * UNIT)).take(UNIT).await
    }

    /// Waits for permits of the shared pool. At most one request per user waits in that pool's
    /// queue, so that many requests of one user do not delay the requests of others.
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
    /// Returns the pool of a user. Inserts `new` if the user has none.
    fn pool(users: &Mutex<Self>, user: UserId, new: Pool) -> Pool {
        // Nothing panics while the lock is held, so a poisoned map is consistent.
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
    /// A pool for `bytes`, rounded down to whole permits, with at least one permit.
    fn new(bytes: usize) -> Self {
        // The upper bound is 512 GiB, which is more than any real budget.
        let most = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX >> 3).clamp(1, u32::MAX >> 3);
        Self { free: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1))), most }
    }

    /// The number of bytes that are not acquired.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.free.available_permits() * UNIT
    }

    /// Waits for permits for `bytes`, or for all permits if the pool is smaller. Requests are
    /// served in order.
    pub(super) async fn take(self, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.free.acquire_many_owned(units(bytes).min(self.most)).await
    }
}

impl Share {
    /// Keeps permits for `bytes`, and gives the other permits back to both pools.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let keep = usize::try_from(units(bytes)).unwrap_or(usize::MAX);
        for permit in [&mut self.user, &mut self.all] {
            drop(permit.split(permit.num_permits().saturating_sub(keep)));
        }
    }
}

/// The number of permits for `bytes`, rounded up.
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
        // Bo's request came after Ana's three requests, but only one of those was served before it.
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
