//! Work in a separate task, which runs also if its caller is not polled.

use std::future::Future;

use dm_core::store::{StoreError, StoreErrorKind};
use tokio::task::JoinSet;

/// Runs work in a separate task. The task is cancelled when this future is dropped.
///
/// The future of a request may stay unpolled for a long time, if the client reads its answers
/// slowly. If such a future holds a lock or a connection of a pool, all other requests wait for it.
/// A task does not.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(panicked)) => Err(StoreError::new(StoreErrorKind::Engine, panicked)),
        None => Err(StoreErrorKind::Closed.into()),
    }
}
