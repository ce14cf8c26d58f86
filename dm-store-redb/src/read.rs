//! Reading: each call one transaction.

use std::sync::Arc;

use dm_store_kv::{Failure, Snapshots, Tables};
use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::error::failed;
use crate::stored::Stored;
use crate::tables;

/// The half of the store that reads. It holds the database open.
pub(crate) type Reader = dm_store_kv::Reader<Newest>;

/// The newest committed state.
pub(crate) struct Newest(pub(crate) Arc<Database>);

impl Snapshots for Newest {
    type Table<'a> = Stored<&'a ReadTransaction>;

    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<Self::Table<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let transaction = self.0.begin_read().map_err(failed)?;
        read(&tables::read(&transaction)?)
    }
}
