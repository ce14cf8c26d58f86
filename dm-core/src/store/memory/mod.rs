//! The store in memory, for tests and for hosts whose messages need not outlive the process.

mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery, Outcome, Store,
    Write,
};
use crate::conversation::{Conversation, ConversationState};
use crate::device::{DeviceId, Principal};
use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::inbox::InboxEntry;
use crate::key::KeyRecord;
use crate::message::Message;
use crate::numbers::InboxSeq;
use crate::participants::Participants;
use crate::store::error::StoreError;
use crate::time::Timestamp;
use crate::user::UserId;

/// A store in memory. A batch is applied under one lock. Clones share the contents.
///
/// It keeps the whole contract of [`Store`], except that all contents are lost when the process
/// ends.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// The contents of the store. The writes are in `write`, the reads in `read`.
#[derive(Default)]
struct State {
    users: HashMap<UserId, UserState>,
    conversations: HashMap<ConversationId, ConversationLog>,
    /// The conversation of each pair of users.
    pairs: HashMap<Participants, ConversationId>,
    /// Each message with the numbers of its two inbox entries.
    messages: HashMap<MessageId, StoredMessage>,
    /// The message that each client id of a sender was used for.
    client_ids: HashMap<(UserId, ClientMessageId), MessageId>,
    /// The announcements of published keys that are not finished, by publisher.
    announcements: BTreeMap<UserId, Announcement>,
}

#[derive(Default)]
struct UserState {
    /// The current key; `None` if the user has published none.
    key: Option<KeyRecord>,
    /// The user's conversations, in the order in which they were opened.
    conversations: Vec<ConversationId>,
    /// The entries with the numbers `floor + 1 ..= floor + entries.len()`.
    entries: VecDeque<InboxEntry>,
    /// The number of the newest expired entry.
    floor: u64,
    devices: HashMap<DeviceId, Device>,
    /// The keys of `devices`, oldest registration first.
    registered: Vec<DeviceId>,
}

struct Device {
    cursor: InboxSeq,
    registered_at: Timestamp,
    /// The single entries above the cursor that were acknowledged.
    acknowledged: BTreeSet<InboxSeq>,
}

/// A conversation with its messages.
struct ConversationLog {
    conversation: Conversation,
    /// Message number *n* is at index *n - 1*.
    messages: Vec<Arc<Message>>,
}

/// A message with its entries in both inboxes.
struct StoredMessage {
    message: Arc<Message>,
    /// The number of the entry in the sender's inbox.
    sender_seq: InboxSeq,
    /// The number of the entry in the recipient's inbox.
    recipient_seq: InboxSeq,
    recipient: UserId,
}

/// The announcement of a published key: the range `next..end` of indexes in the publisher's
/// `conversations`. The peers in these conversations have no notice yet.
struct Announcement {
    next: usize,
    end: usize,
}

impl UserState {
    /// The number of the newest entry, kept or expired.
    fn head(&self) -> InboxSeq {
        InboxSeq::new(self.floor + self.entries.len() as u64)
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A write makes all its checks before its first change, and no write panics between two
        // changes. So even a poisoned state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut state = self.lock();
        Ok(batch.into_iter().map(|write| state.apply(write).unwrap_or_else(Outcome::Refused)).collect())
    }

    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.lock().users.get(&user).and_then(|user| user.key))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.lock().conversations.get(&id).map(ConversationLog::state))
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        Ok(self.lock().conversations_of(&query))
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.lock().history(&query))
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        Ok(self.lock().inbox(&query))
    }

    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        let state = self.lock();
        let head = |user| state.users.get(user).map_or(InboxSeq::ZERO, UserState::head);
        Ok(users.iter().map(head).collect())
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(self.lock().devices(user))
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        Ok(self.lock().depth(&who))
    }
}
