//! The parts that all tasks of a notifier share: sending frames as this node, and taking frames of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use dm_core::{Clock as _, Hub, InboxEntry, NodeId, SystemClock, UserId};

use crate::codec::{Frame, NodeFrame, Said, Stamp, Writer};
use crate::connect::Events;
use crate::counters::{Counters, Refusal};
use crate::freshness::Freshness;
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
    pub(crate) peers: Peers,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
    /// Frames with a stamp that this node sent.
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

    /// Publishes at once, ahead of the hints that wait. While the servers cannot be reached it is lost.
    pub(crate) async fn publish(&self, subject: Subject, frame: Vec<u8>) {
        if self.is_connected() {
            let frame = self.seal.close(&subject, frame);
            let _ = self.client.publish(subject, frame).await;
        }
    }

    /// A stamp for one frame of this node.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { at: SystemClock.now(), count: self.stamped.fetch_add(1, Ordering::Relaxed) }
    }

    /// Takes a message on a user's subject: a frame, if a node sent it.
    pub(crate) fn hear(&self, user: UserId, subject: &str, bytes: &Bytes) -> Result<Frame, Refusal> {
        let frame = Frame::decode(&self.seal.open(subject, bytes)?, user)?;
        match &frame.said {
            // Anybody could have written it.
            Said::Entry(_) if !self.seal.is_keyed() => Err(Refusal::Unauthenticated),
            Said::Claims { stamp, .. } => self.admit(frame.from, *stamp).map(|()| frame),
            Said::Objection(objection) => self.admit(frame.from, objection.stamp).map(|()| frame),
            _ => Ok(frame),
        }
    }

    /// Takes a message on the subject of the nodes, or an answer: a frame, if a node sent it.
    pub(crate) fn hear_node(&self, subject: &str, bytes: &Bytes) -> Result<NodeFrame, Refusal> {
        let frame = NodeFrame::decode(&self.seal.open(subject, bytes)?)?;
        frame.stamp().map_or(Ok(()), |stamp| self.admit(frame.from, stamp))?;
        Ok(frame)
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

    fn admit(&self, from: NodeId, stamp: Stamp) -> Result<(), Refusal> {
        // Its own come back on several subscriptions.
        if self.is_own(from) {
            return Ok(());
        }
        Ok(self.freshness.take(from, stamp, SystemClock.now())?)
    }
}
