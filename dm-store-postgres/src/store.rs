//! [`PostgresStore`]: opening it, and the calls of the [`Store`] trait.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use dm_core::store::{
    ConversationId, ConversationState, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery,
    InboxPage, InboxQuery, InboxSeq, ListedConversation, Outcome, Principal, Record, RecordKey, ScanPage,
    ScanQuery, Store, StoreError, StoreErrorKind, StoreStatus, UserId, Write,
};
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};

use crate::config::PostgresConfig;
use crate::connection::{self, Connections};
use crate::durability::{self, ObservedDurability};
use crate::error::from_postgres;
use crate::read::Reader;
use crate::schema;
use crate::write::{CommitMarkers, Committer, ParticipantsCache, delete_stale_markers};

/// A [`Store`] in a PostgreSQL database. Clones share the same connections. The connections close
/// when the last clone is dropped and the last running commit has ended.
#[derive(Clone)]
pub struct PostgresStore {
    committer: Arc<Committer>,
    reader: Reader,
    durability: ObservedDurability,
}

impl PostgresStore {
    /// Opens the store in a database, without TLS and with the default configuration. Migrates the
    /// schema to this library's version. The database must exist. `parameters` have the syntax of
    /// libpq: `host=… user=… dbname=…` or a `postgres://` address.
    ///
    /// # Errors
    /// - [`NewerSchema`](StoreErrorKind::NewerSchema) when a newer version of the library wrote the
    ///   schema. Nothing is changed.
    /// - [`ForeignTables`](StoreErrorKind::ForeignTables) when the schema holds tables of another
    ///   program. The error's source names one of these tables. Nothing is changed.
    /// - [`Unavailable`](StoreErrorKind::Unavailable) when the server cannot be reached, or is a
    ///   standby, which accepts no writes.
    /// - [`Engine`](StoreErrorKind::Engine) when the server refuses the user or gives less than
    ///   [`least_durability`](PostgresConfig::least_durability), or when `parameters` are not
    ///   valid.
    ///
    /// # Cancel safety
    /// If the future is dropped, the schema has its old version or the new one.
    pub async fn open(parameters: &str) -> Result<Self, StoreError> {
        Self::open_with(parameters, NoTls, &PostgresConfig::default()).await
    }

    /// Opens the store with a configuration and a TLS connector, for instance `MakeRustlsConnect`
    /// of `tokio-postgres-rustls`. With `sslmode=require` among the parameters, nothing is sent
    /// over the network without TLS.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with<T>(parameters: &str, tls: T, config: &PostgresConfig) -> Result<Self, StoreError>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let parameters = connection::parameters(parameters, config)?;
        let reads = Connections::new(parameters.clone(), tls.clone(), config.read_connections, config)?;
        let connections = Connections::new(parameters, tls, config.commit_connections, config)?;
        let mut first = connections.first_connection().await?;
        let durability = durability::check(&first, config.least_durability).await?;
        schema::migrate(&mut first, &config.schema).await?;
        delete_stale_markers(&first).await.map_err(from_postgres)?;
        drop(first);
        let (markers, participants) = (CommitMarkers::default(), ParticipantsCache::default());
        let committer = Committer { connections, config: config.clone(), markers, participants };
        let durability = ObservedDurability::new(durability, config.durability_interval);
        Ok(Self { committer: Arc::new(committer), reader: Reader::new(reads), durability })
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore")
            .field("commits", &self.committer.connections.status())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    /// Commits the batch in a task of its own. If the caller drops the future, the task still runs
    /// to its end.
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let committer = Arc::clone(&self.committer);
        let task = tokio::spawn(async move { committer.write_batch(&batch).await });
        task.await.unwrap_or_else(|error| Err(StoreError::new(StoreErrorKind::OutcomeUnknown, error)))
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(self.reader.records(&keys).await?)
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        Ok(self.reader.scan(&query).await?)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        Ok(self.reader.conversation(id).await?)
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        Ok(self.reader.conversations(&query).await?)
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.reader.history(&query).await?)
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        Ok(self.reader.inbox(&query).await?)
    }

    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        Ok(self.reader.inbox_heads(&users).await?)
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        Ok(self.reader.devices(user).await?)
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        Ok(self.reader.depth(&who).await?)
    }

    /// The durability that the last check of the server's settings found. It is kept in memory.
    ///
    /// The store checks the settings when it is opened. A call within a tokio runtime starts
    /// another check when the last one is older than
    /// [`durability_interval`](PostgresConfig::durability_interval).
    fn status(&self) -> StoreStatus {
        let mut status = StoreStatus::default();
        status.durability = self.durability.get(&self.reader);
        status
    }

    fn lanes(&self) -> NonZeroUsize {
        self.committer.config.lanes
    }
}
