//! [`Folder`], the harness by which the conformance suite opens stores.

use std::path::Path;

use dm_conformance::{FolderHarness, OpenAt};
use dm_core::store::StoreError;
use dm_store_fjall::{FjallConfig, FjallStore};

/// A store in a temporary folder.
pub type Folder = FolderHarness<OpenFjall>;

/// Opens the store of a test.
pub struct OpenFjall;

impl OpenAt for OpenFjall {
    type Store = FjallStore;

    fn open(path: &Path) -> Result<FjallStore, StoreError> {
        let mut config = FjallConfig::default();
        // With so little memory, some users and conversations of a test are in memory and others
        // are not.
        config.heads_bytes = 2 * FjallConfig::HEAD_BYTES;
        FjallStore::open_with(path, &config)
    }
}
