//! The queue of frames to publish. A caller with a frame never waits for the servers.

use std::sync::Arc;

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::counters::Counters;

/// The maximum number of frames that are published together. The connection writes waiting frames
/// together, and flushes when no more come: the hints of a commit take one write.
const BATCH: usize = 128;

/// The sending half of the queue. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct PublishQueue {
    sender: mpsc::Sender<Outgoing>,
    counters: Arc<Counters>,
}

/// A frame to publish.
#[derive(Debug)]
pub(crate) struct Outgoing {
    subject: Subject,
    payload: Bytes,
}

impl PublishQueue {
    /// A queue for up to `room` frames, and its receiving half for [`run`].
    pub(crate) fn new(room: usize, counters: Arc<Counters>) -> (Self, mpsc::Receiver<Outgoing>) {
        let (sender, queued) = mpsc::channel(room);
        (Self { sender, counters }, queued)
    }

    /// Queues a frame. Without room, the frame is dropped and counted.
    pub(crate) fn push(&self, subject: Subject, payload: Bytes) {
        if self.sender.try_send(Outgoing { subject, payload }).is_err() {
            self.counters.hint_dropped();
        }
    }

    /// The number of frames that wait.
    pub(crate) fn queued(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// Publishes queued frames until told to stop, then the rest of the queue.
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
            // New frames are dropped from now on; waiting ones are still received.
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
            // Without servers the frame would only become late, and delay subscriptions.
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
    async fn waiting_frames_are_counted_and_frames_without_room_are_dropped() {
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
