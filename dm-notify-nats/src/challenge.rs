//! Challenges: a node counts as alive only after it has answered one.
//!
//! A heartbeat of a node that is not verified yet, or whose time is too far from this node's,
//! causes a challenge: a request of this node's own. Only a node that is alive can reply to it. So
//! replayed heartbeats of nodes that are gone make no order wait.

use std::sync::Arc;

use dm_core::notify::NodeId;

use crate::codec::NodeContent;
use crate::requests::Reply;
use crate::shared::Shared;

impl Shared {
    /// Challenges a node, in a task of its own.
    pub(crate) fn challenge(self: &Arc<Self>, node: NodeId, fresh: bool) {
        if self.pending_challenges.begin(node, fresh) {
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

    /// Sends the challenge and waits for the node's reply.
    async fn send_challenge(&self, node: NodeId) {
        let nodes = self.subjects.nodes().clone();
        let Some(mut replies) = self.request(nodes, |nonce| self.writer.challenge(node, nonce)).await else {
            return;
        };
        while let Some(reply) = replies.next(self).await {
            // This node itself is subscribed, so the answer "no responders" is forged.
            let Reply::Frame(frame) = reply else { continue };
            if let NodeContent::Alive { stamp, .. } = frame.content
                && frame.from == node
            {
                if let Err(why) = self.verify_node(node, stamp) {
                    // The node is alive, but there is no room to remember it.
                    self.peers.note_unverified(Some(node));
                    self.counters.frame_dropped(why);
                }
                return;
            }
        }
    }
}
