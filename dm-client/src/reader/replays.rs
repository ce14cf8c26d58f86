//! [`ReplayCache`]: the recently decrypted messages, to detect that the server repeats one.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::ids::{ClientMessageId, MessageId};
use crate::numbers::ServerSequence;
use crate::suite::NONCE_LEN;

/// Identifies a message by bytes that its sender chose. The server cannot change these bytes,
/// because the message would then not decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ReplayKey {
    /// Suite 1: the sender and the client message id inside the ciphertext.
    ClientId { sender: [u8; 32], id: ClientMessageId },
    /// Suite 0: the peer and the nonce. This suite authenticates neither direction nor id.
    Nonce { peer: [u8; 32], nonce: [u8; NONCE_LEN] },
}

/// Identifies a message by the id and the number that the server assigned to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AssignedIds {
    pub(super) id: MessageId,
    pub(super) sequence: ServerSequence,
}

/// Whether a message was decrypted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// The message is not in the cache.
    New,
    /// The message is in the cache, with the same id and number.
    Known,
    /// The message is in the cache, with another id or number. `first` is the id in the cache.
    Repeated { first: MessageId },
}

/// The messages that were decrypted last. Each has the id and the number with which it was
/// decrypted.
#[derive(Debug)]
pub(super) struct ReplayCache(LruCache<ReplayKey, AssignedIds>);

impl ReplayCache {
    /// A cache of at most `messages` messages.
    pub(super) fn new(messages: NonZeroUsize) -> Self {
        Self(LruCache::new(messages))
    }

    /// Adds a message, or replaces its id and number.
    pub(super) fn insert(&mut self, key: ReplayKey, assigned: AssignedIds) {
        self.0.put(key, assigned);
    }

    /// Looks a message up. A message that is in the cache becomes the newest one. The cache removes
    /// its oldest message when it is full.
    pub(super) fn check(&mut self, key: &ReplayKey, assigned: AssignedIds) -> Replay {
        match self.0.get(key) {
            Some(first) if *first != assigned => Replay::Repeated { first: first.id },
            Some(_) => Replay::Known,
            None => Replay::New,
        }
    }
}
