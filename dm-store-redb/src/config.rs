//! How a store uses its database.

use std::num::NonZeroUsize;

use dm_core::{Invalid, StoreError, StoreErrorKind};

/// Choices for [`RedbStore::open_with`](crate::RedbStore::open_with). Start from the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedbConfig {
    /// Pages of the file kept in memory, in bytes; at least [`MIN_CACHE_BYTES`](Self::MIN_CACHE_BYTES). Default
    /// 64 MiB: what is evicted comes back from the operating system's cache of the file. Not used for a database that
    /// the host opened, which has its own.
    pub cache_bytes: usize,
    /// Conversations, and users, whose newest numbers are kept in memory. Default 65,536: about 10 MiB when full.
    /// Others cost one look into the file when they are written to.
    pub heads: NonZeroUsize,
    /// What a crash costs the next open, and what each commit pays for it. Default [`Recovery::Quick`].
    pub recovery: Recovery,
}

/// How a file that was not closed is brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Each commit also saves which pages are free, so that opening after a crash takes as long as opening after a
    /// clean close.
    #[default]
    Quick,
    /// Opening after a crash reads the whole file. Commits write less.
    Walk,
}

impl RedbConfig {
    /// The smallest cache: below it, the pages of one batch evict each other.
    pub const MIN_CACHE_BYTES: usize = 1024 * 1024;

    /// Refuses what cannot work.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        if self.cache_bytes < Self::MIN_CACHE_BYTES {
            let invalid = Invalid::new("cache_bytes", "less than 1 MiB");
            return Err(StoreError::new(StoreErrorKind::Engine, invalid));
        }
        Ok(())
    }
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl Default for RedbConfig {
    fn default() -> Self {
        Self { cache_bytes: 64 * 1024 * 1024, heads: at_least_one(65_536), recovery: Recovery::Quick }
    }
}
