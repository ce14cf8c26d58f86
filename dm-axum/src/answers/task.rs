//! [`run_in_task`] runs the work on an answer in its own task.

use std::future::Future;

use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::problem::{Kind, Problem};

/// Runs `work` in its own task, and aborts the task when this future is dropped. A task is always
/// polled, while the future of a connection or a request may not be polled for a while. It would
/// then hold permits of the budget without using them.
pub(super) async fn run_in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    // The set aborts the task when it is dropped.
    let mut task = JoinSet::new();
    task.spawn(work.in_current_span());
    // The task fails only if the work panics.
    let done = task.join_next().await.and_then(Result::ok);
    done.unwrap_or_else(|| Err(Problem::new(Kind::Unavailable, "the answer could not be built")))
}
