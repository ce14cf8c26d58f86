//! Where the conformance suite and the crash trials find a store.

use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::StoreError;
use dm_store_sqlite::{SqliteConfig, SqliteStore};
use tempfile::TempDir;

/// A file of the store's own in a temporary folder.
pub(crate) struct InAFolder {
    path: PathBuf,
    /// The folder, where it is this process's to remove.
    _folder: Option<TempDir>,
}

impl Harness for InAFolder {
    type Store = SqliteStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { path: folder.path().join("dm.db"), _folder: Some(folder) }
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        let mut config = SqliteConfig::default();
        // A log that fills up within a few commits, so that copying it into the file is interrupted, too.
        config.checkpoint_pages = 50;
        SqliteStore::open_with(&self.path, &config)
    }
}

impl CrashHarness for InAFolder {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }
}
