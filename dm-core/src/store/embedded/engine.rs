//! [`EngineWriter`] and [`EngineReader`], the traits of an engine whose calls block.

use std::num::NonZeroUsize;

use crate::conversation::ConversationState;
use crate::device::Principal;
use crate::ids::ConversationId;
use crate::numbers::InboxSeq;
use crate::record::{Record, RecordKey};
use crate::store::error::StoreError;
use crate::store::read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    ListedConversation,
};
use crate::store::scan::{ScanPage, ScanQuery};
use crate::store::write::{Outcome, Write};
use crate::user::UserId;

/// The writer of an engine whose calls block. All its methods are called on one thread.
pub trait EngineWriter: Send + 'static {
    /// Applies a batch, under the contract of [`Store::commit`](crate::store::Store::commit).
    ///
    /// # Errors
    /// As [`Store::commit`](crate::store::Store::commit). After
    /// [`OutcomeUnknown`](crate::store::StoreErrorKind::OutcomeUnknown),
    /// [`Closed`](crate::store::StoreErrorKind::Closed) or a panic the writer is not called again.
    fn commit(&mut self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// Whether the engine refuses all further work although the outcome of the last commit is
    /// known. Some engines do so after a file error. This is called after a commit that failed.
    /// After `true` the writer is not called again.
    fn is_broken(&self) -> bool {
        false
    }
}

/// The reader of an engine whose calls block. It is called from many threads at the same time. Each
/// method does the same as the method with its name in [`Store`](crate::store::Store). If the
/// engine refuses all further work, each method returns
/// [`Closed`](crate::store::StoreErrorKind::Closed).
#[expect(missing_docs, reason = "each method is documented at Store")]
pub trait EngineReader: Send + Sync + 'static {
    fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError>;
    fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError>;
    fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;
    fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError>;
    fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;
    fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;
    fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        users.into_iter().map(|user| Ok(self.inbox(InboxQuery::for_head(user))?.head)).collect()
    }
    fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;
    fn depth(&self, who: Principal) -> Result<Depth, StoreError>;

    /// Maximum number of reads that run at the same time. Default: 8.
    ///
    /// A read that waits for others takes no thread. So a thousand clients that connect at the same
    /// time do not take all threads of the runtime's blocking pool.
    fn max_concurrent_reads(&self) -> NonZeroUsize {
        const { NonZeroUsize::new(8).unwrap() }
    }
}
