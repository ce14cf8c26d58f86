//! [`websocket_frame`] builds an answer on a WebSocket and keeps it until its connection writes it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use dm_core::UserId;
use dm_proto::{Envelope, prost::Message as _};

use super::budget::AnswerPermits;
use super::reader::AnswerReader;
use super::state::Answers;
use super::task::run_in_task;
use super::unread_answer::UnreadAnswer;
use crate::problem::{Kind, Problem};

/// An encoded answer that is not written yet. It may be dropped when another request waits for its
/// bytes. Dropping this value returns the permits to the budget.
pub(crate) struct UnwrittenFrame(AnswerReader);

/// An answer that is being written. Dropping this value returns the permits to the budget.
pub(crate) struct TakenFrame {
    pub(crate) frame: Bytes,
    _permits: AnswerPermits,
}

/// Builds the frame from the result of `read`. `cost` is the maximum memory in bytes that the
/// answer takes while it is being built. Cancel safe: dropping the future stops the work.
pub(crate) async fn websocket_frame(
    answers: &Arc<Answers>,
    user: UserId,
    cost: usize,
    read: impl Future<Output = Result<Envelope, Problem>> + Send + 'static,
) -> Result<UnwrittenFrame, Problem> {
    let answers = Arc::clone(answers);
    run_in_task(async move {
        let encoded = async { Ok(Bytes::from(read.await?.encode_to_vec())) };
        let (frame, mut permits) = answers.build(user, cost, encoded).await?;
        let (bytes, pieces) = (frame.len(), VecDeque::from([frame]));
        permits.shrink_to(bytes);
        let unread = UnreadAnswer::new(pieces, bytes, permits, answers.now(), answers.patience);
        Ok(UnwrittenFrame(AnswerReader::new(&answers, unread)))
    })
    .await
}

impl UnwrittenFrame {
    /// Takes the answer to write it now. Fails if the answer was dropped because another request
    /// waited for its bytes.
    pub(crate) fn take(self) -> Result<TakenFrame, Problem> {
        let Some(UnreadAnswer { mut pieces, permits, .. }) = self.0.take_rest() else {
            return Err(Problem::new(Kind::Unavailable, "the answer was not read in time"));
        };
        Ok(TakenFrame { frame: pieces.pop_front().unwrap_or_default(), _permits: permits })
    }
}

impl Answers {
    /// The number of bytes in a user's pool that no answer holds.
    #[cfg(test)]
    pub(super) fn free_bytes_of(&self, user: UserId) -> usize {
        self.budget.user_pool(user).free_bytes()
    }

    /// The number of bytes in the shared pool that no answer holds.
    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.budget.shared().free_bytes()
    }
}
