//! [`Answers`]: the unread answers of one API, and the budget of all its answers.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::{Service, Timestamp, UserId};
use futures_util::FutureExt as _;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};

use super::budget::{AnswerPermits, Budget};
use super::unread_answer::UnreadAnswer;
use crate::options::Options;
use crate::problem::{Kind, Problem};

/// The time between two attempts of a waiting request to drop unread answers. A dropped answer
/// frees permits for the request.
const DROP_INTERVAL: Duration = Duration::from_secs(1);

/// The unread answers of one API, and the budget of all its answers.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The service, whose clock is used.
    service: Service,
    pub(super) budget: Budget,
    /// The value of [`Options::patience`].
    pub(super) patience: Duration,
    unread: Mutex<UnreadAnswers>,
}

/// The answers that their connections have not taken yet, by the number that [`Answers::insert`]
/// returned.
#[derive(Debug, Default)]
pub(super) struct UnreadAnswers {
    pub(super) by_id: HashMap<u64, UnreadAnswer>,
    next_id: u64,
}

impl Answers {
    pub(crate) fn new(service: Service, options: &Options) -> Self {
        let budget = Budget::new(options.answer_bytes, options.answer_bytes_per_user);
        Self { service, budget, patience: options.patience, unread: Mutex::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.service.clock().now()
    }

    /// Builds an answer to a user with `work`. First waits until the budget has `bytes` free, and
    /// until fewer than two other answers to the user are being built. Refuses if the wait is too
    /// long.
    ///
    /// Call it in a separate task, which is always polled. The semaphores give permits in the order
    /// of requests, also to a future that is not polled and cannot use them.
    pub(super) async fn build<T>(
        &self,
        user: UserId,
        bytes: usize,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<(T, AnswerPermits), Problem> {
        // The permits of the user are acquired first. So a user with many requests waits for this
        // user's pool, and holds no shared permits.
        let permits = self.budget.user_pool(user).acquire(bytes);
        let user_permits = self.acquire(permits, "user", Kind::TooManyAnswers, Self::drop_expired).await?;
        let slot = self.budget.acquire_slot(user);
        let _slot = self.acquire(slot, "making", Kind::TooManyAnswers, Self::drop_expired).await?;
        let permits = self.budget.acquire_shared(user, bytes);
        let shared_permits = self.acquire(permits, "process", Kind::Unavailable, Self::drop_stalled).await?;
        Ok((work.await?, AnswerPermits { owner: user, user_permits, shared_permits }))
    }

    /// The number of bytes in all unread answers.
    #[cfg(test)]
    pub(super) fn unread_bytes(&self) -> usize {
        self.lock().by_id.values().map(|unread| unread.remaining_bytes).sum()
    }

    /// Waits for permits, and calls `drop_answers` regularly while it waits. Refuses with a problem
    /// of `kind` if the wait is too long. `pool` is the value of the label `budget` in the metric.
    async fn acquire(
        &self,
        permits: impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>>,
        pool: &'static str,
        kind: Kind,
        drop_answers: fn(&Self, Timestamp),
    ) -> Result<OwnedSemaphorePermit, Problem> {
        let refused = || {
            metrics::counter!("dm_answers_refused_total", "budget" => pool).increment(1);
            Problem::new(kind, "too many answers are being built or not read").with_retry_after(self.patience)
        };
        let clock = self.service.clock();
        let drop_regularly = async {
            loop {
                drop_answers(self, clock.now());
                clock.sleep(DROP_INTERVAL).await;
            }
        };
        let mut permits = pin!(permits);
        tokio::select! {
            biased;
            permits = &mut permits => return permits.map_err(|_| refused()),
            // An answer that is unread now expires within `patience` if it is not read. The wait is
            // one interval longer, so that an attempt to drop follows the expiry.
            () = clock.sleep(self.patience + DROP_INTERVAL) => {}
            () = drop_regularly => {}
        }
        // If the system did not run this task for a while, the timer of the wait may resolve before
        // an attempt that was due. That attempt is made now.
        drop_answers(self, clock.now());
        permits.now_or_never().and_then(Result::ok).ok_or_else(refused)
    }

    /// Drops all answers whose `expires_at` has passed.
    fn drop_expired(&self, now: Timestamp) {
        self.drop_where(|unread| unread.expires_at <= now);
    }

    /// Drops all answers whose `expires_at` has passed. Also drops stalled answers (nothing was
    /// read for two seconds): those of the user with the most bytes in stalled answers.
    fn drop_stalled(&self, now: Timestamp) {
        let mut bytes = HashMap::<UserId, usize>::new();
        for unread in self.lock().by_id.values().filter(|unread| unread.is_stalled(now)) {
            *bytes.entry(unread.permits.owner).or_default() += unread.remaining_bytes;
        }
        let heaviest = bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(user, _)| user);
        self.drop_where(|unread| {
            unread.expires_at <= now || (Some(unread.permits.owner) == heaviest && unread.is_stalled(now))
        });
    }

    /// Drops the answers for which `is_due` returns true.
    fn drop_where(&self, is_due: impl Fn(&UnreadAnswer) -> bool) {
        // The answers are collected first and dropped after the lock is released, so that the lock
        // is not held while their memory is freed.
        let dropped: Vec<_> = self.lock().by_id.extract_if(|_, unread| is_due(unread)).collect();
        for (_, unread) in dropped {
            metrics::counter!("dm_answers_dropped_total").increment(1);
            count_released(unread.remaining_bytes);
        }
    }

    /// Keeps an answer until its reader takes it, or until it is dropped. Returns its number, with
    /// which the reader finds it.
    pub(super) fn insert(&self, unread: UnreadAnswer) -> u64 {
        metrics::gauge!("dm_answer_bytes").increment(gauge_value(unread.remaining_bytes));
        let mut unread_answers = self.lock();
        let id = unread_answers.next_id;
        unread_answers.next_id += 1;
        unread_answers.by_id.insert(id, unread);
        id
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, UnreadAnswers> {
        // No code that can panic runs under the lock, so the map is consistent even if the lock is
        // poisoned.
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Subtracts bytes that were read or dropped from the gauge of unread bytes.
pub(super) fn count_released(bytes: usize) {
    metrics::gauge!("dm_answer_bytes").decrement(gauge_value(bytes));
}

fn gauge_value(bytes: usize) -> f64 {
    // An `f64` holds every `u32` exactly. One answer has fewer than 2^32 bytes.
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use dm_core::MemoryStore;
    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;
    use crate::answers::budget::Pool;
    use crate::answers::unread_answer::STALLED_AFTER;

    const KIB: usize = 1024;

    fn user(n: u8) -> UserId {
        UserId::from_stored([n; 32])
    }

    fn answers() -> Answers {
        let service = Service::builder(MemoryStore::new()).start().unwrap();
        Answers::new(service, &Options::default())
    }

    /// Inserts an answer of `bytes` to user `n`, of which nothing is read. Returns its number.
    fn hold(answers: &Answers, n: u8, bytes: usize, now: Timestamp) -> u64 {
        let acquire = |pool: Pool| pool.acquire(bytes).now_or_never().unwrap().unwrap();
        let permits = AnswerPermits {
            owner: user(n),
            user_permits: acquire(answers.budget.user_pool(user(n))),
            shared_permits: acquire(answers.budget.shared().clone()),
        };
        answers.insert(UnreadAnswer::new(VecDeque::new(), bytes, permits, now, answers.patience))
    }

    #[tokio::test]
    async fn the_stalled_answers_of_the_user_with_the_most_bytes_in_them_are_dropped() {
        let answers = answers();
        let begin = Timestamp::from_millis(1_000_000);
        let one_each: Vec<_> = (1..=20).map(|n| hold(&answers, n, 4 * KIB, begin)).collect();
        let _two = [hold(&answers, 21, 3 * KIB, begin), hold(&answers, 21, 3 * KIB, begin)];
        let now = begin.after(STALLED_AFTER);
        let read_lately = [hold(&answers, 22, 9 * KIB, now), hold(&answers, 21, KIB, now)];
        answers.drop_stalled(now);
        let mut kept: Vec<_> = answers.lock().by_id.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [&one_each[..], &read_lately[..]].concat());
    }

    #[tokio::test]
    async fn the_gauge_shows_the_bytes_of_unread_answers() {
        let gauge = OneGauge::default();
        let shown = || f64::from_bits(gauge.0.load(Ordering::Relaxed));
        metrics::with_local_recorder(&gauge, || {
            let answers = answers();
            let begin = Timestamp::from_millis(1_000_000);
            hold(&answers, 1, 3 * KIB, begin);
            hold(&answers, 2, 2 * KIB, begin.after(STALLED_AFTER));
            assert_eq!(shown(), 5.0 * 1024.0);
            answers.drop_stalled(begin.after(STALLED_AFTER));
            assert_eq!(shown(), 2.0 * 1024.0);
        });
    }

    /// A metrics recorder with one gauge for all names. The test sets only one gauge.
    #[derive(Default)]
    struct OneGauge(Arc<AtomicU64>);

    impl Recorder for OneGauge {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::clone(&self.0))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }
}
