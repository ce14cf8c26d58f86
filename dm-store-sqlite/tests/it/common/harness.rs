//! [`File`], the harness by which the conformance suite opens stores.

use std::num::NonZeroUsize;
use std::path::Path;

use dm_conformance::{FolderHarness, OpenAt};
use dm_core::store::StoreError;
use dm_store_sqlite::{SqliteConfig, SqliteStore};

/// A store in a temporary file.
pub type File = FolderHarness<OpenSqlite>;

/// Opens the store of a test.
pub struct OpenSqlite;

impl OpenAt for OpenSqlite {
    type Store = SqliteStore;

    fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let mut config = SqliteConfig::default();
        // Checkpoints after every few commits, so that tests include many of them.
        config.checkpoint_pages = 50;
        // With so few entries, rows are merged and generations change in every test that sends more
        // than a few messages.
        config.recent_entries = NonZeroUsize::new(24).unwrap();
        // With so little memory, some users and conversations of a test are in memory and others
        // are not.
        config.heads_bytes = 2 * SqliteConfig::HEAD_BYTES;
        SqliteStore::open_with(path, &config)
    }
}
