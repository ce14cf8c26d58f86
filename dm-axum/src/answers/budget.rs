//! [`Budget`]: permits for the bytes that answers may take. There is a pool of permits for each
//! user and a pool that all users share. An answer needs permits from both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dm_core::UserId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The number of bytes of one permit. A semaphore counts the permits of one request in a `u32`.
/// With permits for single bytes, no request could exceed 4 GiB.
const PERMIT_BYTES: usize = 1024;

/// Maximum number of answers of one user that are built at a time. An ordinary client requests one
/// answer after another. A user with many requests at a time could occupy all readers of a store.
const MAX_CONCURRENT: usize = 2;

/// The shared pool of permits, and the pools of each user.
#[derive(Debug)]
pub(super) struct Budget {
    /// The byte permits that all users share.
    shared: Pool,
    /// The size in bytes of each pool in `user_pools`.
    bytes_per_user: usize,
    /// A pool of byte permits for each user.
    user_pools: Mutex<UserPools>,
    /// A pool of one permit for each user. A request has to hold the permit while it waits for
    /// permits of `shared`.
    shared_queue: Mutex<UserPools>,
    /// A pool of [`MAX_CONCURRENT`] permits for each user. A request has to hold one of them while
    /// its answer is built.
    in_progress: Mutex<UserPools>,
}

/// The permits that one answer holds, which return to their pools when the value is dropped.
#[derive(Debug)]
pub(super) struct AnswerPermits {
    /// The user who requested the answer.
    pub(super) owner: UserId,
    /// The permits from the user's pool.
    pub(super) user_permits: OwnedSemaphorePermit,
    /// The permits from the shared pool.
    pub(super) shared_permits: OwnedSemaphorePermit,
}

/// A semaphore that knows its total number of permits.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    semaphore: Arc<Semaphore>,
    /// The number of permits, both acquired and available.
    total_permits: u32,
}

/// One semaphore per user. The map does not keep a semaphore alive: it is freed as soon as no
/// request holds its permits or waits for them. The map's entry for it is removed later.
#[derive(Debug, Default)]
struct UserPools {
    by_user: HashMap<UserId, Weak<Semaphore>>,
    /// The number of users in the map at which the entries of freed semaphores are removed.
    sweep_at: usize,
}

impl Budget {
    /// A budget of `bytes` in total and `bytes_per_user` for each user.
    pub(super) fn new(bytes: usize, bytes_per_user: usize) -> Self {
        Self {
            shared: Pool::new(bytes),
            bytes_per_user,
            user_pools: Mutex::default(),
            shared_queue: Mutex::default(),
            in_progress: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) const fn shared(&self) -> &Pool {
        &self.shared
    }

    /// Returns the pool of byte permits of one user.
    pub(super) fn user_pool(&self, user: UserId) -> Pool {
        UserPools::get_or_insert(&self.user_pools, user, Pool::new(self.bytes_per_user))
    }

    /// Waits until the user may build another answer. The caller holds the returned permit while it
    /// builds the answer.
    pub(super) async fn acquire_slot(&self, user: UserId) -> Result<OwnedSemaphorePermit, AcquireError> {
        // A `Pool` takes numbers of bytes, so one permit is `PERMIT_BYTES`.
        let pool = Pool::new(MAX_CONCURRENT * PERMIT_BYTES);
        UserPools::get_or_insert(&self.in_progress, user, pool).acquire(PERMIT_BYTES).await
    }

    /// Waits for permits of the shared pool for `bytes`. The pool serves waiting requests in order.
    /// At most one request of each user waits there at a time, so that many requests of one user do
    /// not delay the requests of other users.
    pub(super) async fn acquire_shared(
        &self,
        user: UserId,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let pool = UserPools::get_or_insert(&self.shared_queue, user, Pool::new(PERMIT_BYTES));
        let _only_waiter = pool.acquire(PERMIT_BYTES).await?;
        self.shared.clone().acquire(bytes).await
    }
}

impl UserPools {
    /// Returns the pool of a user. Inserts `new` if the user has none.
    fn get_or_insert(pools: &Mutex<Self>, user: UserId, new: Pool) -> Pool {
        // No code that can panic runs under the lock, so the map is consistent even if the lock is
        // poisoned.
        let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = pools.by_user.get(&user).and_then(Weak::upgrade) {
            return Pool { semaphore, ..new };
        }
        if pools.by_user.len() >= pools.sweep_at {
            pools.by_user.retain(|_, semaphore| semaphore.strong_count() > 0);
            pools.sweep_at = (2 * pools.by_user.len()).max(64);
        }
        pools.by_user.insert(user, Arc::downgrade(&new.semaphore));
        new
    }
}

impl Pool {
    /// A pool for `bytes`, rounded down to whole permits, with at least one permit.
    fn new(bytes: usize) -> Self {
        // Tokio's semaphore accepts at most `usize::MAX >> 3` permits. On a 32-bit system, that is
        // `u32::MAX >> 3`. These permits stand for 512 GiB, which is more than any real budget.
        let max = u32::MAX >> 3;
        let total_permits = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(max).clamp(1, max);
        let semaphore = Arc::new(Semaphore::new(usize::try_from(total_permits).unwrap_or(1)));
        Self { semaphore, total_permits }
    }

    /// The number of bytes that are not acquired.
    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.semaphore.available_permits() * PERMIT_BYTES
    }

    /// Waits for permits for `bytes`, or for all permits if the pool is smaller than that. Requests
    /// are served in the order in which their futures are first polled.
    pub(super) async fn acquire(self, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.semaphore.acquire_many_owned(permits_for(bytes).min(self.total_permits)).await
    }
}

impl AnswerPermits {
    /// Keeps permits for `bytes` of both pools, and returns the other permits. If fewer permits are
    /// held, all are kept.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let keep = usize::try_from(permits_for(bytes)).unwrap_or(usize::MAX);
        for permit in [&mut self.user_permits, &mut self.shared_permits] {
            drop(permit.split(permit.num_permits().saturating_sub(keep)));
        }
    }
}

/// The number of permits for `bytes`, rounded up.
fn permits_for(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn user(n: u8) -> UserId {
        UserId::from_stored([n; 32])
    }

    #[test]
    fn a_request_larger_than_the_pool_gets_the_whole_pool() {
        let budget = Budget::new(10 * PERMIT_BYTES, 4 * PERMIT_BYTES);
        let whole = budget.shared().clone().acquire(usize::MAX).now_or_never().unwrap().unwrap();
        assert_eq!(whole.num_permits(), 10);
        assert!(budget.shared().clone().acquire(1).now_or_never().is_none());
    }

    #[test]
    fn each_user_has_a_pool_and_unused_pools_are_removed() {
        let budget = Budget::new(10 * PERMIT_BYTES, 4 * PERMIT_BYTES);
        let ana = user(1);
        let held = budget.user_pool(ana).acquire(4 * PERMIT_BYTES).now_or_never().unwrap().unwrap();
        assert!(budget.user_pool(ana).acquire(1).now_or_never().is_none());
        assert!(budget.user_pool(user(2)).acquire(1).now_or_never().is_some());
        drop(held);
        assert!(budget.user_pool(ana).acquire(1).now_or_never().is_some());
        for n in 0..10_000_u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            drop(budget.user_pool(UserId::from_stored(bytes)));
        }
        assert!(budget.user_pools.lock().unwrap().by_user.len() <= 64);
    }

    #[test]
    fn a_pool_with_acquired_permits_is_not_removed() {
        let budget = Budget::new(10 * PERMIT_BYTES, 4 * PERMIT_BYTES);
        let ana = user(1);
        let held = budget.user_pool(ana).acquire(4 * PERMIT_BYTES).now_or_never().unwrap().unwrap();
        for n in 2..=200 {
            drop(budget.user_pool(user(n)));
        }
        assert!(budget.user_pool(ana).acquire(1).now_or_never().is_none(), "the user has a second pool");
        drop(held);
    }

    #[test]
    fn only_one_request_per_user_waits_in_the_shared_queue() {
        let budget = Budget::new(PERMIT_BYTES, PERMIT_BYTES);
        let held = budget.shared().clone().acquire(PERMIT_BYTES).now_or_never().unwrap().unwrap();
        let mut ana = [(); 3].map(|()| Box::pin(budget.acquire_shared(user(1), PERMIT_BYTES)));
        let mut bo = Box::pin(budget.acquire_shared(user(2), PERMIT_BYTES));
        assert!(ana.iter_mut().all(|wait| wait.now_or_never().is_none()));
        assert!((&mut bo).now_or_never().is_none());
        drop(held);
        let [first, second, _] = &mut ana;
        let held = first.now_or_never().unwrap().unwrap();
        assert!(second.now_or_never().is_none());
        // Bo requested after Ana's three requests, but only one of Ana's requests was served
        // before.
        drop(held);
        assert!(second.now_or_never().is_none());
        assert!(bo.now_or_never().is_some());
    }

    #[test]
    fn shrinking_returns_permits_to_both_pools() {
        let budget = Budget::new(10 * PERMIT_BYTES, 8 * PERMIT_BYTES);
        let acquire = |pool: Pool| pool.acquire(8 * PERMIT_BYTES).now_or_never().unwrap().unwrap();
        let mut permits = AnswerPermits {
            owner: user(1),
            user_permits: acquire(budget.user_pool(user(1))),
            shared_permits: acquire(budget.shared().clone()),
        };
        permits.shrink_to(PERMIT_BYTES + 1);
        assert_eq!((permits.user_permits.num_permits(), permits.shared_permits.num_permits()), (2, 2));
        permits.shrink_to(5 * PERMIT_BYTES);
        assert_eq!((permits.user_permits.num_permits(), permits.shared_permits.num_permits()), (2, 2));
    }
}
