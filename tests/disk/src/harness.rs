//! The harness of these tests.

use std::future::Future;
use std::path::Path;

use dm_core::store::{Store, StoreError, Timestamp};

/// A time at which no entry of a trial has expired.
pub const LATER: Timestamp = Timestamp::from_millis(1 << 50);

/// A store that keeps files, which these tests damage.
pub trait DiskHarness: 'static {
    /// The store.
    type Store: Store + Clone;

    /// Opens the store at a path that may not exist, in an existing folder, with so many bytes of
    /// the disk as its reserve.
    ///
    /// # Errors
    /// Fails as opening the store does.
    fn open(path: &Path, reserve_bytes: u64) -> Result<Self::Store, StoreError>;

    /// The child process of a trial calls this after its *n*-th batch. It makes the engine do its
    /// occasional work now, such as a checkpoint. If it commits, then only writes of users and
    /// conversations from 1,000 on, at the time [`LATER`].
    fn between(_store: &Self::Store, _n: u64) -> impl Future<Output = ()> {
        async {}
    }
}
