//! The traits of an engine whose calls block.

use std::num::NonZeroUsize;

use crate::conversation::ConversationState;
use crate::device::Principal;
use crate::ids::ConversationId;
use crate::key::KeyRecord;
use crate::numbers::InboxSeq;
use crate::store::error::StoreError;
use crate::store::read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
};
use crate::store::write::{Outcome, Write};
use crate::user::UserId;

/// The writing half of an engine whose calls block. All calls are made on one thread.
pub trait EngineWriter: Send + 'static {
    /// Applies a batch, under the contract of [`Store::commit`](crate::store::Store::commit).
    ///
    /// # Errors
    /// As [`Store::commit`](crate::store::Store::commit). After
    /// [`OutcomeUnknown`](crate::store::StoreErrorKind::OutcomeUnknown),
    /// [`Closed`](crate::store::StoreErrorKind::Closed) or a panic it is not called again.
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// Whether the engine refuses all further work although the outcome of the last commit is
    /// known, as some do after an error of their file. Called after a commit that failed. After
    /// `true` the writing half is not called again.
    fn is_broken(&self) -> bool {
        false
    }
}

/// The reading half of an engine whose calls block. It is called from many threads at the same
/// time. Each method does what the method of the same name of [`Store`](crate::store::Store) does.
/// An engine that refuses all further work answers
/// [`Closed`](crate::store::StoreErrorKind::Closed).
#[expect(missing_docs, reason = "each method is documented at Store")]
pub trait EngineReader: Send + Sync + 'static {
    fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError>;
    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;
    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError>;
    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;
    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;
    fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        users.into_iter().map(|user| Ok(self.inbox(InboxQuery::of_head(user))?.head)).collect()
    }
    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;
    fn depth(&self, who: Principal) -> Result<Depth, StoreError>;

    /// The number of reads that may run at the same time, at most. Further reads wait without a
    /// thread, so that a thousand clients that connect at once do not take all threads of the
    /// runtime's blocking pool. 8 unless it is overridden.
    fn at_once(&self) -> NonZeroUsize {
        const { NonZeroUsize::new(8).unwrap() }
    }
}
