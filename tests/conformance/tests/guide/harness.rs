//! The harness of the store, for the suite and the crash trials.

use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::store::StoreError;

use crate::store;

/// A log file in a temporary folder.
pub(crate) struct LogHarness {
    path: PathBuf,
    /// The temporary folder, if this process made it. It is removed on drop.
    _folder: Option<tempfile::TempDir>,
}

impl Harness for LogHarness {
    type Store = store::LogStore;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { path: folder.path().join("dm.log"), _folder: Some(folder) }
    }

    async fn open(&self) -> Result<store::LogStore, StoreError> {
        store::open(&self.path)
    }
}

impl CrashHarness for LogHarness {
    fn path(&self) -> &Path {
        &self.path
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }
}
