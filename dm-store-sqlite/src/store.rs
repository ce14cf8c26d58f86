//! [`SqliteStore`]: opening it, and the connections that it uses.

use std::path::Path;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError};

use crate::config::SqliteConfig;
use crate::connection::{self, Opening, ReaderPool};
use crate::disk::{absolute, free_bytes};
use crate::read::Reader;
use crate::write::Writer;

/// A [`Store`] in a SQLite file. Clones share the same connections. The connections close when the
/// last clone is dropped.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    embedded: Embedded<Reader>,
}

impl SqliteStore {
    /// Opens a file of the store's own, and creates it if it is missing. The file's folder must
    /// exist.
    ///
    /// Blocks on file operations. After a crash, it also blocks while SQLite recovers its
    /// write-ahead log. Call it before the server accepts requests, or on a thread for blocking
    /// work. It needs no runtime.
    ///
    /// # Errors
    /// - [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    ///   library wrote the file. The file stays as it is.
    /// - [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when the name of another
    ///   program's table begins with the store's prefix. The error's source names one such table.
    ///   The file stays as it is.
    /// - [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when the file is not a database.
    /// - [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when the file cannot be
    ///   opened or stays locked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &SqliteConfig::default())
    }

    /// Opens a file with a configuration, for instance a file of the host.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, config: &SqliteConfig) -> Result<Self, StoreError> {
        // The store may open the file again after the host changed its working directory.
        let (path, config) = (absolute(path.as_ref())?, config.clone());
        let (writer, reader) = open_connections(&path, &config, Opening::First)?;
        let (disk_path, reserve) = (path.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || open_connections(&path, &config, Opening::Again))
            .reserve(reserve, move || free_bytes(&disk_path));
        Ok(Self { embedded: embedded.start()? })
    }
}

impl EmbeddedStore for SqliteStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

/// Opens the connections to a file: the writer and the reader.
fn open_connections(
    path: &Path,
    config: &SqliteConfig,
    opening: Opening,
) -> Result<(Writer, Reader), StoreError> {
    let writer = Writer::new(connection::open_writer(path, config, opening)?, config)?;
    Ok((writer, Reader::new(ReaderPool::open(path, config)?)))
}
