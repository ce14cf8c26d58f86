//! What waits to be published: nobody who has something to say waits for the servers.

use std::sync::Arc;

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::counters::Counters;

/// Published in one go, at most. The connection writes what is there together, and flushes when nothing more comes: a
/// commit's hints take one write.
const RUN: usize = 128;

/// Takes what is to be published, as far as there is room.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    parcels: mpsc::Sender<Parcel>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
pub(crate) struct Parcel {
    subject: Subject,
    payload: Bytes,
}

impl Outbox {
    /// An outbox, and the other end for [`publish`].
    pub(crate) fn new(room: usize, counters: Arc<Counters>) -> (Self, mpsc::Receiver<Parcel>) {
        let (parcels, queued) = mpsc::channel(room);
        (Self { parcels, counters }, queued)
    }

    /// Takes something, or drops and counts it.
    pub(crate) fn offer(&self, subject: Subject, payload: Bytes) {
        if self.parcels.try_send(Parcel { subject, payload }).is_err() {
            self.counters.dropped();
        }
    }

    /// What waits at this moment.
    pub(crate) fn queued(&self) -> usize {
        self.parcels.max_capacity() - self.parcels.capacity()
    }
}

/// Publishes until told to stop, then what waits still.
pub(crate) async fn publish(
    client: Client,
    mut queued: mpsc::Receiver<Parcel>,
    counters: Arc<Counters>,
    mut stop: watch::Receiver<bool>,
) {
    let mut run = Vec::with_capacity(RUN);
    loop {
        let count = tokio::select! {
            biased;
            // Refuses what comes from now on; what waits is still received.
            () = crate::stopped(&mut stop), if !queued.is_closed() => {
                queued.close();
                continue;
            }
            count = queued.recv_many(&mut run, RUN) => count,
        };
        if count == 0 {
            break;
        }
        for Parcel { subject, payload } in run.drain(..) {
            // Without servers it would only wait to be late, and keep subscriptions waiting.
            let connected = client.connection_state() == State::Connected;
            if connected && client.publish(subject, payload).await.is_ok() {
                counters.published();
            } else {
                counters.dropped();
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
        let (outbox, mut queued) = Outbox::new(2, Arc::clone(&counters));
        for waiting in 0..=3 {
            assert_eq!(
                (outbox.queued(), counters.stats().dropped),
                (waiting.min(2), waiting.max(2) as u64 - 2)
            );
            outbox.offer("somebody".into(), Bytes::new());
        }
        queued.recv().await.unwrap();
        assert_eq!(outbox.queued(), 1);
    }
}
