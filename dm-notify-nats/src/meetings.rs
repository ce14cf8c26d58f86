//! The nodes that are being asked whether they are there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;

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
    /// How long an answer may take.
    pub(crate) timeout: Duration,
}

impl Meetings {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { asked: Mutex::default(), timeout }
    }

    /// Whether to ask a node now, whose heartbeat was fresh or not.
    pub(crate) fn begin(&self, node: NodeId, fresh: bool) -> bool {
        let mut asked = self.lock();
        let old = asked.values().filter(|fresh| !**fresh).count();
        let room = asked.len() < MOST && (fresh || old < MOST_OLD);
        let begins = room && !asked.contains_key(&node);
        if begins {
            asked.insert(node, fresh);
        }
        begins
    }

    pub(crate) fn end(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, bool>> {
        // Nothing panics while it is locked; a poisoned map is whole.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
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
