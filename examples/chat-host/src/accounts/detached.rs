//! Work in a separate task, which runs even if its caller is not polled.

use std::future::Future;

use dm_core::store::{StoreError, StoreErrorKind};
use tokio::task::JoinSet;

/// Runs work in a separate task. The task is cancelled when this future is dropped.
///
/// If a client reads its answers slowly, the future of its request may stay unpolled for a long
/// time. If such a future holds a lock or a connection of a pool, all other requests wait for it. A
/// task is always polled, so it does not block them.
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
