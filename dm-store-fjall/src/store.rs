//! The store that hosts hold.

use std::path::Path;
use std::sync::Arc;

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError, StoreErrorKind};
use dm_store_kv::files::{absolute, catch_panic, create_folder, free_bytes, is_new_folder};
use fjall::{CompressionType, Database};

use crate::config::FjallConfig;
use crate::engine::Engine;
use crate::error::from_fjall;
use crate::journals;
use crate::read::{Committed, Reader};
use crate::schema;
use crate::write::Writer;

/// Threads that write and merge tables in the background: one for each keyspace, and fjall's first,
/// which only writes.
///
/// fjall's default, one per core up to four, is too few on small machines. With two, the first one
/// puts a merge that it must not do back into the queue, takes it out again, and keeps a core busy
/// for as long as the other merges (seen in 3.1.13: 41 % of their time). With one, whoever commits
/// while it merges can fill the queue that it then waits to put something in.
const WORKERS: usize = 4;

/// A [`Store`] in a fjall database. Clones are handles to the same one.
///
/// The folder is closed when the last clone is dropped, or when the commit or read that then is
/// under way ends. Closing blocks for as long as a merge of tables in the background takes, or a
/// commit of up to two narrow rows for each [`HEAD_BYTES`](FjallConfig::HEAD_BYTES) of
/// [`heads_bytes`](FjallConfig::heads_bytes).
#[derive(Clone, Debug)]
pub struct FjallStore {
    embedded: Embedded<Reader>,
}

impl FjallStore {
    /// Opens a folder of the store's own, making it, for its user only, if it is missing; the
    /// folder it is in must exist.
    ///
    /// Blocks while the journals are read, which after a clean close are as long as after a crash:
    /// [`journal_bytes`](FjallConfig::journal_bytes) bounds them. Call it before serving, or on a
    /// thread for blocking work. Needs no runtime.
    ///
    /// # Errors
    /// [`Locked`](dm_core::store::StoreErrorKind::Locked) while another process, or another store
    /// of this one, has it open; [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when
    /// a newer version of the library wrote it, and it is left as it is;
    /// [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when it is no database or damaged;
    /// [`Full`](dm_core::store::StoreErrorKind::Full) when there is no room for a journal;
    /// [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when it cannot be opened.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(folder, &FjallConfig::default())
    }

    /// Opens a folder with choices.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Engine`](dm_core::store::StoreErrorKind::Engine), naming the
    /// field, when a choice cannot work.
    pub fn open_with(folder: impl AsRef<Path>, config: &FjallConfig) -> Result<Self, StoreError> {
        config.validate()?;
        // A host may change its working directory before the folder is opened again.
        let (folder, config) = (absolute(folder.as_ref())?, config.clone());
        let (writer, reader) = halves(catch_panic(|| open(&folder, &config))?, &config)?;
        schema::mark(&folder)?;
        let (measured, reserve) = (folder.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || halves(catch_panic(|| open_again(&folder, &config))?, &config))
            .reserve(reserve, move || free_bytes(&measured));
        Ok(Self { embedded: embedded.start()? })
    }

    /// Keeps the store in a database that the host has open, beside the host's own keyspaces. Only
    /// keyspaces whose names begin with `dm_` are touched. The host writes to its own whenever it
    /// likes; commits and the host's writes wait for each other, because they share the journal.
    ///
    /// Build it with `worker_threads(4)` or more: fjall's default, the number of cores, is too few
    /// on machines with one or two, where it wastes a core on each merge, or may stand still. And
    /// with `journal_compression(CompressionType::None)`: ciphertext does not shrink.
    ///
    /// The store holds the database until its last handle is dropped. A store may be made more than
    /// once from one database: they take turns, and share what the first was configured with.
    ///
    /// # Errors
    /// [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the
    /// library made the tables; [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables)
    /// when a name that begins with `dm_` stands for a keyspace of the host's, which the error's
    /// source names; then nothing is changed; [`Engine`](dm_core::store::StoreErrorKind::Engine),
    /// naming the field, when a choice cannot work; what the engine reports besides.
    pub fn from_database(database: Database, config: &FjallConfig) -> Result<Self, StoreError> {
        config.validate()?;
        let (writer, reader) = halves(database, config)?;
        Ok(Self { embedded: Embedded::new(writer, reader)? })
    }
}

impl EmbeddedStore for FjallStore {
    fn embedded(&self) -> &dyn Store {
        &self.embedded
    }
}

fn halves(database: Database, config: &FjallConfig) -> Result<(Writer, Reader), StoreError> {
    let engine = catch_panic(|| Engine::of(database, config))?;
    Ok((Writer::new(Arc::clone(&engine)), Reader::new(Committed(engine))))
}

fn open(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    if is_new_folder(folder)? {
        // fjall does not continue with the files of a process that was killed while it created
        // them.
        create_folder(folder, |new| {
            let database = database(new, config).map_err(from_fjall)?;
            schema::migrate(&database, config)?;
            drop(database);
            schema::mark(new)
        })?;
    }
    open_existing(folder, config)
}

/// Opens a folder again that the store had open, and makes nothing in its place.
fn open_again(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    if is_new_folder(folder)? {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the folder is gone or empty"));
    }
    open_existing(folder, config)
}

fn open_existing(folder: &Path, config: &FjallConfig) -> Result<Database, StoreError> {
    let marked = schema::marked_version(folder)?;
    if marked > 0 {
        // By whichever process a sync failed.
        journals::rewrite(folder)?;
    }
    let database = match database(folder, config) {
        Err(fjall::Error::JournalRecovery(_)) if journals::drop_torn_end(folder)? => {
            tracing::warn!(
                "the last batch of the journal was not whole and is dropped: it was torn by a power cut, or damaged"
            );
            database(folder, config)
        }
        opened => opened,
    };
    let database = database.map_err(from_fjall)?;
    if schema::version(&database)? > 0 {
        // Before anything is migrated.
        schema::mark(folder)?;
    } else if marked > 0 {
        // fjall makes anew what it does not find. A folder that had tables never becomes an empty
        // one in silence.
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the tables of this folder are gone"));
    }
    Ok(database)
}

fn database(folder: &Path, config: &FjallConfig) -> fjall::Result<Database> {
    Database::builder(folder)
        .cache_size(config.cache_bytes)
        .max_journaling_size(config.journal_bytes)
        .worker_threads(WORKERS)
        // Only payloads are long enough to be compressed, and ciphertext does not shrink.
        .journal_compression(CompressionType::None)
        .open()
}
