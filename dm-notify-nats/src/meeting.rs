//! Nodes meet before one counts as there for the other: a heartbeat of a node that is not known
//! yet, or whose time is not believed, is answered with a question of this node's own. Only a node
//! that is there can answer that, so heartbeats of nodes that are gone make nobody wait, whoever
//! says them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;

use crate::answers::Answer;
use crate::codec::NodeSaid;
use crate::parts::Parts;

/// Nodes that are asked at once. A further one is asked at its next heartbeat.
const MOST: usize = 64;
/// Of these, nodes whose heartbeat was too old. Somebody can say recorded ones again without end,
/// so they leave room for the others.
const MOST_OLD: usize = 16;

/// The nodes that are being asked whether they are there.
#[derive(Debug)]
pub(crate) struct Meetings {
    /// Each with whether its heartbeat was fresh.
    asked: Mutex<HashMap<NodeId, bool>>,
    timeout: Duration,
}

impl Meetings {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { asked: Mutex::default(), timeout }
    }

    /// Whether to ask a node now, whose heartbeat was fresh or not.
    fn begin(&self, node: NodeId, fresh: bool) -> bool {
        let mut asked = self.lock();
        let old = asked.values().filter(|fresh| !**fresh).count();
        let room = asked.len() < MOST && (fresh || old < MOST_OLD);
        let begins = room && !asked.contains_key(&node);
        if begins {
            asked.insert(node, fresh);
        }
        begins
    }

    fn end(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, bool>> {
        // Nothing panics while it is locked; a poisoned map is whole.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_heartbeats_leave_room_for_fresh_ones_and_all_are_bounded() {
        let meetings = Meetings::new(Duration::from_secs(1));
        let node = |n: usize| NodeId::from_bytes((n as u64).to_be_bytes());
        let begun =
            |from: usize, fresh| (from..from + 100).filter(|n| meetings.begin(node(*n), fresh)).count();
        assert_eq!(begun(0, false), MOST_OLD);
        assert_eq!(begun(1_000, true), MOST - MOST_OLD);
        assert!(!meetings.begin(node(0), true), "it is being asked");
        meetings.end(node(0));
        assert!(meetings.begin(node(0), true));
        assert_eq!(begun(2_000, false), 0, "none is left");
    }
}
