//! The store, and opening its database.

use std::path::Path;
use std::sync::Arc;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError, StoreErrorKind};
use dm_store_kv::files::{absolute, catch_panic, create_folder, free_bytes, is_new_folder};
use fjall::{CompressionType, Database};

use crate::config::FjallConfig;
use crate::engine::Engine;
use crate::error::from_fjall;
use crate::journals;
use crate::read::{EngineSnapshots, Reader};
use crate::schema;
use crate::write::Writer;

/// The number of threads that write and merge tables in the background: one for each of the three
/// keyspaces, and fjall's first thread, which never merges.
///
/// fjall's default, one thread per core up to four, is too few on small machines:
///
/// - With two threads, one merges. The first thread, which must not merge, takes the next merge out
///   of the queue and puts it back, in a loop. This keeps a core busy (seen in 3.1.13: 41 % of the
///   threads' time).
/// - With one thread, commits during a merge can fill the queue. The thread then waits forever for
///   room in the queue.
const WORKERS: usize = 4;

/// A [`Store`] in a fjall database. Clones are handles to the same store.
///
/// Dropping the last clone waits for a running commit and then closes the folder. If a read is
/// still running, the folder is closed when the read ends.
///
/// Closing blocks for one more commit, which writes the newest numbers in memory that have changed:
/// up to two short rows for each [`HEAD_BYTES`](FjallConfig::HEAD_BYTES) of
/// [`heads_bytes`](FjallConfig::heads_bytes). Closing also blocks until a merge in the background
/// ends.
#[derive(Clone, Debug)]
pub struct FjallStore {
    embedded: Embedded<Reader>,
}

impl FjallStore {
    /// Opens the store in a folder of its own, with the default options. A missing folder is
    /// created, and only the user of the process gets access to it. Its parent folder must exist.
    ///
    /// Blocks while it reads the journals. [`journal_bytes`](FjallConfig::journal_bytes) limits
    /// their size. Opening takes as long after a clean close as after a crash. Call this function
    /// before the server accepts connections, or on a thread for blocking work. It needs no
    /// runtime.
    ///
    /// # Errors
    /// - [`Locked`](dm_core::store::StoreErrorKind::Locked) while another process, or another store
    ///   in this process, has the folder open.
    /// - [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    ///   library wrote the folder. The folder is not changed.
    /// - [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when the folder has a
    ///   keyspace that is not the library's, although the keyspace's name begins with `dm_`. The
    ///   error's source names the keyspace.
    /// - [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when the folder is damaged or is not
    ///   a database.
    /// - [`Full`](dm_core::store::StoreErrorKind::Full) when there is no room for a journal.
    /// - [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when the folder cannot be
    ///   opened.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(folder, &FjallConfig::default())
    }

    /// Opens a folder like [`open`](Self::open), with the options of a configuration.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Engine`](dm_core::store::StoreErrorKind::Engine) when an
    /// option cannot work. The error's source names the field.
    pub fn open_with(folder: impl AsRef<Path>, config: &FjallConfig) -> Result<Self, StoreError> {
        config.validate()?;
        // The path is made absolute, because a host may change its working directory before the
        // folder is opened again.
        let (folder, config) = (absolute(folder.as_ref())?, config.clone());
        let (writer, reader) = writer_and_reader(catch_panic(|| open(&folder, &config))?, &config)?;
        schema::write_marker(&folder)?;
        let (disk_path, reserve) = (folder.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || writer_and_reader(catch_panic(|| reopen(&folder, &config))?, &config))
            .reserve(reserve, move || free_bytes(&disk_path));
        Ok(Self { embedded: embedded.start()? })
    }

    /// Opens the store in a database that the host has open, beside the host's own keyspaces. The
    /// store reads and changes only keyspaces whose names begin with `dm_`. The host may write to
    /// its own keyspaces at any time. Writes of the host and commits of the store wait for each
    /// other, because they share the journal.
    ///
    /// The host should build the database with `worker_threads(4)` or more. fjall's default is the
    /// number of cores, at most four. With two threads, fjall wastes a core during each merge; with
    /// one thread, commits can wait forever. The host should also set
    /// `journal_compression(CompressionType::None)`, because ciphertext cannot be compressed.
    ///
    /// The store keeps the database open until the store's last handle is dropped. Several stores
    /// may be opened in one database. Their commits wait for each other, and all of them have the
    /// configuration of the first one.
    ///
    /// # Errors
    /// - [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    ///   library made the tables. Nothing is changed.
    /// - [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when the name of a host's
    ///   keyspace begins with `dm_`. The error's source names the keyspace. Nothing is changed.
    /// - [`Engine`](dm_core::store::StoreErrorKind::Engine) when an option cannot work. The error's
    ///   source names the field.
    /// - Any other error of the engine.
    pub fn from_database(database: Database, config: &FjallConfig) -> Result<Self, StoreError> {
        config.validate()?;
        let (writer, reader) = writer_and_reader(database, config)?;
        Ok(Self { embedded: Embedded::new(writer, reader)? })
    }
}

impl EmbeddedStore for FjallStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

/// Makes the writer and the reader of a store in a database. Migrates the schema.
fn writer_and_reader(database: Database, config: &FjallConfig) -> Result<(Writer, Reader), StoreError> {
    let engine = catch_panic(|| Engine::for_database(database, config))?;
    Ok((Writer::new(Arc::clone(&engine)), Reader::new(EngineSnapshots(engine))))
}

/// Opens a folder, and creates it if it is missing or empty.
fn open(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    if is_new_folder(folder)? {
        // fjall cannot open the files of a process that was killed while it created them. So
        // `create_folder` gives the folder its name when it is complete.
        create_folder(folder, |new| {
            let database = open_database(new, config).map_err(from_fjall)?;
            schema::migrate(&database, config)?;
            drop(database);
            schema::write_marker(new)
        })?;
    }
    open_existing(folder, config)
}

/// Reopens a folder that this store had open before an error. A missing or empty folder is an
/// error.
fn reopen(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    if is_new_folder(folder)? {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the folder is missing or empty"));
    }
    open_existing(folder, config)
}

/// Repairs the journals of a folder, and opens its database. Fails if the folder has a marker but
/// no tables: the marker is written after the tables are created, so the tables were lost.
fn open_existing(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    let marker_version = schema::marker_version(folder)?;
    if marker_version > 0 {
        // A sync may have failed when the folder was last open.
        journals::rewrite(folder)?;
    }
    let database = match open_database(folder, config) {
        Err(fjall::Error::JournalRecovery(_)) if journals::drop_torn_batch(folder)? => {
            tracing::warn!(
                "the last batch of the journal is damaged, probably by a power cut, and is dropped"
            );
            open_database(folder, config)
        }
        opened => opened,
    };
    let database = database.map_err(from_fjall)?;
    if schema::stored_version(&database)? > 0 {
        // The caller migrates the tables next, and the marker must be written before that.
        schema::write_marker(folder)?;
    } else if marker_version > 0 {
        // fjall would create the missing keyspaces, and the data loss would go unnoticed.
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the tables of the folder are missing"));
    }
    Ok(database)
}

/// Opens a folder in fjall, or creates the files of a database in it.
fn open_database(folder: &Path, config: &FjallConfig) -> fjall::Result<Database> {
    Database::builder(folder)
        .cache_size(config.cache_bytes)
        .max_journaling_size(config.journal_bytes)
        .worker_threads(WORKERS)
        // Only payloads are long enough to be compressed, and ciphertext cannot be compressed.
        .journal_compression(CompressionType::None)
        .open()
}
