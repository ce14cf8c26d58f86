//! What a store author writes.

use std::future::Future;

use dm_core::store::{Store, StoreError};

/// A place where a store keeps its data.
///
/// The place lives as long as the value: a temporary folder, a schema of a test database. Several live at once, and
/// each must be empty at first and apart from all others.
pub trait Harness: Send + Sync + Sized + 'static {
    /// The store under test.
    type Store: Store;

    /// Whether data outlives the last handle. A store that says no here says why in [`suite!`](crate::suite), and
    /// the cases that need it show as ignored.
    const REOPENS: bool = true;

    /// A new, empty place. Panics when there is none: that is the machine's fault and not the store's.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// Opens the store at this place: for the first time, again after every handle is dropped, and beside handles that
    /// are open. A store that allows one handle at a time refuses the last as
    /// [`Locked`](dm_core::store::StoreErrorKind::Locked).
    fn open(&self) -> impl Future<Output = Result<Self::Store, StoreError>> + Send;

    /// How often this place was synced: since each sync, a power cut does not undo what was written
    /// before it. A commit must sync before it is answered. `None` where syncs cannot be counted;
    /// the suite then prints that this is not proven.
    fn syncs(&self) -> Option<u64> {
        None
    }
}
