//! How a store is opened by these tests.

use std::future::Future;
use std::path::Path;

use dm_core::store::{Store, StoreError, Timestamp};

/// A time at which nothing that a trial commits has expired yet.
pub const LATER: Timestamp = Timestamp::from_millis(1 << 50);

/// A store whose files these tests damage.
pub trait DiskHarness: 'static {
    /// The store.
    type Store: Store + Clone;

    /// Opens the store at a path that may be missing, in a folder that is there, with so many bytes
    /// of the disk reserved.
    ///
    /// # Errors
    /// What opening fails with.
    fn open(path: &Path, reserve_bytes: u64) -> Result<Self::Store, StoreError>;

    /// Called by the child process of a trial after its *n*-th batch: brings the engine to do now
    /// what it does now and then. Whatever it commits must be of users and conversations from 1,000
    /// on, and at [`LATER`].
    fn between(_store: &Self::Store, _n: u64) -> impl Future<Output = ()> {
        async {}
    }
}
