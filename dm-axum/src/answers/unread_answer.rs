//! [`UnreadAnswer`]: an answer that its connection has not taken completely.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::budget::AnswerPermits;

/// Each piece that is read extends the total time for which an answer is kept by this time. A piece
/// has 32 KiB, so a client that reads 32 KiB per second gets its whole answer.
pub(super) const EXTENSION_PER_PIECE: Duration = Duration::from_secs(1);

/// The time without a read after which an answer is stalled. A stalled answer may be dropped while
/// a request waits for the shared pool. The time is shorter than the default of
/// [`Options::patience`](crate::Options::patience) (10 s), so that the drop helps the waiting
/// request before it is refused.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// The part of an answer that its connection has not taken yet.
#[derive(Debug)]
pub(super) struct UnreadAnswer {
    pub(super) pieces: VecDeque<Bytes>,
    /// Total size of the pieces in bytes.
    pub(super) remaining_bytes: usize,
    /// The permits for the pieces.
    pub(super) permits: AnswerPermits,
    /// The time from which on any waiting request drops the answer:
    /// [`Options::patience`](crate::Options::patience) after the last read, but not later than
    /// `latest_expiry`. A stalled answer may be dropped earlier.
    pub(super) expires_at: Timestamp,
    /// The maximum of `expires_at`: [`Options::patience`](crate::Options::patience) after the
    /// answer was built, plus [`EXTENSION_PER_PIECE`] for each piece that was read.
    pub(super) latest_expiry: Timestamp,
    /// The time of the last read, or the time at which the answer was built.
    pub(super) last_read_at: Timestamp,
}

impl UnreadAnswer {
    pub(super) fn new(
        pieces: VecDeque<Bytes>,
        remaining_bytes: usize,
        permits: AnswerPermits,
        now: Timestamp,
        patience: Duration,
    ) -> Self {
        let expires_at = now.after(patience);
        Self { pieces, remaining_bytes, permits, expires_at, latest_expiry: expires_at, last_read_at: now }
    }

    /// Whether nothing was read for [`STALLED_AFTER`].
    pub(super) fn is_stalled(&self, now: Timestamp) -> bool {
        self.last_read_at.after(STALLED_AFTER) <= now
    }
}
