//! [`FolderHarness`]: the harness of a store that keeps its data in a file or a folder.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use dm_core::store::{Store, StoreError};
use tempfile::TempDir;

use crate::Harness;
use crate::crash::CrashHarness;

/// The way in which a [`FolderHarness`] opens a store.
pub trait OpenAt: 'static {
    /// The store under test.
    type Store: Store;

    /// Opens the store at `path`, in an existing folder. At the first call for a path, nothing
    /// exists there.
    ///
    /// # Errors
    /// The error of opening the store.
    fn open(path: &Path) -> Result<Self::Store, StoreError>;
}

/// A harness whose storage locations are paths, each in a temporary folder. It serves
/// [`suite!`](crate::suite), [`crash_suite!`](crate::crash_suite) and
/// [`processes_suite!`](crate::processes_suite).
#[derive(Debug)]
pub struct FolderHarness<O> {
    path: PathBuf,
    /// The temporary folder, which is removed when this harness is dropped. `None` for a harness
    /// that [`CrashHarness::at`] made.
    _folder: Option<TempDir>,
    open_at: PhantomData<fn() -> O>,
}

impl<O: OpenAt> Harness for FolderHarness<O> {
    type Store = O::Store;

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("dm"), _folder: Some(folder), open_at: PhantomData }
    }

    async fn open(&self) -> Result<O::Store, StoreError> {
        O::open(&self.path)
    }
}

impl<O: OpenAt> CrashHarness for FolderHarness<O> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None, open_at: PhantomData }
    }
}
