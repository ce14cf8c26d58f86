//! The participants of conversations, remembered by a node between batches.
//!
//! A conversation's participants never change. So the cache needs no lock in the database and is
//! never out of date. A batch that finds all its conversations here knows its lock set without a
//! look-up, and may reserve numbers with the locks (`load/reserve.rs`).

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dm_core::store::{ConversationId, Participants};
use lru::LruCache;

/// Conversations in the cache, at most: about ten megabytes.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The participants of the conversations that were appended to most recently.
#[derive(Debug)]
pub(crate) struct ParticipantsCache(Mutex<LruCache<ConversationId, Participants>>);

impl ParticipantsCache {
    pub(super) fn get(&self, conversation: ConversationId) -> Option<Participants> {
        self.lock().get(&conversation).copied()
    }

    pub(super) fn insert(&self, conversation: ConversationId, participants: Participants) {
        self.lock().put(conversation, participants);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<ConversationId, Participants>> {
        // Nothing panics while this is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ParticipantsCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}
