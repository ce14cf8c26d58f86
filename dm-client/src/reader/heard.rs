//! Which suite each peer has written in.

use std::collections::HashMap;

use crate::{keys::PublicKey, suite::Suite};

/// Peers remembered, about 4 MiB when full.
const PEERS: usize = 65_536;

/// The strongest suite of each peer. It only rises, and no peer is forgotten for another.
#[derive(Debug)]
pub(super) struct Heard {
    most: usize,
    peers: HashMap<PublicKey, Suite>,
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { most: PEERS, peers: HashMap::new() }
    }

    /// A peer wrote in a suite.
    pub(super) fn note(&mut self, peer: &PublicKey, suite: Suite) {
        let room = self.peers.len() < self.most;
        match self.peers.get_mut(peer) {
            Some(strongest) => *strongest = suite.max(*strongest),
            None if room => _ = self.peers.insert(*peer, suite),
            None => {}
        }
    }

    /// The strongest suite that a peer wrote in.
    pub(super) fn strongest(&self, peer: &PublicKey) -> Option<Suite> {
        self.peers.get(peer).copied()
    }

    /// The weakest suite that opens between the user and a peer without being asked for. Without
    /// room for more peers, one that is not known might have written in any suite.
    pub(super) fn weakest_opened(&self, peer: &PublicKey) -> Suite {
        match self.strongest(peer) {
            Some(strongest) => strongest,
            None if self.peers.len() < self.most => Suite::Zero,
            None => Suite::One,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn peer(seed: u8) -> PublicKey {
        Identity::from_seed(&[seed; 32]).public_key()
    }

    #[test]
    fn a_suite_only_rises() {
        let mut heard = Heard::new();
        for (suite, strongest) in
            [(Suite::Zero, Suite::Zero), (Suite::One, Suite::One), (Suite::Zero, Suite::One)]
        {
            heard.note(&peer(1), suite);
            assert_eq!(heard.strongest(&peer(1)), Some(strongest));
        }
        assert_eq!((heard.strongest(&peer(2)), heard.weakest_opened(&peer(2))), (None, Suite::Zero));
    }

    #[test]
    fn without_room_nobody_is_forgotten_and_nobody_new_is_trusted_with_the_weaker_suite() {
        let mut heard = Heard { most: 2, peers: HashMap::new() };
        heard.note(&peer(1), Suite::One);
        heard.note(&peer(2), Suite::Zero);
        heard.note(&peer(3), Suite::One);
        assert_eq!(heard.weakest_opened(&peer(1)), Suite::One);
        assert_eq!(heard.weakest_opened(&peer(2)), Suite::Zero);
        assert_eq!((heard.strongest(&peer(3)), heard.weakest_opened(&peer(3))), (None, Suite::One));
        heard.note(&peer(2), Suite::One);
        assert_eq!(heard.weakest_opened(&peer(2)), Suite::One);
    }
}
