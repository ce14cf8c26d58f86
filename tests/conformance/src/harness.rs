//! The interface between the suite and a store.

use std::future::Future;

use dm_core::store::{Store, StoreError};

/// A storage location for the store under test.
///
/// The location exists as long as the value: for example a temporary folder, or a schema in a test
/// database. Several locations exist at the same time. Each is empty at first and shares no data
/// with the others.
pub trait Harness: Send + Sync + Sized + 'static {
    /// The store under test.
    type Store: Store;

    /// Whether the data outlives the last handle. For a store whose data does not,
    /// [`suite!`](crate::suite) needs the reason, and the cases about reopening are shown as
    /// ignored.
    const REOPENS: bool = true;

    /// Makes a new, empty location. Panics if that fails, because it is a fault of the machine and
    /// not of the store.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// Opens the store at this location: the first time, after all handles were dropped, and next
    /// to open handles. A store that allows one handle at a time refuses the second as
    /// [`Locked`](dm_core::store::StoreErrorKind::Locked).
    fn open(&self) -> impl Future<Output = Result<Self::Store, StoreError>> + Send;

    /// The number of syncs at this location so far. A sync makes all earlier writes survive a power
    /// cut; a commit must sync before it returns. `None` if syncs cannot be counted; the suite then
    /// prints that this is not proven.
    fn syncs(&self) -> Option<u64> {
        None
    }
}
