//! Receiving the messages of one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_client::{
    Connection, Content, ConversationId, Event, Identity, Message, MessageId, PeerKey, Reader, ServerSequence,
};
use indicatif::ProgressBar;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The messages that one user has received over all connections.
#[derive(Debug, Default)]
pub(super) struct Tally {
    received: Mutex<HashMap<MessageId, Received>>,
    count: watch::Sender<usize>,
}

/// A received message.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) sequence: ServerSequence,
    /// `None` if the message did not decrypt.
    pub(super) plaintext: Option<Vec<u8>>,
}

impl Tally {
    pub(super) fn take(&self) -> HashMap<MessageId, Received> {
        std::mem::take(&mut *self.lock())
    }

    /// Adds a message; returns whether it is new.
    pub(super) fn add(&self, id: MessageId, received: Received) -> bool {
        let mut all = self.lock();
        let is_new = all.insert(id, received).is_none();
        self.count.send_replace(all.len());
        is_new
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that receives the messages of one user.
pub(super) struct Receiver {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    count: watch::Receiver<usize>,
}

impl Receiver {
    pub(super) fn start(
        mut connection: Connection,
        identity: Arc<Identity>,
        peer: PeerKey,
        conversation: ConversationId,
        tally: Arc<Tally>,
        bar: ProgressBar,
    ) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let count = tally.count.subscribe();
        let task = tokio::spawn(async move {
            let reader = Reader::new(identity);
            loop {
                let event = tokio::select! {
                    event = connection.next() => event,
                    _ = &mut stopped => break,
                };
                let Some(event) = event else { return };
                let Event::Delivery(delivery) = event else { continue };
                if let Content::Message(message) = &delivery.content
                    && is_from_peer(message, &peer, conversation)
                {
                    let plaintext = reader.open(message, &peer).ok().map(|opened| opened.plaintext);
                    if tally.add(message.id, Received { sequence: message.sequence, plaintext }) {
                        bar.inc(1);
                    }
                }
                delivery.acknowledge();
            }
            connection.close().await;
        });
        Self { stop, task, count }
    }

    /// Waits until `count` messages have arrived, or none has arrived for `patience`.
    pub(super) async fn wait_for(&mut self, count: usize, patience: Duration) {
        while *self.count.borrow_and_update() < count {
            if !matches!(tokio::time::timeout(patience, self.count.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Sends the last acknowledgement, and disconnects.
    pub(super) async fn stop(self) {
        // The send fails if the task has ended together with its connection.
        let _stopped = self.stop.send(());
        let _ended = self.task.await;
    }
}

fn is_from_peer(message: &Message, peer: &PeerKey, conversation: ConversationId) -> bool {
    message.sender == peer.user() && message.conversation == conversation
}
