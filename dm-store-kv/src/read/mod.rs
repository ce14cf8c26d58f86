//! [`Reader`], the reader of a store. Each call reads from one snapshot of the tables.

mod conversations;
mod history;
mod inbox;
mod messages;
mod newest_message;

use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, EngineReader, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, InboxSeq, KeyRecord, Principal, ServerSequence, StoreError,
    Timestamp, UserId,
};

use newest_message::decode_newest_message;

pub(crate) use inbox::marked_entry;
pub(crate) use messages::MessageReader;

use crate::codec::{self, Fields, log_key};
use crate::failure::Failure;
use crate::rows::{Rows, RowsExt as _};
use crate::tables::Tables;

/// Opens committed states of an engine's tables, for a [`Reader`]. An engine implements this trait.
pub trait Snapshots: Send + Sync + 'static {
    /// A table in one committed state.
    type Table<'a>: Rows;

    /// Calls `read` with the newest committed state of all tables, and returns the result. The
    /// state has no part of a batch that is not committed.
    ///
    /// # Errors
    /// An error of the engine or of `read`.
    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure>;
}

/// The reader of a store: answers all queries from snapshots of the tables.
pub struct Reader<S>(S);

impl<S: Snapshots> Reader<S> {
    /// A reader of the states that `snapshots` opens.
    pub const fn new(snapshots: S) -> Self {
        Self(snapshots)
    }
}

impl<S> std::fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl<S: Snapshots> EngineReader for Reader<S> {
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.0.read(|tables| tables.key(user))?)
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.0.read(|tables| conversations::conversation(tables, id))?)
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        Ok(self.0.read(|tables| conversations::conversations(tables, &query))?)
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.0.read(|tables| history::history(tables, &query))?)
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        Ok(self.0.read(|tables| inbox::inbox(tables, &query))?)
    }

    fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        Ok(self.0.read(|tables| users.iter().map(|user| inbox::head(tables, *user)).collect())?)
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(self.0.read(|tables| inbox::devices(tables, user))?)
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        Ok(self.0.read(|tables| inbox::depth(tables, &who))?)
    }
}

impl<T: Rows> Tables<T> {
    /// A user's current key; `None` if the user has published none.
    pub(crate) fn key(&self, user: UserId) -> Result<Option<KeyRecord>, Failure> {
        let Some(user_ref) = self.user_ref(user)? else { return Ok(None) };
        let (from, to) = (codec::refs_key(user_ref, 0), codec::refs_key(user_ref, u32::MAX));
        self.keys.last_in(&from, &to, |mut key, value| {
            key.skip_ref()?;
            codec::key_record(user, key.last(Fields::u32)?, value)
        })
    }

    /// The number of a conversation's newest message and the time at which it was received; zero
    /// and `None` before the first message.
    pub(crate) fn newest_message(
        &self,
        conversation_ref: u32,
    ) -> Result<(ServerSequence, Option<Timestamp>), Failure> {
        let (from, to) = (log_key(conversation_ref, 0), log_key(conversation_ref, u64::MAX));
        let newest = self.sequence.last_in(&from, &to, decode_newest_message)?;
        Ok(newest.unwrap_or((ServerSequence::ZERO, None)))
    }
}
