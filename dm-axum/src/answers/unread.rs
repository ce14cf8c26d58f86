//! One answer that its connection has not taken yet.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::budget::Share;

/// How much longer an answer may be held in all with every piece that is taken: 32 KiB a second is
/// slow, and not a standstill.
pub(super) const PER_PIECE: Duration = Duration::from_secs(1);

/// How long an answer may stand still while others wait for what all users share. Shorter than
/// [`Options::patience`], within which those who wait are refused.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// The rest of an answer.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) left: usize,
    pub(super) share: Share,
    /// Until when it is held in any case: [`Options::patience`] from the last piece on, and not
    /// past `latest`.
    pub(super) until: Timestamp,
    pub(super) latest: Timestamp,
    /// The time at which it was made, or a piece was taken last.
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
