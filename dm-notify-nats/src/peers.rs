//! Which nodes there are, by what they say now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::notify::NodeId;
use tokio::time::Instant;

/// Other nodes remembered, at most. With more nobody knows how many there are.
const MAX: usize = 1_024;
/// Heartbeats a node may miss before it counts as gone.
const MISSED_HEARTBEATS: u32 = 3;

/// The other nodes.
#[derive(Debug)]
pub(crate) struct Peers {
    heartbeat: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The time at which each was last heard.
    heard: HashMap<NodeId, Instant>,
    /// Since when this node hears the others without a break, and the servers' count of connections
    /// at that time.
    since: Option<(Instant, u64)>,
    /// There was one too many to remember.
    too_many: bool,
    /// Nodes that may be there although they were not met, and when each was heard of last.
    unverified_nodes: HashMap<NodeId, Instant>,
    /// The time at which somebody was heard of last who cannot be told, or not be remembered.
    overflow_heard: Option<Instant>,
}

impl Peers {
    pub(crate) fn new(heartbeat: Duration) -> Self {
        Self { heartbeat, state: Mutex::default() }
    }

    /// This node begins to hear the others, at first or again.
    pub(crate) fn start_listening(&self, connects: u64) {
        let mut state = self.lock();
        if state.since.is_none_or(|(_, before)| before != connects) {
            state.since = Some((Instant::now(), connects));
        }
    }

    /// Whether it does already, by the servers' count of connections.
    pub(crate) fn is_listening(&self, connects: u64) -> bool {
        self.lock().since.is_some_and(|(_, before)| before == connects)
    }

    /// A node that was met is there.
    pub(crate) fn heard(&self, node: NodeId) {
        let (now, bound) = (Instant::now(), self.heartbeat * MISSED_HEARTBEATS);
        let mut state = self.lock();
        state.heard.retain(|_, heard| now.duration_since(*heard) < bound);
        state.too_many = state.heard.len() >= MAX && !state.heard.contains_key(&node);
        state.unverified_nodes.remove(&node);
        if !state.too_many {
            state.heard.insert(node, now);
        }
    }

    /// Whether a node was heard in the time in which a node that is there says so.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        let (now, state) = (Instant::now(), self.lock());
        state.heard.get(&node).is_some_and(|heard| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS)
    }

    pub(crate) fn left(&self, node: NodeId) {
        let mut state = self.lock();
        state.heard.remove(&node);
        state.unverified_nodes.remove(&node);
    }

    /// A node may be there that was not met. `None` is one that cannot be told from others.
    pub(crate) fn note_unverified(&self, node: Option<NodeId>) {
        let (now, bound) = (Instant::now(), self.heartbeat * MISSED_HEARTBEATS);
        let mut state = self.lock();
        state.unverified_nodes.retain(|_, heard| now.duration_since(*heard) < bound);
        match node {
            Some(node) if state.unverified_nodes.len() < MAX || state.unverified_nodes.contains_key(&node) => {
                state.unverified_nodes.insert(node, now);
            }
            _ => state.overflow_heard = Some(now),
        }
    }

    /// Whether there may be nodes that were not met, by what was heard in the time in which a
    /// node that is there says so.
    pub(crate) fn has_unverified(&self) -> bool {
        let (now, state) = (Instant::now(), self.lock());
        let mut unverified_nodes = state.unverified_nodes.values().chain(&state.overflow_heard);
        unverified_nodes.any(|heard| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS)
    }

    /// The other nodes; `None` unless each had its time to say that it is there since this node
    /// hears them.
    pub(crate) fn known(&self, connects: u64) -> Option<Vec<NodeId>> {
        let now = Instant::now();
        let state = self.lock();
        let (since, _) = state.since.filter(|(_, before)| *before == connects)?;
        let lasts = |heard: &Instant| now.duration_since(*heard) < self.heartbeat * MISSED_HEARTBEATS;
        let is_complete = !state.too_many && now.duration_since(since) >= self.heartbeat;
        is_complete.then(|| state.heard.iter().filter(|(_, heard)| lasts(heard)).map(|(node, _)| *node).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked; a poisoned map is whole.
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
    fn nobody_is_known_before_the_others_had_time_to_speak() {
        let slow = Peers::new(Duration::from_secs(3_600));
        assert_eq!(slow.known(1), None, "not on the bus");
        slow.listens(1);
        slow.heard(node(1));
        assert_eq!(slow.known(1), None);

        let quick = Peers::new(Duration::ZERO);
        quick.listens(1);
        assert_eq!(quick.known(1), Some(vec![]));
        assert_eq!(quick.known(2), None, "the servers were reached anew");
    }

    #[test]
    fn a_node_is_doubted_until_it_is_met_or_leaves_and_memory_is_bounded() {
        let peers = Peers::new(Duration::from_secs(3_600));
        for remove in [Peers::heard, Peers::left] {
            peers.note_unverified(Some(node(1)));
            assert!(peers.has_unverified());
            remove(&peers, node(2));
            assert!(peers.has_unverified(), "another one");
            remove(&peers, node(1));
            assert!(!peers.has_unverified());
        }
        (0..=MAX as u64).for_each(|n| peers.note_unverified(Some(node(n))));
        assert_eq!(peers.lock().unverified_nodes.len(), MAX);
        (0..MAX as u64).for_each(|n| peers.left(node(n)));
        assert!(peers.has_unverified(), "there was one more");

        let quick = Peers::new(Duration::ZERO);
        quick.note_unverified(None);
        quick.note_unverified(Some(node(1)));
        assert!(!quick.has_unverified(), "its time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_there_until_it_missed_three_heartbeats() {
        let (heartbeat, tick) = (Duration::from_secs(4), Duration::from_millis(1));
        let peers = Peers::new(heartbeat);
        peers.start_listening(1);
        peers.heard(node(1));
        peers.note_unverified(Some(node(2)));
        tokio::time::advance(heartbeat * 3 - tick).await;
        assert!(peers.is_alive(node(1)) && peers.has_unverified());
        assert_eq!(peers.known(1), Some(vec![node(1)]));
        tokio::time::advance(tick).await;
        assert!(!peers.is_alive(node(1)) && !peers.has_unverified());
        assert_eq!(peers.known(1), Some(vec![]));
    }

    #[test]
    fn too_many_to_remember_are_not_counted() {
        let peers = Peers::new(Duration::from_secs(3_600));
        (0..MAX as u64).for_each(|n| peers.heard(node(n)));
        assert!(!peers.lock().too_many);
        peers.heard(node(0));
        assert!(!peers.lock().too_many, "one of them again");
        peers.heard(node(u64::MAX));
        assert!(peers.lock().too_many);
        assert_eq!(peers.lock().heard.len(), MAX);
        peers.left(node(0));
        peers.heard(node(u64::MAX));
        assert!(!peers.lock().too_many);
    }
}
