//! The store, and opening its database.

use std::path::Path;
use std::sync::Arc;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError, StoreErrorKind};
use dm_store_kv::files::{absolute, catch_panic, create_file, free_bytes, unavailable};
use redb::{Builder, Database, DatabaseError};

use crate::config::RedbConfig;
use crate::error::from_redb;
use crate::read::{EngineSnapshots, Reader};
use crate::schema;
use crate::write::Writer;

/// A [`Store`] in a redb database. Clones are handles to the same store.
///
/// Dropping the last clone waits for a running commit and then closes the file. Closing blocks for
/// about as long as a commit. If a read is still running, the file is closed when the read ends.
#[derive(Clone, Debug)]
pub struct RedbStore {
    embedded: Embedded<Reader>,
}

impl RedbStore {
    /// Opens the store in a file of its own, with the default configuration. A missing file is
    /// created, with access for the process's user only. Its folder must exist.
    ///
    /// Blocks until the file is open. [`Recovery`](crate::Recovery) lists how long this takes after
    /// a crash. Call this function before the server accepts connections, or on a thread for
    /// blocking work. It needs no runtime.
    ///
    /// # Errors
    /// - [`Locked`](dm_core::store::StoreErrorKind::Locked) while another process, or another store
    ///   in this process, has the file open.
    /// - [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    ///   library wrote the file. The file is not changed.
    /// - [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when the file has a table
    ///   that is not the library's, although the table's name begins with `dm_`. The error's source
    ///   names the table. The file is not changed.
    /// - [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when the file is damaged or is not a
    ///   database.
    /// - [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when the file cannot be
    ///   opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &RedbConfig::default())
    }

    /// Opens the store in a file of its own, as [`open`](Self::open) does, with a configuration.
    ///
    /// # Errors
    /// - The errors of [`open`](Self::open).
    /// - [`Engine`](dm_core::store::StoreErrorKind::Engine) when a field has a value that cannot
    ///   work. The error's source names the field.
    pub fn open_with(path: impl AsRef<Path>, config: &RedbConfig) -> Result<Self, StoreError> {
        config.validate()?;
        // The path is made absolute, because a host may change its working directory before the
        // file is opened again.
        let (path, config) = (absolute(path.as_ref())?, config.clone());
        let database = catch_panic(|| open(&path, &config))?;
        let (writer, reader) = writer_and_reader(database.into(), &config)?;
        let (disk_path, reserve) = (path.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || writer_and_reader(catch_panic(|| open_again(&path, &config))?.into(), &config))
            .reserve(reserve, move || free_bytes(&disk_path));
        Ok(Self { embedded: embedded.start()? })
    }

    /// Opens the store in a database that the host has open, beside the host's own tables. Only
    /// tables whose names begin with `dm_` are read and changed. While the host has a write
    /// transaction of its own open, a commit waits.
    ///
    /// The store keeps the database open until its last handle is dropped. Several stores may be
    /// opened in one database: their commits wait for each other, and each store sees the writes of
    /// the others.
    ///
    /// # Errors
    /// - [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    ///   library made the tables. Nothing is changed.
    /// - [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when the name of a host's
    ///   table begins with `dm_`. The error's source names the table. Nothing is changed.
    /// - Any other error of the engine.
    pub fn from_database(database: Arc<Database>, config: &RedbConfig) -> Result<Self, StoreError> {
        let (writer, reader) = writer_and_reader(database, config)?;
        Ok(Self { embedded: Embedded::new(writer, reader)? })
    }
}

impl EmbeddedStore for RedbStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

/// Migrates the schema of a database, and returns the store's writer and reader.
fn writer_and_reader(database: Arc<Database>, config: &RedbConfig) -> Result<(Writer, Reader), StoreError> {
    catch_panic(|| schema::migrate(&database))?;
    Ok((Writer::new(Arc::downgrade(&database), config), Reader::new(EngineSnapshots(database))))
}

/// Opens a file, and creates it if it is missing or empty.
fn open(path: &Path, config: &RedbConfig) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    if !path.try_exists().map_err(unavailable)? {
        // redb writes the bytes that identify its files last. A process that is killed while it
        // creates a file leaves a file that redb cannot open. So `create_file` gives the file its
        // name when it is complete.
        create_file(path, |new| {
            let database = builder.create(new).map_err(from_redb)?;
            schema::migrate(&database)
        })?;
    } else if std::fs::metadata(path).map_err(unavailable)?.len() == 0 {
        return builder.create(path).map_err(from_redb);
    }
    open_existing(path, &builder)
}

/// Reopens a file that this store had open before an error. A missing or empty file is an error.
fn open_again(path: &Path, config: &RedbConfig) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    if std::fs::metadata(path).map_err(unavailable)?.len() == 0 {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the file is empty"));
    }
    let database = open_existing(path, &builder)?;
    schema::check_current(&database)?;
    Ok(database)
}

/// Opens a file that exists and is not empty, and checks its schema.
fn open_existing(path: &Path, builder: &Builder) -> Result<Database, StoreError> {
    // Opening for writing changes the file. A file that a newer library wrote must not be changed,
    // so the schema is first examined in read-only mode.
    match builder.open_read_only(path) {
        Ok(database) => {
            schema::check_compatible(&database)?;
            database.close().map_err(from_redb)?;
        }
        // The file was not closed. redb must repair it before it can be read, and the repair
        // changes it. So the schema is checked only after the repair.
        Err(DatabaseError::RepairAborted) => {
            tracing::warn!("the database was not closed, and is being recovered");
        }
        Err(error) => return Err(from_redb(error)),
    }
    let database = builder.open(path).map_err(from_redb)?;
    schema::check_compatible(&database)?;
    Ok(database)
}
