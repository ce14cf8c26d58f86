//! Nodes meet before one counts as there for the other: a heartbeat of a node that is not known
//! yet, or whose time is not believed, is answered with a question of this node's own. Only a node
//! that is there can answer that, so heartbeats of nodes that are gone make nobody wait, whoever
//! says them again.

use std::sync::Arc;

use dm_core::notify::NodeId;

use crate::answers::Answer;
use crate::codec::NodeSaid;
use crate::parts::Parts;

impl Parts {
    /// Asks a node whether it is there, in a task of its own.
    pub(crate) fn meet(self: &Arc<Self>, node: NodeId, fresh: bool) {
        if self.meetings.begin(node, fresh) {
            let parts = Arc::clone(self);
            tokio::spawn(async move {
                if tokio::time::timeout(parts.meetings.timeout, parts.ask_to_meet(node)).await.is_err() {
                    tracing::debug!(%node, "a node that was heard of is not there");
                }
                parts.meetings.end(node);
            });
        }
    }

    async fn ask_to_meet(&self, node: NodeId) {
        let nodes = self.subjects.nodes().clone();
        let Some(mut answers) = self.ask(nodes, |nonce| self.writer.meeting(node, nonce)).await else {
            return;
        };
        while let Some(answer) = answers.next(self).await {
            // By the servers, or somebody who says so: this node itself is subscribed.
            let Answer::Said(frame) = answer else { continue };
            if let NodeSaid::Alive { stamp, .. } = frame.said
                && frame.from == node
            {
                if let Err(why) = self.met(node, stamp) {
                    // It is there, and there is no room to remember it.
                    self.peers.doubt(Some(node));
                    self.counters.refused(why);
                }
                return;
            }
        }
    }
}
