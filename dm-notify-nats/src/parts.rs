//! The parts that all tasks of a notifier share: sending frames as this node, and taking frames of
//! others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use dm_core::notify::NodeId;
use dm_core::{Hub, InboxEntry, UserId};

use crate::codec::{Frame, NodeSaid, Said, Stamp, Writer};
use crate::connect::Events;
use crate::counters::{Counters, Refusal};
use crate::freshness::Freshness;
use crate::meetings::Meetings;
use crate::outbox::Outbox;
use crate::peers::Peers;
use crate::seal::Seal;
use crate::subjects::Subjects;

/// The shared parts.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) hub: Hub,
    pub(crate) client: Client,
    pub(crate) writer: Writer,
    pub(crate) subjects: Subjects,
    pub(crate) seal: Seal,
    pub(crate) freshness: Freshness,
    pub(crate) meetings: Meetings,
    pub(crate) peers: Peers,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
    /// The number of the next stamp.
    pub(crate) stamped: AtomicU64,
    /// Bytes of a hint with its entry, at most.
    pub(crate) max_entry: usize,
}

impl Parts {
    /// Has a hint published, with its entry if there is a key by which the others believe it.
    pub(crate) fn hint(&self, user: UserId, entry: &InboxEntry) {
        let frame = if self.seal.is_keyed() {
            self.writer.hint(entry, self.max_entry)
        } else {
            self.writer.bare_number(entry.seq)
        };
        let subject = self.subjects.of(user);
        let frame = self.seal.close(&subject, frame);
        self.outbox.offer(subject, frame);
    }

    /// Publishes at once, ahead of the hints that wait. While the servers cannot be reached it is
    /// lost.
    pub(crate) async fn publish(&self, subject: Subject, frame: Vec<u8>) {
        if self.is_connected() {
            let frame = self.seal.close(&subject, frame);
            let _ = self.client.publish(subject, frame).await;
        }
    }

    /// A stamp for one frame of this node.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { at: self.freshness.now(), count: self.stamped.fetch_add(1, Ordering::Relaxed) }
    }

    /// The number of the next stamp.
    pub(crate) fn next_stamp(&self) -> u64 {
        self.stamped.load(Ordering::Relaxed)
    }

    /// Takes a message on a user's subject: a frame, if a node sent it.
    pub(crate) fn hear(&self, user: UserId, subject: &str, bytes: &Bytes) -> Result<Frame<Said>, Refusal> {
        let frame = Frame::of_user(&self.seal.open(subject, bytes)?, user)?;
        if matches!(frame.said, Said::Entry(_)) && !self.seal.is_keyed() {
            // Anybody could have written it.
            return Err(Refusal::Unauthenticated);
        }
        self.admit(frame.from, frame.said.stamp())?;
        Ok(frame)
    }

    /// Opens a message on the subject of the nodes, or an answer: a frame, if a node sent it, which
    /// may be old.
    pub(crate) fn open_of_nodes(&self, subject: &str, bytes: &Bytes) -> Result<Frame<NodeSaid>, Refusal> {
        Ok(Frame::of_nodes(&self.seal.open(subject, bytes)?)?)
    }

    /// Takes a frame that is new, by its stamp. Without a key any is taken: who can say a frame
    /// again can as well make one up, with a number or a time for which the node's own words would
    /// be refused from then on.
    pub(crate) fn admit(&self, from: NodeId, stamp: Option<Stamp>) -> Result<(), Refusal> {
        match stamp {
            // Its own come back on several subscriptions.
            Some(stamp) if self.seal.is_keyed() && !self.is_own(from) => {
                Ok(self.freshness.take(from, stamp)?)
            }
            _ => Ok(()),
        }
    }

    /// Takes a node's answer that it is there.
    pub(crate) fn met(&self, node: NodeId, stamp: Stamp) -> Result<(), Refusal> {
        if self.seal.is_keyed() {
            self.freshness.meet(node, stamp)?;
        }
        self.peers.heard(node);
        Ok(())
    }

    /// Whether a node was met; without a key, in the last heartbeats.
    pub(crate) fn has_met(&self, node: NodeId) -> bool {
        if self.seal.is_keyed() { self.freshness.has_met(node) } else { self.peers.is_there(node) }
    }

    /// A node's own frames come back to it, and are for others.
    pub(crate) fn is_own(&self, from: NodeId) -> bool {
        from == self.hub.node()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often the servers were reached so far.
    pub(crate) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }
}
