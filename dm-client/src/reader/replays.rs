//! The messages decrypted lately, to detect replays.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::ids::{ClientMessageId, MessageId};
use crate::numbers::ServerSequence;
use crate::suite::NONCE_LEN;

/// The identity of a message by what its sender encrypted, which the server cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ReplayKey {
    /// Suite 1: the sender and the client message id inside the ciphertext.
    ClientId { sender: [u8; 32], id: ClientMessageId },
    /// Suite 0, which authenticates neither direction nor id: the nonce, between the user and a
    /// peer.
    Nonce { peer: [u8; 32], nonce: [u8; NONCE_LEN] },
}

/// The identity of a message by what the server assigned to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) id: MessageId,
    pub(super) sequence: ServerSequence,
}

/// Whether a message was decrypted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// It was not, as far as the cache remembers.
    New,
    /// It was, under the same id and number.
    Known,
    /// It was, under another id or number.
    Repeated { first: MessageId },
}

/// The messages decrypted last, each with the id and the number that it was first seen under.
#[derive(Debug)]
pub(super) struct ReplayCache(LruCache<ReplayKey, Assigned>);

impl ReplayCache {
    /// A cache of at most `messages` messages.
    pub(super) fn new(messages: NonZeroUsize) -> Self {
        Self(LruCache::new(messages))
    }

    /// Adds a message, or replaces what is known of it.
    pub(super) fn insert(&mut self, key: ReplayKey, assigned: Assigned) {
        self.0.put(key, assigned);
    }

    /// Looks a message up. A message that is found becomes the newest in the cache.
    pub(super) fn check(&mut self, key: &ReplayKey, assigned: Assigned) -> Replay {
        match self.0.get(key) {
            Some(first) if *first != assigned => Replay::Repeated { first: first.id },
            Some(_) => Replay::Known,
            None => Replay::New,
        }
    }
}
