//! The queue of frames to publish: hints, and replies to presence requests. A caller never waits
//! for the servers.

use std::sync::Arc;

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::counters::Counters;

/// The maximum number of frames that are taken from the queue at once and handed to the connection.
/// The connection writes waiting frames together, and flushes when no more frames wait. So the
/// hints of a commit take one write.
const MAX_TAKEN: usize = 128;

/// The sender of the queue. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct PublishQueue {
    sender: mpsc::Sender<OutgoingFrame>,
    counters: Arc<Counters>,
}

/// A frame to publish.
#[derive(Debug)]
pub(crate) struct OutgoingFrame {
    subject: Subject,
    payload: Bytes,
}

impl PublishQueue {
    /// A queue for at most `capacity` frames, and its receiver for [`run`].
    pub(crate) fn new(capacity: usize, counters: Arc<Counters>) -> (Self, mpsc::Receiver<OutgoingFrame>) {
        let (sender, queued) = mpsc::channel(capacity);
        (Self { sender, counters }, queued)
    }

    /// Queues a frame. If the queue is full, the frame is dropped and counted.
    pub(crate) fn push(&self, subject: Subject, payload: Bytes) {
        if self.sender.try_send(OutgoingFrame { subject, payload }).is_err() {
            self.counters.count_outgoing_dropped();
        }
    }

    /// The number of frames in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// Publishes queued frames until the notifier is stopped. Then publishes the frames that are in the
/// queue, and ends.
pub(crate) async fn run(
    client: Client,
    mut queued: mpsc::Receiver<OutgoingFrame>,
    counters: Arc<Counters>,
    mut stop: watch::Receiver<bool>,
) {
    let mut taken = Vec::with_capacity(MAX_TAKEN);
    loop {
        let count = tokio::select! {
            biased;
            // From now on new frames are dropped. Frames in the queue are published.
            () = crate::stopped(&mut stop), if !queued.is_closed() => {
                queued.close();
                continue;
            }
            count = queued.recv_many(&mut taken, MAX_TAKEN) => count,
        };
        if count == 0 {
            break;
        }
        for OutgoingFrame { subject, payload } in taken.drain(..) {
            // While the servers cannot be reached, the client would keep the frame and send it
            // later. The frame would then be useless, and would delay subscriptions.
            let connected = client.connection_state() == State::Connected;
            if connected && client.publish(subject, payload).await.is_ok() {
                counters.count_published();
            } else {
                counters.count_outgoing_dropped();
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
                (publish_queue.queued(), counters.stats().outgoing_dropped),
                (waiting.min(2), waiting.max(2) as u64 - 2)
            );
            publish_queue.push("somebody".into(), Bytes::new());
        }
        queued.recv().await.unwrap();
        assert_eq!(publish_queue.queued(), 1);
    }
}
