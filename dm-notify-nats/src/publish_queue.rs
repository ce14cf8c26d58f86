//! What waits to be published: nobody who has something to say waits for the servers.

use std::sync::Arc;

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::counters::Counters;

/// Published in one go, at most. The connection writes what is there together, and flushes when nothing more comes: a
/// commit's hints take one write.
const BATCH: usize = 128;

/// Takes what is to be published, as far as there is room.
#[derive(Clone, Debug)]
pub(crate) struct PublishQueue {
    sender: mpsc::Sender<Outgoing>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    subject: Subject,
    payload: Bytes,
}

impl PublishQueue {
    /// An outbox, and the other end for [`publish`].
    pub(crate) fn new(room: usize, counters: Arc<Counters>) -> (Self, mpsc::Receiver<Outgoing>) {
        let (sender, queued) = mpsc::channel(room);
        (Self { sender, counters }, queued)
    }

    /// Takes something, or drops and counts it.
    pub(crate) fn push(&self, subject: Subject, payload: Bytes) {
        if self.sender.try_send(Outgoing { subject, payload }).is_err() {
            self.counters.hint_dropped();
        }
    }

    /// What waits at this moment.
    pub(crate) fn queued(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// Publishes until told to stop, then what waits still.
pub(crate) async fn run(
    client: Client,
    mut queued: mpsc::Receiver<Outgoing>,
    counters: Arc<Counters>,
    mut stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let count = tokio::select! {
            biased;
            // Refuses what comes from now on; what waits is still received.
            () = crate::stopped(&mut stop), if !queued.is_closed() => {
                queued.close();
                continue;
            }
            count = queued.recv_many(&mut batch, BATCH) => count,
        };
        if count == 0 {
            break;
        }
        for Outgoing { subject, payload } in batch.drain(..) {
            // Without servers it would only wait to be late, and keep subscriptions waiting.
            let connected = client.connection_state() == State::Connected;
            if connected && client.publish(subject, payload).await.is_ok() {
                counters.published();
            } else {
                counters.hint_dropped();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_counted_and_what_has_no_room_is_dropped() {
        let counters = Arc::<Counters>::default();
        let (publish_queue, mut queued) = PublishQueue::new(2, Arc::clone(&counters));
        for waiting in 0..=3 {
            assert_eq!(
                (publish_queue.queued(), counters.stats().dropped),
                (waiting.min(2), waiting.max(2) as u64 - 2)
            );
            publish_queue.push("somebody".into(), Bytes::new());
        }
        queued.recv().await.unwrap();
        assert_eq!(publish_queue.queued(), 1);
    }
}
