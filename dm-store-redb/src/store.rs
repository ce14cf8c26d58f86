//! The store that hosts hold.

use std::path::Path;
use std::sync::Arc;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError, StoreErrorKind};
use dm_store_kv::files::{absolute, catch_panic, create_file, free_bytes, unavailable};
use redb::{Builder, Database, DatabaseError};

use crate::config::RedbConfig;
use crate::error::from_redb;
use crate::read::{Newest, Reader};
use crate::schema;
use crate::write::Writer;

/// A [`Store`] in a redb database. Clones are handles to the same one.
///
/// The file is closed when the last clone is dropped, or when the commit or read that then is under
/// way ends. Closing blocks for a moment, as a commit does.
#[derive(Clone, Debug)]
pub struct RedbStore {
    embedded: Embedded<Reader>,
}

impl RedbStore {
    /// Opens a file of the store's own, making it, for its user only, if it is missing; its folder
    /// must exist.
    ///
    /// Blocks for as long as the file system takes; after a crash, [`Recovery`](crate::Recovery)
    /// says how long that is. Call it before serving, or on a thread for blocking work. Needs no
    /// runtime.
    ///
    /// # Errors
    /// [`Locked`](dm_core::store::StoreErrorKind::Locked) while another process, or another store
    /// of this one, has it open; [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when
    /// a newer version of the library wrote it, and it is left as it is;
    /// [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when it is no database or damaged;
    /// [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &RedbConfig::default())
    }

    /// Opens a file with choices.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Engine`](dm_core::store::StoreErrorKind::Engine), naming the
    /// field, when a choice cannot work.
    pub fn open_with(path: impl AsRef<Path>, config: &RedbConfig) -> Result<Self, StoreError> {
        config.validate()?;
        // A host may change its working directory before the file is opened again.
        let (path, config) = (absolute(path.as_ref())?, config.clone());
        let database = catch_panic(|| open(&path, &config))?;
        let (writer, reader) = halves(database.into(), &config)?;
        let (measured, reserve) = (path.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || halves(catch_panic(|| open_again(&path, &config))?.into(), &config))
            .reserve(reserve, move || free_bytes(&measured));
        Ok(Self { embedded: embedded.start()? })
    }

    /// Keeps the store in a database that the host has open, beside the host's own tables. Only
    /// tables whose names begin with `dm_` are touched. While the host writes in a transaction of
    /// its own, commits wait.
    ///
    /// The store holds the database until its last handle is dropped. A store may be made more than
    /// once from one database: they take turns, and each notices what another wrote.
    ///
    /// # Errors
    /// [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    /// library made the tables; [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables)
    /// when a name that begins with `dm_` stands for a table of the host's, which the error's
    /// source names; then nothing is changed; what the engine reports besides.
    pub fn from_database(database: Arc<Database>, config: &RedbConfig) -> Result<Self, StoreError> {
        let (writer, reader) = halves(database, config)?;
        Ok(Self { embedded: Embedded::new(writer, reader)? })
    }
}

impl EmbeddedStore for RedbStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

fn halves(database: Arc<Database>, config: &RedbConfig) -> Result<(Writer, Reader), StoreError> {
    catch_panic(|| schema::migrate(&database))?;
    Ok((Writer::new(Arc::downgrade(&database), config), Reader::new(Newest(database))))
}

fn open(path: &Path, config: &RedbConfig) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    if !path.try_exists().map_err(unavailable)? {
        // redb writes the bytes that mark its file last, so that a process that is killed before
        // that leaves a file that is no database.
        create_file(path, |new| {
            let database = builder.create(new).map_err(from_redb)?;
            schema::migrate(&database)
        })?;
    } else if std::fs::metadata(path).map_err(unavailable)?.len() == 0 {
        return builder.create(path).map_err(from_redb);
    }
    open_existing(path, &builder)
}

/// Opens a file again that the store had open, and makes nothing in its place.
fn open_again(path: &Path, config: &RedbConfig) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    if std::fs::metadata(path).map_err(unavailable)?.len() == 0 {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the file is empty"));
    }
    let database = open_existing(path, &builder)?;
    schema::expect_current(&database)?;
    Ok(database)
}

fn open_existing(path: &Path, builder: &Builder) -> Result<Database, StoreError> {
    // A file may only be changed after it is known that no newer library wrote it, and opening for
    // writing changes it.
    match builder.open_read_only(path) {
        Ok(database) => {
            schema::examine(&database)?;
            database.close().map_err(from_redb)?;
        }
        // It was not closed, and nobody can read it before it is repaired.
        Err(DatabaseError::RepairAborted) => {
            tracing::warn!("the database was not closed: recovering it");
        }
        Err(error) => return Err(from_redb(error)),
    }
    let database = builder.open(path).map_err(from_redb)?;
    schema::examine(&database)?;
    Ok(database)
}
