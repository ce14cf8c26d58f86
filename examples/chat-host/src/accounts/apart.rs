//! Work that does not wait for its caller.

use std::future::Future;

use dm_core::store::{StoreError, StoreErrorKind};
use tokio::task::JoinSet;

/// Does work in a task of its own, which ends when this future is dropped.
///
/// A connection that is slow to take its answers may leave the future of a request unpolled for as
/// long as it likes. What such a future holds, or has been given while it waited, everybody else
/// waits for: a lock, a connection of a pool.
pub(super) async fn apart<T: Send + 'static>(
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
