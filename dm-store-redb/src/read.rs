//! [`Reader`], the store's reader. Each call reads in one transaction.

use std::sync::Arc;

use dm_store_kv::{Failure, Snapshots, Tables};
use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::error::to_failure;
use crate::table_with_runs::TableWithRuns;
use crate::tables;

/// The reader of the store. It keeps the database open.
pub(crate) type Reader = dm_store_kv::Reader<EngineSnapshots>;

/// The snapshots of the database. Each read gets a new one: a read transaction on the newest
/// committed state.
pub(crate) struct EngineSnapshots(pub(crate) Arc<Database>);

impl Snapshots for EngineSnapshots {
    type Table<'a> = TableWithRuns<&'a ReadTransaction>;

    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let transaction = self.0.begin_read().map_err(to_failure)?;
        read(&tables::read(&transaction)?)
    }
}
