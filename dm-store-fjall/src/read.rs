//! Reading: each call one snapshot.

use std::sync::Arc;

use dm_store_kv::{Failure, Snapshots, Tables};

use crate::engine::Engine;
use crate::rows::Seen;
use crate::tables::seen;

/// The half of the store that reads.
pub(crate) type Reader = dm_store_kv::Reader<Newest>;

/// The newest committed state.
pub(crate) struct Newest(pub(crate) Arc<Engine>);

impl Snapshots for Newest {
    type Table<'a> = Seen<'a>;

    fn read<R>(&self, read: impl FnOnce(&Tables<Seen<'_>>) -> Result<R, Failure>) -> Result<R, Failure> {
        let snapshot = self.0.snapshot();
        read(&seen(&self.0.tables, &snapshot))
    }
}
