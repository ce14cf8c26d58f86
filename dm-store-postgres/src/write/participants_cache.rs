//! [`ParticipantsCache`], which keeps the participants of conversations between the batches of a
//! node.
//!
//! A conversation's participants never change. So the cache needs no lock in the database and is
//! never out of date. A batch that finds all its conversations in the cache knows the users to lock
//! without a look-up. Such a batch can reserve numbers with the statements that lock users
//! (`load/reserve.rs`).

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dm_core::store::{ConversationId, Participants};
use lru::LruCache;

/// The maximum number of conversations in the cache: about ten megabytes.
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
        // No code panics while it holds this lock, so a poisoned lock has a complete cache.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ParticipantsCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}
