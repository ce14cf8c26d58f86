//! Hints on their way from the lanes to the notifier.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::inbox::Notification;
use crate::notifier::{Notifier, Reach};

/// Batches of hints that may wait for the notifier before further ones are dropped. Hints may be
/// lost; waiting for a slow notifier would hold up commits.
const HINT_QUEUE: usize = 256;

/// Starts the task that passes hints on, on the current tokio runtime.
pub(super) fn start(notifier: Arc<dyn Notifier>) -> mpsc::Sender<Vec<Notification>> {
    let (hints, queued) = mpsc::channel(HINT_QUEUE);
    tokio::spawn(relay(notifier, queued));
    hints
}

/// Passes hints on to the notifier, in commit order.
async fn relay(notifier: Arc<dyn Notifier>, mut queued: mpsc::Receiver<Vec<Notification>>) {
    while let Some(hints) = queued.recv().await {
        let (notifier, count) = (Arc::clone(&notifier), hints.len());
        // A task for each commit: a panic of the host's notifier ends that, and later hints go on.
        match tokio::spawn(async move { notifier.notify(&hints).await }).await {
            Ok(Ok(reach)) => {
                let absent = reach.iter().filter(|reach| **reach == Reach::Absent).count();
                metrics::counter!("dm_notified_total").increment((reach.len() - absent) as u64);
            }
            Ok(Err(error)) => record_failure(count, &error),
            // A panic's text is the host's own, and stays out of the log.
            Err(error) if error.is_panic() => record_failure(count, &"the notifier panicked"),
            // The runtime ends.
            Err(_) => return,
        }
    }
}

fn record_failure(hints: usize, error: &dyn std::fmt::Display) {
    tracing::warn!(hints, error = %error, "notify failed");
    metrics::counter!("dm_notify_failures_total").increment(1);
}
