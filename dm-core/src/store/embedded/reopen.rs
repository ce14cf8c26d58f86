//! [`reopen`], which opens an engine again after a failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::shared::{Signal, WatchedReader};
use crate::store::error::StoreError;

/// A function that opens an engine again and returns its new writer and reader.
pub(super) type OpenEngine<W, R> = Box<dyn FnMut() -> Result<(W, R), StoreError> + Send>;

/// Maximum time to wait for running reads before the first attempt. An engine that locks its files
/// cannot open while a read uses the old reader.
const READS_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after the first failed attempt. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Maximum pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// The result of reopening.
pub(super) enum Reopened<W, R> {
    /// The new writer and reader.
    Open(W, R),
    /// The engine panicked.
    Panicked,
    /// The last handle of the store was dropped.
    Stopped,
}

/// Drops the old writer and reader, waits up to [`READS_TIMEOUT`] for running reads, and then tries
/// to open the engine. Returns when the engine opens or panics, or when the store is dropped. Runs
/// on a thread of its own.
pub(super) fn reopen<W, R>(
    old: (W, Option<Arc<WatchedReader<R>>>),
    open: &mut OpenEngine<W, R>,
    signals: &Receiver<Signal>,
) -> Reopened<W, R> {
    // Dropping closes the engine, which may take long. Meanwhile the commit thread does not wait,
    // but refuses commits.
    if catch_unwind(AssertUnwindSafe(|| drop(old))).is_err() {
        return Reopened::Panicked;
    }
    match signals.recv_timeout(READS_TIMEOUT) {
        Ok(Signal::ReaderGone) => {}
        Err(RecvTimeoutError::Timeout) => {
            tracing::warn!("a read is still running, and the store may not reopen before it ends");
        }
        Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Reopened::Stopped,
    }
    let mut pause = FIRST_PAUSE;
    loop {
        match catch_unwind(AssertUnwindSafe(&mut *open)) {
            Ok(Ok((writer, reader))) => return Reopened::Open(writer, reader),
            Ok(Err(error)) => {
                tracing::warn!(%error, cause = ?error, "the store could not be reopened, and another attempt follows");
            }
            Err(_) => return Reopened::Panicked,
        }
        match signals.recv_timeout(pause) {
            // The old reader was dropped after the timeout, so the next attempt may succeed.
            Ok(Signal::ReaderGone) => pause = FIRST_PAUSE,
            Err(RecvTimeoutError::Timeout) => pause = MAX_PAUSE.min(pause * 2),
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Reopened::Stopped,
        }
    }
}
