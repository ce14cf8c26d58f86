//! [`Sockets`] limits the open WebSockets of each user, and the rate at which a user opens them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::{Timestamp, UserId};

use crate::Options;

/// Minimum number of users in the map at which unused entries are removed. Smaller maps take little
/// memory.
const MIN_SWEEP_SIZE: usize = 1_024;

/// Counts the WebSockets of each user, and refuses those beyond the limits.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    /// The value of [`Options::sockets_per_user`].
    max_open: usize,
    /// The value of [`Options::socket_interval`].
    interval: Duration,
    users: Arc<Mutex<Users>>,
}

/// One open WebSocket of a user. It counts for the user's limit until it is dropped.
#[derive(Debug)]
pub(super) struct OpenSocket {
    sockets: Sockets,
    user: UserId,
}

/// The reason why a user may not open another WebSocket now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OpenRefused {
    /// The user has the maximum number of WebSockets open.
    TooMany,
    /// The user opened WebSockets too fast. The user may open the next one after this time.
    TooSoon(Duration),
}

#[derive(Debug)]
struct Users {
    by_id: HashMap<UserId, UserSockets>,
    /// The number of users in the map at which unused entries are removed.
    sweep_at: usize,
}

/// The number of open WebSockets of a user, and the rate at which the user opened them.
#[derive(Debug)]
struct UserSockets {
    open_count: usize,
    /// The time from which on the user may open the maximum number of WebSockets at once. Each
    /// opened WebSocket moves this time later by one interval. (It is the "theoretical arrival
    /// time" of the generic cell rate algorithm.)
    credit_full_at: Timestamp,
}

impl Sockets {
    pub(crate) fn new(options: &Options) -> Self {
        let users = Users { by_id: HashMap::new(), sweep_at: MIN_SWEEP_SIZE };
        Self {
            max_open: options.sockets_per_user,
            interval: options.socket_interval,
            users: Arc::new(Mutex::new(users)),
        }
    }

    /// Counts another WebSocket of a user. Refuses if the user has too many open WebSockets or
    /// opens them too fast. A refusal does not count.
    pub(super) fn open(&self, user: UserId, now: Timestamp) -> Result<OpenSocket, OpenRefused> {
        let mut users = self.lock();
        users.sweep(now);
        let sockets = users.by_id.entry(user).or_insert(UserSockets { open_count: 0, credit_full_at: now });
        if sockets.open_count >= self.max_open {
            return Err(OpenRefused::TooMany);
        }
        let burst = self.interval.saturating_mul(u32::try_from(self.max_open).unwrap_or(u32::MAX));
        let latest = now.after(burst);
        // At least `now`: time in which the user opened no WebSocket does not add up beyond the
        // maximum number. At most `latest`, the value after a user has just opened the maximum
        // number: after the clock was set back, `credit_full_at` may be later than that.
        sockets.credit_full_at = sockets.credit_full_at.clamp(now, latest);
        let credit_full_at = sockets.credit_full_at.after(self.interval);
        if credit_full_at > latest {
            let millis = credit_full_at.as_millis() - latest.as_millis();
            return Err(OpenRefused::TooSoon(Duration::from_millis(millis)));
        }
        *sockets = UserSockets { open_count: sockets.open_count + 1, credit_full_at };
        drop(users);
        metrics::gauge!("dm_websockets").increment(1);
        Ok(OpenSocket { sockets: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, Users> {
        // No code that can panic runs under the lock, so the map is consistent even if the lock is
        // poisoned.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users {
    /// Removes the users without open WebSockets who may open the maximum number at once. To keep
    /// the average cost of a call constant, it does nothing until the map has twice as many users
    /// as after the last removal.
    fn sweep(&mut self, now: Timestamp) {
        if self.by_id.len() >= self.sweep_at {
            self.by_id.retain(|_, sockets| sockets.open_count > 0 || sockets.credit_full_at > now);
            self.sweep_at = MIN_SWEEP_SIZE.max(2 * self.by_id.len());
        }
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        metrics::gauge!("dm_websockets").decrement(1);
        if let Some(sockets) = self.sockets.lock().by_id.get_mut(&self.user) {
            sockets.open_count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::{EdwardsPoint, Scalar};

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    fn two_at_once() -> Sockets {
        Sockets::new(&Options { sockets_per_user: 2, socket_interval: INTERVAL, ..Options::default() })
    }

    fn user(n: u64) -> UserId {
        UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_dropped_socket_is_not_counted() {
        let sockets = two_at_once();
        let (first, _second) = (sockets.open(user(1), at(0)).unwrap(), sockets.open(user(1), at(0)).unwrap());
        assert_eq!(sockets.open(user(1), at(9_999)).unwrap_err(), OpenRefused::TooMany);
        let _of_another = sockets.open(user(2), at(9_999)).unwrap();
        drop(first);
        sockets.open(user(1), at(9_999)).unwrap();
    }

    #[test]
    fn at_the_limit_a_user_opens_one_more_websocket_per_interval() {
        let sockets = two_at_once();
        let open = |millis| sockets.open(user(1), at(millis)).map(drop);
        assert_eq!([open(1_000), open(1_000)], [Ok(()), Ok(())]);
        assert_eq!(open(1_000), Err(OpenRefused::TooSoon(INTERVAL)));
        assert_eq!(
            open(1_499),
            Err(OpenRefused::TooSoon(Duration::from_millis(1))),
            "a refusal costs nothing"
        );
        assert_eq!(open(1_500), Ok(()));
        assert_eq!(open(1_999), Err(OpenRefused::TooSoon(Duration::from_millis(1))));
        assert_eq!([open(9_000), open(9_000)], [Ok(()), Ok(())]);
        assert!(open(9_000).is_err(), "unused intervals do not add up");
    }

    #[test]
    fn a_clock_that_is_set_back_delays_the_next_websocket_by_one_interval() {
        let sockets = two_at_once();
        sockets.open(user(1), at(100_000)).unwrap();
        assert_eq!(sockets.open(user(1), at(1_000)).unwrap_err(), OpenRefused::TooSoon(INTERVAL));
        sockets.open(user(1), at(1_500)).unwrap();
    }

    #[test]
    fn a_user_without_websockets_and_with_full_credit_is_removed() {
        let sockets = two_at_once();
        sockets.open(user(9), at(0)).unwrap();
        sockets.open(user(8), at(9_000)).unwrap();
        assert_eq!(sockets.lock().by_id.len(), 2, "so few are not checked");

        let sockets = two_at_once();
        sockets.lock().sweep_at = 3;
        let _open = sockets.open(user(1), at(0)).unwrap();
        sockets.open(user(2), at(0)).unwrap();
        sockets.open(user(3), at(1)).unwrap();
        sockets.open(user(4), at(500)).unwrap();
        let users = sockets.lock();
        let kept = [1, 2, 3, 4].map(|n| users.by_id.contains_key(&user(n)));
        assert_eq!((kept, users.sweep_at), ([true, false, true, true], MIN_SWEEP_SIZE));
    }
}
