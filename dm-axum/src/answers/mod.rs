//! Long answers: lists, history and what is pending, within a budget of bytes until the connection
//! has taken them.
//!
//! A client that asks and does not read costs the memory of its answer for as long as its
//! connection lives. The budget bounds the sum, for each user and for the process. A request
//! without room waits for it, and is refused after [`Options::patience`](crate::Options::patience):
//! waiting costs a parked task, and most answers are written within milliseconds. Every request is
//! worked on in a task of its own, so that a connection which is not polled keeps no permit from
//! anybody. Few answers of a user are made at a time, which leaves readers of the store to others.
//! An answer that is not read in time is dropped as soon as somebody else waits, also on a host
//! that gives its connections no write timeout.
//!
//! `pieces` is the JSON, `budget` the permits, `held` the answers that wait to be taken,
//! `unread` one of them, `frames` those that WebSockets say.

mod budget;
mod frames;
mod held;
mod pieces;
#[cfg(test)]
mod tests;
mod unread;

use std::future::Future;
use std::sync::Arc;

use axum::response::Response;
use dm_core::{Config, UserId};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::problem::{Kind, Problem};
use crate::router::Api;
pub(crate) use frames::{HeldFrame, Said, frame};
pub(crate) use held::Answers;
pub(crate) use pieces::Pieces;

/// Most bytes of a message in JSON without its payload: ids, names of fields, and a display name of
/// 128 characters that are all escaped.
const AROUND_PAYLOAD: usize = 1_536;

/// Makes an answer of what `read` gives, at most `most` bytes while it is made. Cancel safe:
/// dropping the future ends the work.
pub(crate) async fn answer(
    api: &Arc<Api>,
    user: UserId,
    most: usize,
    read: impl Future<Output = Result<Pieces, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let api = Arc::clone(api);
    in_task(async move {
        let (pieces, share) = api.answers.make(api.service.clock(), user, most, read).await?;
        Ok(Answers::hold(&api, pieces, share))
    })
    .await
}

/// Works on an answer in a task, which ends with this future: permits are given to those who do not
/// poll, too.
async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    // The set aborts the task when it is dropped.
    let mut task = JoinSet::new();
    task.spawn(work.in_current_span());
    let done = task.join_next().await.and_then(Result::ok);
    done.unwrap_or_else(|| Err(Problem::new(Kind::Unavailable, "the answer could not be made")))
}

/// Most bytes that an answer takes while it is made of a page of messages: the page, and the JSON
/// with its payloads in base64.
pub(crate) fn room_of_messages(config: &Config, messages: usize, page_bytes: usize) -> usize {
    // A page ends after the message that goes past its bytes.
    let payloads = page_bytes
        .saturating_add(config.max_payload)
        .min(messages.saturating_mul(config.max_payload.saturating_add(AROUND_PAYLOAD)));
    let base64 = payloads.div_ceil(3).saturating_mul(4);
    payloads.saturating_add(base64).saturating_add(messages.saturating_mul(AROUND_PAYLOAD))
}
