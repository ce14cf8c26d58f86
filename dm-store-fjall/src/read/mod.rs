//! Reading: each call one snapshot.

mod conversations;
mod history;
mod inbox;
mod messages;

use std::sync::Arc;

use dm_core::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, EngineReader, HistoryPage,
    HistoryQuery, InboxPage, InboxQuery, KeyRecord, Principal, ServerSequence, StoreError, Timestamp, UserId,
};

pub(crate) use inbox::marked;
pub(crate) use messages::Messages;

use crate::codec::{self, Fields, numbered};
use crate::engine::Engine;
use crate::error::Failure;
use crate::rows::{Rows, Seen};
use crate::tables::Tables;

/// The half of the store that reads.
pub(crate) struct Reader {
    engine: Arc<Engine>,
}

impl Reader {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Reads from the newest committed state.
    fn read<T>(&self, read: impl FnOnce(&Tables<Seen<'_>>) -> Result<T, Failure>) -> Result<T, StoreError> {
        let snapshot = self.engine.snapshot();
        Ok(read(&self.engine.tables.seen(&snapshot))?)
    }
}

impl EngineReader for Reader {
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError> {
        self.read(|tables| tables.key(user))
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.read(|tables| conversations::conversation(tables, id))
    }

    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError> {
        self.read(|tables| conversations::conversations(tables, &query))
    }

    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.read(|tables| history::history(tables, &query))
    }

    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.read(|tables| inbox::inbox(tables, &query))
    }

    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.read(|tables| inbox::devices(tables, user))
    }

    fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.read(|tables| inbox::depth(tables, &who))
    }
}

impl<T: Rows> Tables<T> {
    /// A user's current key.
    pub(crate) fn key(&self, user: UserId) -> Result<Option<KeyRecord>, Failure> {
        let Some(user_ref) = self.user_ref(user)? else { return Ok(None) };
        let (from, to) = (codec::refs(user_ref, 0), codec::refs(user_ref, u32::MAX));
        self.keys.last_in(&from, &to, |mut key, value| {
            key.u32()?;
            codec::key_record(user, key.last(Fields::u32)?, value)
        })
    }

    /// The newest number of a conversation and when its message was received; zero and none before the first.
    pub(crate) fn newest_message(
        &self,
        thread_ref: u32,
    ) -> Result<(ServerSequence, Option<Timestamp>), Failure> {
        let (from, to) = (numbered(thread_ref, 0), numbered(thread_ref, u64::MAX));
        let newest = self.sequence.last_in(&from, &to, |mut key, value| {
            key.u32()?;
            let sequence = ServerSequence::new(key.last(Fields::u64)?);
            Ok((sequence, Some(codec::Place::decode(value)?.at)))
        })?;
        Ok(newest.unwrap_or((ServerSequence::ZERO, None)))
    }
}
