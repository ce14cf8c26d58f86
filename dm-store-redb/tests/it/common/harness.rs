//! [`File`], the harness by which the conformance suite opens stores.

use std::num::NonZeroUsize;
use std::path::Path;

use dm_conformance::{FolderHarness, OpenAt};
use dm_core::store::StoreError;
use dm_store_redb::{RedbConfig, RedbStore};

/// A store in a temporary file.
pub type File = FolderHarness<OpenRedb>;

/// Opens the store of a test.
pub struct OpenRedb;

impl OpenAt for OpenRedb {
    type Store = RedbStore;

    fn open(path: &Path) -> Result<RedbStore, StoreError> {
        let mut config = RedbConfig::default();
        // With so few entries, rows are merged and generations change in every test that sends more
        // than a few messages.
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        // With so little memory, some users and conversations of a test are in memory and others
        // are not.
        config.heads_bytes = 2 * RedbConfig::HEAD_BYTES;
        RedbStore::open_with(path, &config)
    }
}
