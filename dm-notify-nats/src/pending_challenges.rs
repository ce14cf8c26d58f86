//! The nodes that are being asked whether they are there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;

/// Nodes that are asked at once. A further one is asked at its next heartbeat.
const MAX: usize = 64;
/// Of these, nodes whose heartbeat was too old. Somebody can say recorded ones again without end,
/// so they leave room for the others.
const MAX_OLD: usize = 16;

/// The nodes that are being asked whether they are there.
#[derive(Debug)]
pub(crate) struct PendingChallenges {
    /// Each with whether its heartbeat was fresh.
    pending: Mutex<HashMap<NodeId, bool>>,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
}

impl PendingChallenges {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { pending: Mutex::default(), timeout }
    }

    /// Whether to ask a node now, whose heartbeat was fresh or not.
    pub(crate) fn begin(&self, node: NodeId, fresh: bool) -> bool {
        let mut pending = self.lock();
        let old = pending.values().filter(|fresh| !**fresh).count();
        let room = pending.len() < MAX && (fresh || old < MAX_OLD);
        let begins = room && !pending.contains_key(&node);
        if begins {
            pending.insert(node, fresh);
        }
        begins
    }

    pub(crate) fn end(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, bool>> {
        // Nothing panics while it is locked; a poisoned map is whole.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_heartbeats_leave_room_for_fresh_ones_and_all_are_bounded() {
        let pending_challenges = PendingChallenges::new(Duration::from_secs(1));
        let node = |n: usize| NodeId::from_bytes((n as u64).to_be_bytes());
        let begun =
            |from: usize, fresh| (from..from + 100).filter(|n| pending_challenges.begin(node(*n), fresh)).count();
        assert_eq!(begun(0, false), MAX_OLD);
        assert_eq!(begun(1_000, true), MAX - MAX_OLD);
        assert!(!pending_challenges.begin(node(0), true), "a challenge is pending");
        pending_challenges.end(node(0));
        assert!(pending_challenges.begin(node(0), true));
        assert_eq!(begun(2_000, false), 0, "none is left");
    }
}
