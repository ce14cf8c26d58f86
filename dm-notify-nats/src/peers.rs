//! [`Peers`]: records which verified nodes are alive, and whether nodes that are not verified may
//! be alive. A node is *verified* after it has replied to a challenge of this node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;
use tokio::time::Instant;

/// The maximum number of other nodes that are remembered, the same as in the replay filter. With
/// more nodes, their number is unknown.
const MAX_NODES: usize = 1_024;
/// The number of missed heartbeats after which a node counts as gone.
const MISSED_HEARTBEATS: u32 = 3;

/// The other nodes, with the times of their last frames.
#[derive(Debug)]
pub(crate) struct Peers {
    /// The interval of heartbeats.
    heartbeat: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The time of the last heartbeat of each verified node.
    heartbeats: HashMap<NodeId, Instant>,
    /// The time since which this node has received heartbeats without interruption, and the number
    /// of times that the client had connected to the servers at that time. `None` before the first
    /// connection.
    listening_since: Option<(Instant, u64)>,
    /// Whether the last heartbeat was from a node for which there was no room.
    is_over_limit: bool,
    /// The time of the last frame of each node that may be alive but is not verified.
    unverified_nodes: HashMap<NodeId, Instant>,
    /// The time of the last frame of an unverified node that is not in `unverified_nodes`: its id
    /// is unknown, or there was no room.
    last_unlisted: Option<Instant>,
}

impl Peers {
    pub(crate) fn new(heartbeat: Duration) -> Self {
        Self { heartbeat, state: Mutex::default() }
    }

    /// Records that this node receives heartbeats from now on. `connection_count` is the number of
    /// times that the client has connected to the servers.
    pub(crate) fn start_listening(&self, connection_count: u64) {
        let mut state = self.lock();
        if state.listening_since.is_none_or(|(_, before)| before != connection_count) {
            state.listening_since = Some((Instant::now(), connection_count));
        }
    }

    /// Whether this node receives heartbeats on its current connection, which is number
    /// `connection_count`.
    pub(crate) fn is_listening(&self, connection_count: u64) -> bool {
        self.lock().listening_since.is_some_and(|(_, before)| before == connection_count)
    }

    /// Records a heartbeat of a verified node.
    pub(crate) fn record_heartbeat(&self, node: NodeId) {
        let (now, time_limit) = (Instant::now(), self.heartbeat * MISSED_HEARTBEATS);
        let mut state = self.lock();
        state.heartbeats.retain(|_, heard| now.duration_since(*heard) < time_limit);
        state.is_over_limit = state.heartbeats.len() >= MAX_NODES && !state.heartbeats.contains_key(&node);
        state.unverified_nodes.remove(&node);
        if !state.is_over_limit {
            state.heartbeats.insert(node, now);
        }
    }

    /// Whether a verified node is alive: its last heartbeat is less than three intervals old.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        let (now, state) = (Instant::now(), self.lock());
        state
            .heartbeats
            .get(&node)
            .is_some_and(|heard| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS)
    }

    /// Records that a node left.
    pub(crate) fn record_leaving(&self, node: NodeId) {
        let mut state = self.lock();
        state.heartbeats.remove(&node);
        state.unverified_nodes.remove(&node);
    }

    /// Records a frame of a node that may be alive but is not verified. `None` is a node whose id
    /// is unknown.
    pub(crate) fn record_unverified(&self, node: Option<NodeId>) {
        let (now, time_limit) = (Instant::now(), self.heartbeat * MISSED_HEARTBEATS);
        let mut state = self.lock();
        state.unverified_nodes.retain(|_, heard| now.duration_since(*heard) < time_limit);
        match node {
            Some(node)
                if state.unverified_nodes.len() < MAX_NODES || state.unverified_nodes.contains_key(&node) =>
            {
                state.unverified_nodes.insert(node, now);
            }
            _ => state.last_unlisted = Some(now),
        }
    }

    /// Whether a node that is not verified may be alive: it sent a frame within the last three
    /// heartbeat intervals.
    pub(crate) fn has_unverified(&self) -> bool {
        let (now, state) = (Instant::now(), self.lock());
        let mut unverified_nodes = state.unverified_nodes.values().chain(&state.last_unlisted);
        unverified_nodes.any(|heard| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS)
    }

    /// The verified nodes that are alive. `None` if this node has received heartbeats on the
    /// current connection, number `connection_count`, for less than one interval, or if there are
    /// too many nodes.
    pub(crate) fn alive_nodes(&self, connection_count: u64) -> Option<Vec<NodeId>> {
        let now = Instant::now();
        let state = self.lock();
        let (since, _) = state.listening_since.filter(|(_, before)| *before == connection_count)?;
        let is_recent = |heard: &Instant| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS;
        let is_complete = !state.is_over_limit && now.duration_since(since) >= self.heartbeat;
        let alive = state.heartbeats.iter().filter(|(_, heard)| is_recent(heard));
        is_complete.then(|| alive.map(|(node, _)| *node).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while this is locked, so the state is complete even if the lock is
        // poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u64) -> NodeId {
        NodeId::from_bytes(n.to_be_bytes())
    }

    #[test]
    fn the_number_of_peers_is_unknown_before_one_heartbeat_interval_has_passed() {
        let slow = Peers::new(Duration::from_secs(3_600));
        assert_eq!(slow.alive_nodes(1), None, "this node does not receive heartbeats");
        slow.start_listening(1);
        slow.record_heartbeat(node(1));
        assert_eq!(slow.alive_nodes(1), None);

        let quick = Peers::new(Duration::ZERO);
        quick.start_listening(1);
        assert_eq!(quick.alive_nodes(1), Some(vec![]));
        assert_eq!(quick.alive_nodes(2), None, "the servers were reached again");
    }

    #[test]
    fn a_node_is_unverified_until_it_is_verified_or_leaves_and_memory_is_bounded() {
        let peers = Peers::new(Duration::from_secs(3_600));
        for remove in [Peers::record_heartbeat, Peers::record_leaving] {
            peers.record_unverified(Some(node(1)));
            assert!(peers.has_unverified());
            remove(&peers, node(2));
            assert!(peers.has_unverified(), "another node");
            remove(&peers, node(1));
            assert!(!peers.has_unverified());
        }
        (0..=MAX_NODES as u64).for_each(|n| peers.record_unverified(Some(node(n))));
        assert_eq!(peers.lock().unverified_nodes.len(), MAX_NODES);
        (0..MAX_NODES as u64).for_each(|n| peers.record_leaving(node(n)));
        assert!(peers.has_unverified(), "there was one node more than are remembered");

        let quick = Peers::new(Duration::ZERO);
        quick.record_unverified(None);
        quick.record_unverified(Some(node(1)));
        assert!(!quick.has_unverified(), "its frames are too old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_alive_until_it_missed_three_heartbeats() {
        let (heartbeat, tick) = (Duration::from_secs(4), Duration::from_millis(1));
        let peers = Peers::new(heartbeat);
        peers.start_listening(1);
        peers.record_heartbeat(node(1));
        peers.record_unverified(Some(node(2)));
        tokio::time::advance(heartbeat * 3 - tick).await;
        assert!(peers.is_alive(node(1)) && peers.has_unverified());
        assert_eq!(peers.alive_nodes(1), Some(vec![node(1)]));
        tokio::time::advance(tick).await;
        assert!(!peers.is_alive(node(1)) && !peers.has_unverified());
        assert_eq!(peers.alive_nodes(1), Some(vec![]));
    }

    #[test]
    fn with_too_many_nodes_their_number_is_unknown() {
        let peers = Peers::new(Duration::from_secs(3_600));
        (0..MAX_NODES as u64).for_each(|n| peers.record_heartbeat(node(n)));
        assert!(!peers.lock().is_over_limit);
        peers.record_heartbeat(node(0));
        assert!(!peers.lock().is_over_limit, "a node that is remembered");
        peers.record_heartbeat(node(u64::MAX));
        assert!(peers.lock().is_over_limit);
        assert_eq!(peers.lock().heartbeats.len(), MAX_NODES);
        peers.record_leaving(node(0));
        peers.record_heartbeat(node(u64::MAX));
        assert!(!peers.lock().is_over_limit);
    }
}
