//! The task that passes hints from the lanes to the notifier.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::inbox::Notification;
use crate::notifier::{Notifier, Reach};

/// Maximum number of batches whose hints wait for the notifier. The hints of further batches are
/// dropped. Hints may be lost, and a wait for a slow notifier would delay commits.
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
        let (notifier, hint_count) = (Arc::clone(&notifier), hints.len());
        // The notifier runs in a new task for each batch. A panic of the host's notifier ends only
        // that task, and the hints of later batches are still passed on.
        match tokio::spawn(async move { notifier.notify(&hints).await }).await {
            Ok(Ok(reach)) => {
                let absent = reach.iter().filter(|reach| **reach == Reach::Absent).count();
                metrics::counter!("dm_notified_total").increment((reach.len() - absent) as u64);
            }
            Ok(Err(error)) => record_failure(hint_count, &error),
            // The text of a panic is the host's and may hold its data, so it stays out of the log.
            Err(error) if error.is_panic() => record_failure(hint_count, &"the notifier panicked"),
            // The runtime is shutting down.
            Err(_) => return,
        }
    }
}

/// Logs and counts a batch of hints that could not be passed on.
fn record_failure(hints: usize, error: &dyn std::fmt::Display) {
    tracing::warn!(hints, error = %error, "notify failed");
    metrics::counter!("dm_notify_failures_total").increment(1);
}
