//! [`EmbeddedStore`], for types that pass every call to an [`Embedded`](crate::store::Embedded)
//! inside them.

use std::num::NonZeroUsize;

use async_trait::async_trait;

use crate::conversation::ConversationState;
use crate::device::Principal;
use crate::ids::ConversationId;
use crate::numbers::InboxSeq;
use crate::record::{Record, RecordKey};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, InboxPage, InboxQuery,
    ListedConversation,
};
use crate::store::scan::{ScanPage, ScanQuery};
use crate::store::status::StoreStatus;
use crate::store::write::{Outcome, Write};
use crate::user::UserId;

/// A type that is a [`Store`] because it passes every call to an
/// [`Embedded`](crate::store::Embedded) inside it. A crate exports such a type instead of
/// `Embedded<R>`, so that its public API has no type of its engine.
///
/// ```
/// use dm_core::store::{Embedded, EmbeddedStore, EngineReader, EngineWriter, Store, StoreError};
///
/// /// The store that the crate exports.
/// struct FileStore<R> {
///     embedded: Embedded<R>,
/// }
///
/// impl<R: EngineReader> EmbeddedStore for FileStore<R> {
///     fn embedded(&self) -> &dyn Store {
///         &self.embedded
///     }
/// }
///
/// fn open(writer: impl EngineWriter, reader: impl EngineReader) -> Result<impl Store, StoreError> {
///     Ok(FileStore { embedded: Embedded::new(writer, reader)? })
/// }
/// ```
pub trait EmbeddedStore: Send + Sync + 'static {
    /// The store that answers every call.
    fn embedded(&self) -> &dyn Store;
}

#[async_trait]
impl<S: EmbeddedStore> Store for S {
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.embedded().commit(batch).await
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.embedded().records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.embedded().scan(query).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.embedded().conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.embedded().conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.embedded().history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.embedded().inbox(query).await
    }

    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        self.embedded().inbox_heads(users).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.embedded().devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.embedded().depth(who).await
    }

    fn status(&self) -> StoreStatus {
        self.embedded().status()
    }

    fn lanes(&self) -> NonZeroUsize {
        self.embedded().lanes()
    }
}
