//! The users, devices and times of a script, by number.

use std::sync::LazyLock;

use dm_core::store::{Principal, Timestamp, UserId};

use crate::build;

/// The names of the devices of a script, by number. The first is the default device.
pub const DEVICES: [&str; 3] = ["default", "phone", "desk"];

/// The number of users of a script.
pub(super) const USERS: u64 = 4;

/// The pairs of users. Each has two numbers for its conversation: twice its index here, and one
/// more.
pub(super) const PAIRS: [(u64, u64); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

/// The number of conversation numbers.
pub(super) const CONVERSATIONS: u64 = 2 * PAIRS.len() as u64;

/// The start time of every script, in milliseconds: late enough for the clock to jump back a day.
const START: i64 = 1_000_000_000;

/// A user on a device, both as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's number.
    pub user: u64,
    /// The device's index in [`DEVICES`].
    pub device: usize,
}

impl Who {
    /// The principal with these numbers.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal::new(nth_user(self.user), DEVICES[self.device].parse().expect("a device's name"))
    }
}

/// The *n*-th user, as [`build::user`] makes it. A table saves the arithmetic.
pub(super) fn nth_user(n: u64) -> UserId {
    static FIRST: LazyLock<Vec<UserId>> = LazyLock::new(|| (0..16).map(build::user).collect());
    usize::try_from(n).ok().and_then(|n| FIRST.get(n).copied()).unwrap_or_else(|| build::user(n))
}

/// The time so many milliseconds after the start of a script.
#[must_use]
pub(super) fn time(after_start: i64) -> Timestamp {
    Timestamp::from_millis((START.saturating_add(after_start)).max(0).cast_unsigned())
}

/// The milliseconds from the start of a script to a time: the inverse of [`time`].
#[must_use]
pub(super) fn after_start(time: Timestamp) -> i64 {
    time.as_millis().cast_signed() - START
}
