//! What a node remembers between batches: who conversations are between. That never changes, so it needs no lock and is
//! never out of date; it only saves looking it up before the users are locked.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dm_core::store::{ConversationId, Participants};
use lru::LruCache;

/// Conversations remembered: about ten megabytes.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The users of the conversations that were appended to last.
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
