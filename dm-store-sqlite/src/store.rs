//! The store that hosts hold.

use std::path::Path;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError};

use crate::config::SqliteConfig;
use crate::connection::{self, Opening, Readers};
use crate::disk::{absolute, free_bytes};
use crate::read::Reader;
use crate::write::Writer;

/// A [`Store`] in a SQLite file. Clones are handles to the same connections, which close with the last of them.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    embedded: Embedded<Reader>,
}

impl SqliteStore {
    /// Opens a file of the store's own, making it if it is missing; its folder must exist.
    ///
    /// Blocks for as long as the file system takes, and after a crash while SQLite recovers its log: call it before
    /// serving, or on a thread for blocking work. Needs no runtime.
    ///
    /// # Errors
    /// [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the library
    /// wrote it, and it is left as it is; [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables)
    /// when names that begin with the store's prefix stand for something else, of which the error's
    /// source names one, and the file is left as it is;
    /// [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when it is no database;
    /// [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when it cannot be opened or stays
    /// locked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &SqliteConfig::default())
    }

    /// Opens a file with choices, for instance one of the host's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, config: &SqliteConfig) -> Result<Self, StoreError> {
        // A host may change its working directory before the file is opened again.
        let (path, config) = (absolute(path.as_ref())?, config.clone());
        let (writer, reader) = halves(&path, &config, Opening::First)?;
        let (measured, reserve) = (path.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || halves(&path, &config, Opening::Again))
            .reserve(reserve, move || free_bytes(&measured));
        Ok(Self { embedded: embedded.start()? })
    }
}

impl EmbeddedStore for SqliteStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

fn halves(path: &Path, config: &SqliteConfig, opening: Opening) -> Result<(Writer, Reader), StoreError> {
    let writer = Writer::new(connection::writer(path, config, opening)?, config)?;
    Ok((writer, Reader::new(Readers::open(path, config)?)))
}
