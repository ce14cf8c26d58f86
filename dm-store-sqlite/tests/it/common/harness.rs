//! [`File`], the harness by which the conformance suite opens stores.

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
    /// The temporary folder, which is removed when the harness that created it is dropped.
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
        // Checkpoints after every few commits, so that tests include many of them.
        config.checkpoint_pages = 50;
        // With so few entries, rows are merged and generations change in every test that sends more
        // than a few messages.
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        // With so little memory, some users and conversations of a test are in memory and others
        // are not.
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
