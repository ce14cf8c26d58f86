//! [`AnswerReader`] takes an unread answer for its connection.

use std::sync::Arc;

use axum::body::Bytes;

use super::state::{Answers, count_released};
use super::unread_answer::{EXTENSION_PER_PIECE, UnreadAnswer};

/// Takes the pieces of one unread answer for its connection. Dropping the reader drops the pieces
/// that it has not taken.
pub(super) struct AnswerReader {
    answers: Arc<Answers>,
    /// The number of the answer, from [`Answers::insert`].
    id: u64,
    /// Whether [`next_piece`](Self::next_piece) has returned the last piece or an error.
    is_finished: bool,
}

/// The answer was dropped: its connection did not read it in time, and another request waited for
/// its bytes.
#[derive(Debug)]
pub(super) struct AnswerDropped;

impl AnswerReader {
    pub(super) fn new(answers: &Arc<Answers>, unread: UnreadAnswer) -> Self {
        Self { answers: Arc::clone(answers), id: answers.insert(unread), is_finished: false }
    }

    /// Takes all pieces that are not taken yet. Returns `None` if the answer was dropped or is
    /// taken.
    pub(super) fn take_rest(&self) -> Option<UnreadAnswer> {
        let unread = self.answers.lock().by_id.remove(&self.id)?;
        count_released(unread.remaining_bytes);
        Some(unread)
    }

    /// Takes the next piece. Returns `None` after the last piece, and an error if the answer was
    /// dropped.
    pub(super) fn next_piece(&mut self) -> Option<Result<Bytes, AnswerDropped>> {
        if self.is_finished {
            return None;
        }
        let now = self.answers.now();
        let mut unread_answers = self.answers.lock();
        let piece = unread_answers.by_id.get_mut(&self.id).map(|unread| {
            let piece = unread.pieces.pop_front().unwrap_or_default();
            unread.remaining_bytes -= piece.len();
            unread.permits.shrink_to(unread.remaining_bytes);
            unread.last_read_at = now;
            unread.latest_expiry = unread.latest_expiry.after(EXTENSION_PER_PIECE);
            unread.expires_at = now.after(self.answers.patience).min(unread.latest_expiry);
            self.is_finished = unread.pieces.is_empty();
            piece
        });
        if self.is_finished {
            unread_answers.by_id.remove(&self.id);
        }
        drop(unread_answers);
        let Some(piece) = piece else {
            self.is_finished = true;
            return Some(Err(AnswerDropped));
        };
        count_released(piece.len());
        Some(Ok(piece))
    }
}

impl Drop for AnswerReader {
    fn drop(&mut self) {
        drop(self.take_rest());
    }
}

impl std::fmt::Display for AnswerDropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was not read in time")
    }
}

impl std::error::Error for AnswerDropped {}
