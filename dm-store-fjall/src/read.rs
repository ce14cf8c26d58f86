//! [`Reader`], the store's reader. Each call reads from one snapshot.

use std::sync::Arc;

use dm_store_kv::{Failure, Snapshots, Tables};

use crate::engine::Engine;
use crate::rows::SnapshotTable;
use crate::tables::snapshot_tables;

/// The reader of the store.
pub(crate) type Reader = dm_store_kv::Reader<EngineSnapshots>;

/// The snapshots of an engine's tables. Each read gets a new one, of the newest committed state.
pub(crate) struct EngineSnapshots(pub(crate) Arc<Engine>);

impl Snapshots for EngineSnapshots {
    type Table<'a> = SnapshotTable<'a>;

    fn read<R>(
        &self,
        read: impl FnOnce(&Tables<SnapshotTable<'_>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let snapshot = self.0.snapshot();
        read(&snapshot_tables(&self.0.tables, &snapshot))
    }
}
