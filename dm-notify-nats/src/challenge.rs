//! Nodes meet before one counts as there for the other: a heartbeat of a node that is not known
//! yet, or whose time is not believed, is answered with a question of this node's own. Only a node
//! that is there can answer that, so heartbeats of nodes that are gone make nobody wait, whoever
//! says them again.

use std::sync::Arc;

use dm_core::notify::NodeId;

use crate::requests::Reply;
use crate::codec::NodeContent;
use crate::shared::Shared;

impl Shared {
    /// Asks a node whether it is there, in a task of its own.
    pub(crate) fn challenge(self: &Arc<Self>, node: NodeId, fresh: bool) {
        if self.pending_challenges.begin(node, fresh) {
            let shared = Arc::clone(self);
            tokio::spawn(async move {
                if tokio::time::timeout(shared.pending_challenges.timeout, shared.await_response(node)).await.is_err() {
                    tracing::debug!(%node, "a node that was heard of is not there");
                }
                shared.pending_challenges.end(node);
            });
        }
    }

    async fn await_response(&self, node: NodeId) {
        let nodes = self.subjects.nodes().clone();
        let Some(mut replies) = self.request(nodes, |nonce| self.writer.challenge(node, nonce)).await else {
            return;
        };
        while let Some(answer) = replies.next(self).await {
            // By the servers, or somebody who says so: this node itself is subscribed.
            let Reply::Frame(frame) = answer else { continue };
            if let NodeContent::Alive { stamp, .. } = frame.content
                && frame.from == node
            {
                if let Err(why) = self.verify_node(node, stamp) {
                    // It is there, and there is no room to remember it.
                    self.peers.note_unverified(Some(node));
                    self.counters.frame_dropped(why);
                }
                return;
            }
        }
    }
}
