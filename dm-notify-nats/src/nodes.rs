//! The subject of the nodes: that they are there, and orders to end sessions.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use dm_core::notify::{NodeId, Notifier as _};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::codec::{Frame, NodeSaid, Stamp};
use crate::counters::Refusal;
use crate::parts::Parts;

/// Says that this node is there, and hears the others, until told to stop.
pub(crate) async fn run(parts: Arc<Parts>, heartbeat: Duration, mut stop: watch::Receiver<bool>) {
    let mut subscriber = match parts.client.subscribe(parts.subjects.nodes().clone()).await {
        Ok(subscriber) => subscriber,
        // The connection was closed by whoever owns it.
        Err(error) => return tracing::warn!(error = %error.kind(), "cannot subscribe on NATS"),
    };
    tokio::select! {
        () = crate::stopped(&mut stop) => {}
        () = serve(&parts, &mut subscriber, heartbeat) => {}
    }
    let leaving = parts.writer.leaving(parts.stamp());
    parts.publish(parts.subjects.nodes().clone(), leaving).await;
    let _ = subscriber.unsubscribe().await;
}

async fn serve(parts: &Arc<Parts>, subscriber: &mut Subscriber, heartbeat: Duration) {
    let mut beat = tokio::time::interval(heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => parts.beat().await,
            message = subscriber.next() => match message {
                Some(message) => parts.take_from_node(message).await,
                None => return,
            },
        }
    }
}

impl Parts {
    /// Says that this node is there; and after the servers were reached, asks the others.
    async fn beat(&self) {
        if !self.is_connected() {
            return;
        }
        let connects = self.connects();
        let asks = !self.peers.is_listening(connects);
        // It is in the same queue as the subscription, so that the answers find that.
        self.publish(self.subjects.nodes().clone(), self.writer.alive(self.stamp(), asks)).await;
        if asks {
            self.peers.listens(connects);
        }
    }

    /// Takes a message on the subject of the nodes.
    async fn take_from_node(self: &Arc<Self>, message: async_nats::Message) {
        let frame = match self.open_of_nodes(&message.subject, &message.payload) {
            Ok(frame) if self.is_own(frame.from) => return,
            Ok(frame) => frame,
            Err(why) => {
                if why == Refusal::Undecodable {
                    // With the tag of the nodes: one of another version.
                    self.peers.doubt(None);
                }
                return self.drop_of_node(message.payload.len(), why);
            }
        };
        let Frame { from, said } = frame;
        let fresh = self.admit(from, said.stamp());
        if let Some(stamp) = said.stamp()
            && self.may_be_unmet(from, stamp, fresh)
        {
            self.peers.doubt(Some(from));
            if matches!(said, NodeSaid::Alive { .. }) {
                self.meet(from, fresh.is_ok());
            }
        }
        match fresh {
            Ok(()) => self.obey(from, said).await,
            Err(why) => self.drop_of_node(message.payload.len(), why),
        }
    }

    /// Whether a frame is of a node that may be there and does not count, because it was not met,
    /// or not by the clock that it has now.
    fn may_be_unmet(&self, from: NodeId, stamp: Stamp, fresh: Result<(), Refusal>) -> bool {
        match fresh {
            Ok(()) => !self.has_met(from),
            // An old one may be of a node whose clock is wrong.
            Err(why) => why == Refusal::Stale && self.freshness.is_newest(from, stamp),
        }
    }

    async fn obey(&self, from: NodeId, said: NodeSaid) {
        match said {
            NodeSaid::Alive { asks, .. } => {
                if self.has_met(from) {
                    self.peers.heard(from);
                }
                if asks {
                    let answer = self.writer.alive(self.stamp(), false);
                    self.publish(self.subjects.nodes().clone(), answer).await;
                }
            }
            NodeSaid::Leaving(_) => self.peers.left(from),
            NodeSaid::Order { nonce, order, .. } => {
                let done = self.hub.end_sessions(&order).await;
                tracing::debug!(user = ?order.user, sessions = done.sessions, "sessions ended for another node");
                self.answer(nonce, self.writer.done(done.sessions)).await;
            }
            NodeSaid::Meeting { node, nonce } => {
                if self.is_own(node) {
                    self.answer(nonce, self.writer.alive(self.stamp(), false)).await;
                }
            }
            NodeSaid::Here | NodeSaid::Done { .. } => {}
        }
    }

    fn drop_of_node(&self, len: usize, why: Refusal) {
        tracing::debug!(len, ?why, "a frame is dropped");
        self.counters.refused(why);
    }
}
