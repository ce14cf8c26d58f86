//! Where the conformance suite finds a store.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::store::StoreError;
use dm_store_sqlite::{SqliteConfig, SqliteStore};
use tempfile::TempDir;

/// A store in a file of its own.
pub struct File {
    path: PathBuf,
    /// Removed with the harness that made it.
    _folder: Option<TempDir>,
}

impl Harness for File {
    type Store = SqliteStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("dm.db"), _folder: Some(folder) }
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        let mut config = SqliteConfig::default();
        // A log that fills up every few commits, so that copying it into the database is under way
        // often, too.
        config.checkpoint_pages = 50;
        // So few that in every test of more than some messages rows are moved, and generations
        // follow each other.
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        // And so few that some of those who are written to are in memory and some are not.
        config.heads_bytes = 2 * SqliteConfig::HEAD_BYTES;
        SqliteStore::open_with(&self.path, &config)
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
