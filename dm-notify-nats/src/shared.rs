//! [`Shared`]: the state that all tasks of a notifier share. Its methods publish frames of this
//! node, and check frames of other nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use dm_core::notify::NodeId;
use dm_core::{Hub, InboxEntry, UserId};

use crate::codec::{Frame, NodeContent, Stamp, UserContent, Writer};
use crate::connect::ConnectionEvents;
use crate::counters::{Counters, RefusalReason};
use crate::mac::FrameMac;
use crate::peers::Peers;
use crate::pending_challenges::PendingChallenges;
use crate::publish_queue::PublishQueue;
use crate::replay_filter::ReplayFilter;
use crate::subjects::Subjects;

/// The shared state of a notifier.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) client: Client,
    pub(crate) writer: Writer,
    pub(crate) subjects: Subjects,
    pub(crate) mac: FrameMac,
    pub(crate) replay_filter: ReplayFilter,
    pub(crate) pending_challenges: PendingChallenges,
    pub(crate) peers: Peers,
    pub(crate) publish_queue: PublishQueue,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<ConnectionEvents>,
    /// The number of the next stamp. A *stamp* is the time and the number of a frame.
    pub(crate) next_number: AtomicU64,
    /// The maximum size of a hint with its entry, in bytes.
    pub(crate) max_entry: usize,
}

impl Shared {
    /// Queues a hint, which tells other nodes of a new entry. The hint has the entry only if there
    /// is a key to authenticate the hint.
    pub(crate) fn push_hint(&self, user: UserId, entry: &InboxEntry) {
        let frame = if self.mac.is_keyed() {
            self.writer.hint(entry, self.max_entry)
        } else {
            self.writer.hint_with_only_number(entry.seq)
        };
        let subject = self.subjects.user(user);
        let frame = self.mac.append(&subject, frame);
        self.publish_queue.push(subject, frame);
    }

    /// Publishes a frame at once, ahead of the hints that wait in the publish queue. While the
    /// servers cannot be reached, the frame is lost.
    pub(crate) async fn publish(&self, subject: Subject, frame: Vec<u8>) {
        if self.is_connected() {
            let frame = self.mac.append(&subject, frame);
            let _ = self.client.publish(subject, frame).await;
        }
    }

    /// Makes a stamp for one frame of this node: the time now, and the next number.
    pub(crate) fn new_stamp(&self) -> Stamp {
        Stamp { at: self.replay_filter.now(), number: self.next_number.fetch_add(1, Ordering::Relaxed) }
    }

    /// The number that the next stamp will have.
    pub(crate) fn next_stamp_number(&self) -> u64 {
        self.next_number.load(Ordering::Relaxed)
    }

    /// Authenticates and decodes a message on a user's subject, and refuses a replay.
    pub(crate) fn open_user_frame(
        &self,
        user: UserId,
        subject: &str,
        bytes: &Bytes,
    ) -> Result<Frame<UserContent>, RefusalReason> {
        let frame = Frame::decode_user(&self.mac.verify(subject, bytes)?, user)?;
        if matches!(frame.content, UserContent::Entry(_)) && !self.mac.is_keyed() {
            // Without a key, any client of the bus could have forged the entry.
            return Err(RefusalReason::Unauthenticated);
        }
        self.check_replay(frame.from, frame.content.stamp())?;
        Ok(frame)
    }

    /// Authenticates and decodes a message on the subject of the nodes, or a reply. The stamp is
    /// not checked, so the frame may be a replay.
    pub(crate) fn open_node_frame(
        &self,
        subject: &str,
        bytes: &Bytes,
    ) -> Result<Frame<NodeContent>, RefusalReason> {
        Ok(Frame::decode_node(&self.mac.verify(subject, bytes)?)?)
    }

    /// Refuses a frame that is a replay, by its stamp. Frames without a stamp are accepted.
    ///
    /// Without a key every frame is accepted, because an attacker could forge a stamp that makes
    /// this node refuse all later frames of the real node.
    pub(crate) fn check_replay(&self, from: NodeId, stamp: Option<Stamp>) -> Result<(), RefusalReason> {
        match stamp {
            // A node also receives its own frames, which the filter does not remember.
            Some(stamp) if self.mac.is_keyed() && !self.is_own(from) => {
                Ok(self.replay_filter.accept(from, stamp)?)
            }
            _ => Ok(()),
        }
    }

    /// Marks a node as verified, by the stamp of its reply to a challenge.
    pub(crate) fn verify_node(&self, node: NodeId, stamp: Stamp) -> Result<(), RefusalReason> {
        if self.mac.is_keyed() {
            self.replay_filter.accept_verified(node, stamp)?;
        }
        self.peers.record_heartbeat(node);
        Ok(())
    }

    /// Whether a node is verified: it has replied to a challenge of this node. Without a key, a
    /// node without recent heartbeats no longer counts as verified.
    pub(crate) fn is_verified(&self, node: NodeId) -> bool {
        if self.mac.is_keyed() { self.replay_filter.is_verified(node) } else { self.peers.is_alive(node) }
    }

    /// Whether a frame is from this node. A node receives its own frames on the subjects to which
    /// it is subscribed.
    pub(crate) fn is_own(&self, from: NodeId) -> bool {
        from == self.hub.node()
    }

    /// Whether the servers are reached.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The number of times that the client has connected to the servers. It changes when the
    /// servers are reached again.
    pub(crate) fn connection_count(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }
}
