//! The relay: the task that passes the hints of each batch from the lanes to the notifier.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::mpsc;

use crate::inbox::Notification;
use crate::notifier::{Notifier, Reach};

/// Maximum number of batches whose hints wait for the notifier. The hints of further batches are
/// dropped: hints may be lost, but a commit must not wait for a slow notifier.
const MAX_QUEUED_BATCHES: usize = 256;

/// Starts the task that passes hints on, on the current tokio runtime. Returns the sender of its
/// queue. Each item has the hints of one batch.
pub(super) fn start(notifier: Arc<dyn Notifier>) -> mpsc::Sender<Vec<Notification>> {
    let (sender, receiver) = mpsc::channel(MAX_QUEUED_BATCHES);
    tokio::spawn(relay(notifier, receiver));
    sender
}

/// Passes hints on to the notifier, one batch after the other.
async fn relay(notifier: Arc<dyn Notifier>, mut receiver: mpsc::Receiver<Vec<Notification>>) {
    while let Some(hints) = receiver.recv().await {
        // A panic of the host's notifier is caught, so that the hints of later batches are passed
        // on. The text of the panic is not logged, because it may contain data of the host.
        match catch_panic(async { notifier.notify(&hints).await }).await {
            Some(Ok(reach)) => {
                let absent_count = reach.iter().filter(|reach| **reach == Reach::Absent).count();
                metrics::counter!("dm_notified_total").increment((reach.len() - absent_count) as u64);
            }
            Some(Err(error)) => record_failure(hints.len(), &error),
            None => record_failure(hints.len(), &"the notifier panicked"),
        }
    }
}

/// The output of a future; `None` if the future panics. After a panic it is not polled any more.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Logs and counts a batch of hints that could not be passed on.
fn record_failure(hints: usize, error: &dyn std::fmt::Display) {
    tracing::warn!(hints, error = %error, "notify failed");
    metrics::counter!("dm_notify_failures_total").increment(1);
}
