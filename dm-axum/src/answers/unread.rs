//! One answer that its connection has not taken yet, and the connection's end of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::budget::Share;
use super::held::less;
use crate::router::Api;

/// How much longer an answer may be held in all with every piece that is taken: 32 KiB a second is
/// slow, and not a standstill.
const PER_PIECE: Duration = Duration::from_secs(1);

/// How long an answer may stand still while others wait for what all users share. Shorter than
/// [`Options::patience`], within which those who wait are refused.
pub(super) const STANDSTILL: Duration = Duration::from_secs(2);

/// The rest of an answer.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) left: usize,
    pub(super) share: Share,
    /// Until when it is held in any case: [`Options::patience`] from the last piece on, and not
    /// past `latest`.
    pub(super) until: Timestamp,
    latest: Timestamp,
    /// The time at which it was made, or a piece was taken last.
    moved: Timestamp,
}

/// One answer on its way to its connection. Dropping it drops what is left of the answer.
pub(super) struct Reading {
    api: Arc<Api>,
    id: u64,
    over: bool,
}

/// The answer was dropped, because it was not read and others waited.
#[derive(Debug)]
pub(super) struct NotRead;

impl Unread {
    pub(super) fn new(
        pieces: VecDeque<Bytes>,
        left: usize,
        share: Share,
        now: Timestamp,
        patience: Duration,
    ) -> Self {
        let until = now.after(patience);
        Self { pieces, left, share, until, latest: until, moved: now }
    }

    pub(super) fn stands_still(&self, now: Timestamp) -> bool {
        self.moved.after(STANDSTILL) <= now
    }
}

impl Reading {
    pub(super) fn new(api: &Arc<Api>, unread: Unread) -> Self {
        Self { api: Arc::clone(api), id: api.answers.insert(unread), over: false }
    }

    /// All that is left, unless it was dropped.
    pub(super) fn take(&self) -> Option<Unread> {
        let unread = self.api.answers.lock().by_id.remove(&self.id)?;
        less(unread.left);
        Some(unread)
    }

    /// The next piece, which the connection has from here on.
    pub(super) fn next(&mut self) -> Option<Result<Bytes, NotRead>> {
        if self.over {
            return None;
        }
        let (now, answers) = (self.api.service.clock().now(), &self.api.answers);
        let mut held = answers.lock();
        let piece = held.by_id.get_mut(&self.id).map(|unread| {
            let piece = unread.pieces.pop_front().unwrap_or_default();
            unread.left -= piece.len();
            unread.share.shrink_to(unread.left);
            unread.moved = now;
            unread.latest = unread.latest.after(PER_PIECE);
            unread.until = now.after(answers.patience).min(unread.latest);
            self.over = unread.pieces.is_empty();
            piece
        });
        if self.over {
            held.by_id.remove(&self.id);
        }
        drop(held);
        let Some(piece) = piece else {
            self.over = true;
            return Some(Err(NotRead));
        };
        less(piece.len());
        Some(Ok(piece))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl std::fmt::Display for NotRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was not read in time")
    }
}

impl std::error::Error for NotRead {}
