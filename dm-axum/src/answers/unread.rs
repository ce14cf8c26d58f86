//! One answer that its connection has not taken yet.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::budget::Share;

/// How much longer an answer may be held in total with each piece that is taken. A piece has 32
/// KiB, so a client that reads 32 KiB per second keeps its answer.
pub(super) const PER_PIECE: Duration = Duration::from_secs(1);

/// The time after which an answer of which nothing was taken counts as stalled, while others wait
/// for the budget of all users. Shorter than [`Options::patience`](crate::Options::patience), after
/// which those are refused.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// An answer, or the rest of it.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) pieces: VecDeque<Bytes>,
    /// Bytes of the pieces.
    pub(super) left: usize,
    pub(super) share: Share,
    /// The time from which on any request that waits drops the answer:
    /// [`Options::patience`](crate::Options::patience) after the last piece was taken, but no later
    /// than `latest`. A stalled answer may be dropped earlier.
    pub(super) until: Timestamp,
    /// [`Options::patience`](crate::Options::patience) after the answer was made, plus
    /// [`PER_PIECE`] for each piece that was taken.
    pub(super) latest: Timestamp,
    /// The time at which a piece was taken last, or the answer was made.
    pub(super) taken_at: Timestamp,
}

impl Unread {
    pub(super) fn new(
        pieces: VecDeque<Bytes>,
        left: usize,
        share: Share,
        now: Timestamp,
        patience: Duration,
    ) -> Self {
        let until = now.after(patience);
        Self { pieces, left, share, until, latest: until, taken_at: now }
    }

    pub(super) fn is_stalled(&self, now: Timestamp) -> bool {
        self.taken_at.after(STALLED_AFTER) <= now
    }
}
