//! Takes an unread answer for its connection.

use std::sync::Arc;

use axum::body::Bytes;

use super::held::{Answers, count_released};
use super::unread::{PER_PIECE, Unread};

/// Takes the pieces of one unread answer for its connection. Dropping the reader drops the rest of
/// the answer.
pub(super) struct AnswerReader {
    answers: Arc<Answers>,
    /// The number of the answer, from [`Answers::insert`].
    id: u64,
    /// Whether [`next`](Self::next) has returned the last piece or an error.
    over: bool,
}

/// The error of a reader whose answer was dropped: it was not read in time, and another request
/// waited for its bytes.
#[derive(Debug)]
pub(super) struct NotRead;

impl AnswerReader {
    pub(super) fn new(answers: &Arc<Answers>, unread: Unread) -> Self {
        Self { answers: Arc::clone(answers), id: answers.insert(unread), over: false }
    }

    /// Takes all pieces that are left. Returns `None` if the answer was dropped.
    pub(super) fn take(&self) -> Option<Unread> {
        let unread = self.answers.lock().by_id.remove(&self.id)?;
        count_released(unread.left);
        Some(unread)
    }

    /// Takes the next piece. Returns `None` after the last piece, and an error if the answer was
    /// dropped.
    pub(super) fn next(&mut self) -> Option<Result<Bytes, NotRead>> {
        if self.over {
            return None;
        }
        let now = self.answers.now();
        let mut held = self.answers.lock();
        let piece = held.by_id.get_mut(&self.id).map(|unread| {
            let piece = unread.pieces.pop_front().unwrap_or_default();
            unread.left -= piece.len();
            unread.share.shrink_to(unread.left);
            unread.taken_at = now;
            unread.latest = unread.latest.after(PER_PIECE);
            unread.until = now.after(self.answers.patience).min(unread.latest);
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
        count_released(piece.len());
        Some(Ok(piece))
    }
}

impl Drop for AnswerReader {
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
