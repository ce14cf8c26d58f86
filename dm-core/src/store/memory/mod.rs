//! The store in memory, for tests and for hosts whose messages need not outlive the process.

mod actions;
mod read;
mod records;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::Store;
use super::batch_rows::Revisions;
use super::gate::{Gate, UserGate};
use super::read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    ListedConversation,
};
use super::scan::{ScanPage, ScanQuery};
use super::write::{Outcome, Write};
use crate::conversation::{Conversation, ConversationState};
use crate::counts::Counts;
use crate::device::{DeviceId, Principal};
use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::inbox::InboxEntry;
use crate::message::Message;
use crate::numbers::{InboxSeq, Registration};
use crate::participants::Participants;
use crate::proof::CursorProof;
use crate::record::{Record, RecordKey};
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

/// The contents of the store. The actions are in `actions`, the rest of what writes need in `rows`,
/// the reads in `read` and `records`.
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
    /// The records, in the order of their keys.
    records: BTreeMap<RecordKey, Record>,
    /// The gates that are not the default.
    gates: HashMap<Participants, Gate>,
}

#[derive(Default)]
struct UserState {
    conversations: BTreeSet<ConversationId>,
    /// The entries with the numbers `floor + 1 ..= floor + entries.len()`.
    entries: VecDeque<InboxEntry>,
    /// The number of the newest expired entry.
    floor: u64,
    /// The proof of that entry.
    floor_proof: Option<CursorProof>,
    devices: HashMap<DeviceId, Device>,
    /// The number of the newest registration, of a device that may be forgotten.
    registration: Registration,
    revisions: Revisions,
    gate: UserGate,
}

struct Device {
    cursor: InboxSeq,
    registered_at: Timestamp,
    registration: Registration,
    /// The single entries above the cursor that were acknowledged.
    acknowledged: BTreeSet<InboxSeq>,
}

/// A conversation with its messages.
struct ConversationLog {
    conversation: Conversation,
    /// Message number *n* is at index *n - 1*.
    messages: Vec<Arc<Message>>,
    counts: Counts,
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
        Ok(batch
            .into_iter()
            .map(|write| match write.apply(&mut *state) {
                Ok(outcome) => outcome,
                Err(never) => match never {},
            })
            .collect())
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        let state = self.lock();
        Ok(keys.iter().map(|key| state.records.get(key).cloned()).collect())
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        Ok(self.lock().scan(&query))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.lock().conversations.get(&id).map(ConversationLog::state))
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
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
