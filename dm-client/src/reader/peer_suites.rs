//! [`PeerSuites`]: the strongest cipher suite that each peer has used for its messages.

use std::collections::HashMap;

use crate::keys::UserId;
use crate::suite::Suite;

/// Maximum number of peers in the map. They take about 4 MiB.
const MAX_PEERS: usize = 65_536;

/// The strongest suite that each peer has used for its messages. The suite of a peer only rises,
/// and no peer is removed.
#[derive(Debug)]
pub(super) struct PeerSuites {
    max_peers: usize,
    peers: HashMap<UserId, Suite>,
}

impl PeerSuites {
    pub(super) fn new() -> Self {
        Self { max_peers: MAX_PEERS, peers: HashMap::new() }
    }

    /// Records that a peer sent a message in a suite. If the map is full, a new peer is not added.
    pub(super) fn record(&mut self, peer: &UserId, suite: Suite) {
        let is_full = self.peers.len() >= self.max_peers;
        match self.peers.get_mut(peer) {
            Some(strongest) => *strongest = suite.max(*strongest),
            None if is_full => {}
            None => _ = self.peers.insert(*peer, suite),
        }
    }

    /// The strongest suite that a peer has used; `None` if the peer is not in the map.
    pub(super) fn strongest(&self, peer: &UserId) -> Option<Suite> {
        self.peers.get(peer).copied()
    }

    /// The weakest suite that is accepted between the user and a peer. If the map is full, a peer
    /// that is not in the map may have used the strongest suite, so only this suite is accepted.
    pub(super) fn weakest_accepted(&self, peer: &UserId) -> Suite {
        match self.strongest(peer) {
            Some(strongest) => strongest,
            None if self.peers.len() < self.max_peers => Suite::Zero,
            None => Suite::One,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn peer(seed: u8) -> UserId {
        Identity::from_seed(&[seed; 32]).user_id()
    }

    #[test]
    fn the_suite_of_a_peer_only_rises() {
        let mut suites = PeerSuites::new();
        for (suite, strongest) in
            [(Suite::Zero, Suite::Zero), (Suite::One, Suite::One), (Suite::Zero, Suite::One)]
        {
            suites.record(&peer(1), suite);
            assert_eq!(suites.strongest(&peer(1)), Some(strongest));
        }
        assert_eq!((suites.strongest(&peer(2)), suites.weakest_accepted(&peer(2))), (None, Suite::Zero));
    }

    #[test]
    fn a_full_map_evicts_no_peer_and_accepts_suite_0_from_no_new_one() {
        let mut suites = PeerSuites { max_peers: 2, peers: HashMap::new() };
        suites.record(&peer(1), Suite::One);
        suites.record(&peer(2), Suite::Zero);
        suites.record(&peer(3), Suite::One);
        assert_eq!(suites.weakest_accepted(&peer(1)), Suite::One);
        assert_eq!(suites.weakest_accepted(&peer(2)), Suite::Zero);
        assert_eq!((suites.strongest(&peer(3)), suites.weakest_accepted(&peer(3))), (None, Suite::One));
        suites.record(&peer(2), Suite::One);
        assert_eq!(suites.weakest_accepted(&peer(2)), Suite::One);
    }
}
