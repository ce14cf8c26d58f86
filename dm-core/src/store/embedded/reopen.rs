//! Opening an engine again after it failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::shared::{WatchedReader, Signal};
use crate::store::error::StoreError;

/// Opens an engine again: both halves, anew.
pub(super) type Reopen<W, R> = Box<dyn FnMut() -> Result<(W, R), StoreError> + Send>;

/// The time that reads which are under way get to end before the first attempt. An engine that
/// locks its files refuses every attempt before they end.
const READS_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses between attempts: each twice as long as the one before, from the first to the
/// longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How reopening ended.
pub(super) enum Reopened<W, R> {
    /// Both halves are there again.
    Open(W, R),
    /// The engine panicked.
    Panicked,
    /// The last handle was dropped.
    Stopped,
}

/// Drops the old halves, waits for reads to do so as well, then tries until the engine opens.
pub(super) fn reopen<W, R>(
    old: (W, Option<Arc<WatchedReader<R>>>),
    open: &mut Reopen<W, R>,
    signals: &Receiver<Signal>,
) -> Reopened<W, R> {
    // Not on the commit thread, which refuses commits meanwhile: an engine may take its time to
    // close.
    if catch_unwind(AssertUnwindSafe(|| drop(old))).is_err() {
        return Reopened::Panicked;
    }
    match signals.recv_timeout(READS_TIMEOUT) {
        Ok(Signal::ReaderGone) => {}
        Err(RecvTimeoutError::Timeout) => {
            tracing::warn!("a read takes long, and the store cannot be reopened before it ends");
        }
        Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Reopened::Stopped,
    }
    let mut pause = FIRST_PAUSE;
    loop {
        match catch_unwind(AssertUnwindSafe(&mut *open)) {
            Ok(Ok((writer, reader))) => return Reopened::Open(writer, reader),
            Ok(Err(error)) => {
                tracing::warn!(%error, cause = ?error, "the store cannot be reopened; it is tried again");
            }
            Err(_) => return Reopened::Panicked,
        }
        match signals.recv_timeout(pause) {
            // The old reading half, later than it was waited for.
            Ok(Signal::ReaderGone) => pause = FIRST_PAUSE,
            Err(RecvTimeoutError::Timeout) => pause = MAX_PAUSE.min(pause * 2),
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Reopened::Stopped,
        }
    }
}
