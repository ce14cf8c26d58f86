//! The harness of the conformance suite.

use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::store::StoreError;
use dm_store_fjall::{FjallConfig, FjallStore};
use tempfile::TempDir;

/// A store in a temporary folder.
pub struct Folder {
    path: PathBuf,
    /// The temporary folder, which is removed with the harness that made it.
    _folder: Option<TempDir>,
}

impl Harness for Folder {
    type Store = FjallStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("dm"), _folder: Some(folder) }
    }

    async fn open(&self) -> Result<FjallStore, StoreError> {
        let mut config = FjallConfig::default();
        // Memory for two conversations and two users only, so that a test has some in memory and
        // some not.
        config.heads_bytes = 2 * FjallConfig::HEAD_BYTES;
        FjallStore::open_with(&self.path, &config)
    }
}

impl CrashHarness for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }
}
