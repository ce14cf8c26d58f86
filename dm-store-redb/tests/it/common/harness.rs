//! Where the conformance suite finds a store.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::store::StoreError;
use dm_store_redb::{RedbConfig, RedbStore};
use tempfile::TempDir;

/// A store in a file of its own.
pub struct File {
    path: PathBuf,
    /// Removed with the harness that made it.
    _folder: Option<TempDir>,
}

impl Harness for File {
    type Store = RedbStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("dm.redb"), _folder: Some(folder) }
    }

    async fn open(&self) -> Result<RedbStore, StoreError> {
        let mut config = RedbConfig::default();
        // So few that in every test of more than some messages rows are moved, and generations
        // follow each other.
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        // And so few that some of those who are written to are in memory and some are not.
        config.heads_bytes = 2 * RedbConfig::HEAD_BYTES;
        RedbStore::open_with(&self.path, &config)
    }
}

impl CrashHarness for File {
    fn path(&self) -> &Path {
        &self.path
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }
}
