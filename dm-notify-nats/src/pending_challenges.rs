//! [`PendingChallenges`]: the challenges under way. A *challenge* is a request that only a running
//! node can reply to ([`challenge`](crate::challenge)).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;

/// The maximum number of challenges at once. A further node is not challenged until a later
/// heartbeat.
const MAX_PENDING: usize = 64;
/// The maximum number of challenges at once for nodes whose heartbeat was too old. An attacker can
/// replay any number of old heartbeats, so the challenges that they cause must leave room for
/// challenges after fresh heartbeats.
const MAX_PENDING_OLD: usize = 16;

/// The nodes with a challenge under way.
#[derive(Debug)]
pub(crate) struct PendingChallenges {
    /// Whether the heartbeat of each challenged node was fresh.
    pending: Mutex<HashMap<NodeId, bool>>,
    /// The time limit for a reply.
    pub(crate) timeout: Duration,
}

impl PendingChallenges {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { pending: Mutex::default(), timeout }
    }

    /// Records the start of a challenge. `is_fresh` is whether the node's heartbeat was fresh.
    /// Returns `false`, and records nothing, if a challenge of `node` is already under way or if
    /// there is no room.
    pub(crate) fn try_begin(&self, node: NodeId, is_fresh: bool) -> bool {
        let mut pending = self.lock();
        let old = pending.values().filter(|fresh| !**fresh).count();
        let room = pending.len() < MAX_PENDING && (is_fresh || old < MAX_PENDING_OLD);
        let can_begin = room && !pending.contains_key(&node);
        if can_begin {
            pending.insert(node, is_fresh);
        }
        can_begin
    }

    /// Records the end of a challenge.
    pub(crate) fn end(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, bool>> {
        // Nothing panics while this is locked, so the map is complete even if the lock is poisoned.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_after_old_heartbeats_leave_room_for_those_after_fresh_ones() {
        let pending_challenges = PendingChallenges::new(Duration::from_secs(1));
        let node = |n: usize| NodeId::from_bytes((n as u64).to_be_bytes());
        let begun = |from: usize, fresh| {
            (from..from + 100).filter(|n| pending_challenges.try_begin(node(*n), fresh)).count()
        };
        assert_eq!(begun(0, false), MAX_PENDING_OLD);
        assert_eq!(begun(1_000, true), MAX_PENDING - MAX_PENDING_OLD);
        assert!(!pending_challenges.try_begin(node(0), true), "a challenge is pending");
        pending_challenges.end(node(0));
        assert!(pending_challenges.try_begin(node(0), true));
        assert_eq!(begun(2_000, false), 0, "no room is left for old heartbeats");
    }
}
