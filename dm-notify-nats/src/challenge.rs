//! Challenges: sends them, and verifies the nodes that reply. A node is *verified* after it has
//! replied to a challenge of this node. Only verified nodes count as alive.
//!
//! This node sends a challenge after a heartbeat from a node that is not verified, or after a
//! heartbeat whose time is too far from this node's time. A challenge is a request with random
//! bytes, so only a running node can reply. An attacker can replay the heartbeats of a node that
//! has ended, but cannot reply for it. So no order to end sessions waits for such a node.

use std::sync::Arc;

use dm_core::notify::NodeId;

use crate::codec::NodeContent;
use crate::requests::Reply;
use crate::shared::Shared;

impl Shared {
    /// Challenges `node`, in a task of its own. `is_fresh` is false if the time of the node's
    /// heartbeat was too far from this node's time. Does nothing if a challenge of `node` is
    /// already under way, or if too many challenges are.
    pub(crate) fn challenge(self: &Arc<Self>, node: NodeId, is_fresh: bool) {
        if self.pending_challenges.try_begin(node, is_fresh) {
            let shared = Arc::clone(self);
            tokio::spawn(async move {
                if tokio::time::timeout(shared.pending_challenges.timeout, shared.send_challenge(node))
                    .await
                    .is_err()
                {
                    tracing::debug!(%node, "a node did not reply to a challenge");
                }
                shared.pending_challenges.end(node);
            });
        }
    }

    /// Sends a challenge, waits for the node's reply, and marks the node as verified.
    async fn send_challenge(&self, node: NodeId) {
        let nodes = self.subjects.nodes().clone();
        let Some(mut replies) = self.request(nodes, |nonce| self.writer.challenge(node, nonce)).await else {
            return;
        };
        while let Some(reply) = replies.next(self).await {
            // This node itself is subscribed to the subject, so the servers' answer that no node is
            // subscribed must be forged.
            let Reply::Frame(frame) = reply else { continue };
            if let NodeContent::Heartbeat { stamp, .. } = frame.content
                && frame.from == node
            {
                if let Err(reason) = self.verify_node(node, stamp) {
                    // The node may be alive, but its reply is refused: the reply was accepted
                    // before, or there is no room to remember the node.
                    self.peers.record_unverified(Some(node));
                    self.counters.count_refused(reason);
                }
                return;
            }
        }
    }
}
