//! The subject of the nodes: sends this node's heartbeats, and receives heartbeats, orders to end
//! sessions, and challenges of other nodes. The [terms](crate#terms) are those of the crate.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use dm_core::notify::{NodeId, Notifier as _};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::codec::{Frame, NodeContent, Stamp};
use crate::counters::RefusalReason;
use crate::shared::Shared;

/// Sends heartbeats and receives the frames of other nodes until the notifier is stopped. Then
/// tells the other nodes that this node leaves.
pub(crate) async fn run(shared: Arc<Shared>, heartbeat: Duration, mut stop: watch::Receiver<bool>) {
    let mut subscriber = match shared.client.subscribe(shared.subjects.nodes().clone()).await {
        Ok(subscriber) => subscriber,
        // The host has closed its connection.
        Err(error) => return tracing::warn!(error = %error.kind(), "cannot subscribe on NATS"),
    };
    tokio::select! {
        () = crate::stopped(&mut stop) => {}
        () = serve(&shared, &mut subscriber, heartbeat) => {}
    }
    let leaving = shared.writer.leaving(shared.new_stamp());
    shared.publish(shared.subjects.nodes().clone(), leaving).await;
    let _ = subscriber.unsubscribe().await;
}

async fn serve(shared: &Arc<Shared>, subscriber: &mut Subscriber, heartbeat: Duration) {
    let mut beat = tokio::time::interval(heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => shared.send_heartbeat().await,
            message = subscriber.next() => match message {
                Some(message) => shared.receive_from_node(message).await,
                None => return,
            },
        }
    }
}

impl Shared {
    /// Sends a heartbeat. The first one on a connection asks the other nodes for theirs.
    async fn send_heartbeat(&self) {
        if !self.is_connected() {
            return;
        }
        let connection_count = self.connection_count();
        let requests_heartbeats = !self.peers.is_listening(connection_count);
        // The client sends the heartbeat after the subscription, on the same connection. So the
        // subscription has begun when the answers arrive.
        self.publish(
            self.subjects.nodes().clone(),
            self.writer.heartbeat(self.new_stamp(), requests_heartbeats),
        )
        .await;
        if requests_heartbeats {
            self.peers.start_listening(connection_count);
        }
    }

    /// Handles a message on the subject of the nodes.
    async fn receive_from_node(self: &Arc<Self>, message: async_nats::Message) {
        let frame = match self.open_node_frame(&message.subject, &message.payload) {
            Ok(frame) if self.is_own(frame.from) => return,
            Ok(frame) => frame,
            Err(reason) => {
                if reason == RefusalReason::Undecodable {
                    // With a key the tag was valid, so the frame is from a node of another version.
                    self.peers.record_unverified(None);
                }
                return self.refuse_frame(message.payload.len(), reason);
            }
        };
        let Frame { from, content } = frame;
        let fresh = self.check_replay(from, content.stamp());
        if let Some(stamp) = content.stamp()
            && self.may_be_unverified(from, stamp, fresh)
        {
            self.peers.record_unverified(Some(from));
            if matches!(content, NodeContent::Heartbeat { .. }) {
                self.challenge(from, fresh.is_ok());
            }
        }
        match fresh {
            Ok(()) => self.handle(from, content).await,
            Err(reason) => self.refuse_frame(message.payload.len(), reason),
        }
    }

    /// Whether a frame may be from a running node that is not verified, or whose clock no longer
    /// has the offset that was known when the node was verified. `fresh` is the result of
    /// [`check_replay`](Self::check_replay).
    fn may_be_unverified(&self, from: NodeId, stamp: Stamp, fresh: Result<(), RefusalReason>) -> bool {
        match fresh {
            Ok(()) => !self.is_verified(from),
            // A frame with an old time but a new number may be from a node whose clock is wrong.
            Err(reason) => reason == RefusalReason::Stale && self.replay_filter.is_newest(from, stamp),
        }
    }

    /// Handles a frame of another node, after the check that it is not a replay.
    async fn handle(&self, from: NodeId, content: NodeContent) {
        match content {
            NodeContent::Heartbeat { requests_heartbeats, .. } => {
                if self.is_verified(from) {
                    self.peers.record_heartbeat(from);
                }
                if requests_heartbeats {
                    let answer = self.writer.heartbeat(self.new_stamp(), false);
                    self.publish(self.subjects.nodes().clone(), answer).await;
                }
            }
            NodeContent::Leaving(_) => self.peers.record_leaving(from),
            NodeContent::Order { nonce, order, .. } => {
                let done = self.hub.end_sessions(&order).await;
                tracing::debug!(user = ?order.user, sessions = done.sessions, "sessions ended for another node");
                self.reply(nonce, self.writer.confirmation(done.sessions)).await;
            }
            NodeContent::Challenge { node, nonce } => {
                if self.is_own(node) {
                    self.reply(nonce, self.writer.heartbeat(self.new_stamp(), false)).await;
                }
            }
            NodeContent::UserConnected | NodeContent::Confirmation { .. } => {}
        }
    }

    /// Logs and counts a refused frame of `len` bytes.
    fn refuse_frame(&self, len: usize, reason: RefusalReason) {
        tracing::debug!(len, ?reason, "a frame is refused");
        self.counters.count_refused(reason);
    }
}
