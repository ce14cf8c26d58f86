//! [`rest_response`] builds the answer to a REST call and keeps it until the HTTP server has taken
//! it.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use dm_core::UserId;
use futures_util::stream;

use super::budget::AnswerPermits;
use super::pieces::Pieces;
use super::reader::AnswerReader;
use super::state::Answers;
use super::task::run_in_task;
use super::unread_answer::UnreadAnswer;
use crate::problem::Problem;

/// Builds the response from the result of `read`. `cost` is the maximum memory in bytes that the
/// answer takes while it is being built. Cancel safe: dropping the future stops the work.
pub(crate) async fn rest_response(
    answers: &Arc<Answers>,
    user: UserId,
    cost: usize,
    read: impl Future<Output = Result<Pieces, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let answers = Arc::clone(answers);
    run_in_task(async move {
        let (pieces, permits) = answers.build(user, cost, read).await?;
        Ok(streamed_response(&answers, pieces, permits))
    })
    .await
}

/// Returns the response whose body is `pieces`. The HTTP server takes them one after the other.
fn streamed_response(answers: &Arc<Answers>, pieces: Pieces, mut permits: AnswerPermits) -> Response {
    let body_bytes = pieces.len();
    let (mut pieces, header) = pieces.into_parts();
    let body = if pieces.len() <= 1 {
        // The HTTP server takes a body of one piece at once, so the answer is not kept here.
        Body::from(pieces.pop_front().unwrap_or_default())
    } else {
        permits.shrink_to(body_bytes);
        let unread = UnreadAnswer::new(pieces, body_bytes, permits, answers.now(), answers.patience);
        let mut reader = AnswerReader::new(answers, unread);
        Body::from_stream(stream::poll_fn(move |_| Poll::Ready(reader.next_piece())))
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body_bytes));
    headers.extend(header);
    response
}
