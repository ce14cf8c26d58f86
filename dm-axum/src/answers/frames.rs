//! The answers of WebSockets, which wait until their connection says them.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use dm_core::UserId;
use dm_proto::{Envelope, prost::Message as _};

use super::budget::Share;
use super::held::Answers;
use super::reader::AnswerReader;
use super::task::in_task;
use super::unread::Unread;
use crate::problem::{Kind, Problem};

/// An encoded answer that is not said yet. Dropping it gives its room back.
pub(crate) struct HeldFrame(AnswerReader);

/// An answer that is being said, and its room until then.
pub(crate) struct TakenFrame {
    pub(crate) frame: Bytes,
    _share: Share,
}

/// Makes an answer for a WebSocket of what `read` gives, at most `most` bytes while it is made.
/// Cancel safe: dropping the future ends the work.
pub(crate) async fn frame(
    answers: &Arc<Answers>,
    user: UserId,
    most: usize,
    read: impl Future<Output = Result<Envelope, Problem>> + Send + 'static,
) -> Result<HeldFrame, Problem> {
    let answers = Arc::clone(answers);
    in_task(async move {
        let encoded = async { Ok(Bytes::from(read.await?.encode_to_vec())) };
        let (frame, mut share) = answers.make(user, most, encoded).await?;
        let left = frame.len();
        share.shrink_to(left);
        let unread = Unread::new(VecDeque::from([frame]), left, share, answers.now(), answers.patience);
        Ok(HeldFrame(AnswerReader::new(&answers, unread)))
    })
    .await
}

impl HeldFrame {
    /// Takes the answer, to say it now; refused when it was dropped because others waited.
    pub(crate) fn take(self) -> Result<TakenFrame, Problem> {
        let Some(Unread { mut pieces, share, .. }) = self.0.take() else {
            return Err(Problem::new(Kind::Unavailable, "the answer was not read in time"));
        };
        Ok(TakenFrame { frame: pieces.pop_front().unwrap_or_default(), _share: share })
    }
}

impl Answers {
    /// Bytes of a user that are neither in work nor held.
    #[cfg(test)]
    pub(super) fn free_of(&self, user: UserId) -> usize {
        self.budget.of(user).free()
    }

    /// Likewise, of all users.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.budget.all().free()
    }
}
