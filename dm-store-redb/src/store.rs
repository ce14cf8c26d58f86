//! The store that hosts hold.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dm_core::store::{Embedded, EmbeddedStore, Store, StoreError, StoreErrorKind};
use dm_store_kv::{absolute, free_bytes};
use redb::{Builder, Database, DatabaseError};

use crate::config::RedbConfig;
use crate::error::from_redb;
use crate::read::{Newest, Reader};
use crate::schema;
use crate::write::Writer;

/// A [`Store`] in a redb database. Clones are handles to the same one.
///
/// The file is closed when the last clone is dropped, or when the commit or read that then is under way ends.
/// Closing blocks for a moment, as a commit does.
#[derive(Clone, Debug)]
pub struct RedbStore {
    embedded: Embedded<Reader>,
}

impl RedbStore {
    /// Opens a file of the store's own, making it, for its user only, if it is missing; its folder must
    /// exist.
    ///
    /// Blocks for as long as the file system takes; after a crash, [`Recovery`](crate::Recovery) says how
    /// long that is. Call it before serving, or on a thread for blocking work. Needs no runtime.
    ///
    /// # Errors
    /// [`Locked`](dm_core::store::StoreErrorKind::Locked) while another process, or another store of this one, has
    /// it open; [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the library
    /// wrote it, and it is left as it is; [`Corrupt`](dm_core::store::StoreErrorKind::Corrupt) when it is no
    /// database or damaged; [`Unavailable`](dm_core::store::StoreErrorKind::Unavailable) when it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &RedbConfig::default())
    }

    /// Opens a file with choices.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Engine`](dm_core::store::StoreErrorKind::Engine), naming the field, when a
    /// choice cannot work.
    pub fn open_with(path: impl AsRef<Path>, config: &RedbConfig) -> Result<Self, StoreError> {
        config.validate()?;
        // A host may change its working directory before the file is opened again.
        let (path, config) = (absolute(path.as_ref())?, config.clone());
        let database = guarded(|| open(&path, &config))?;
        let (writer, reader) = halves(database.into(), &config)?;
        let (measured, reserve) = (path.clone(), config.reserve_bytes);
        let embedded = Embedded::builder(writer, reader)
            .reopen(move || halves(guarded(|| open_again(&path, &config))?.into(), &config))
            .reserve(reserve, move || free_bytes(&measured));
        Ok(Self { embedded: embedded.start()? })
    }

    /// Keeps the store in a database that the host has open, beside the host's own tables. Only tables whose
    /// names begin with `dm_` are touched. While the host writes in a transaction of its own, commits wait.
    ///
    /// The store holds the database until its last handle is dropped. A store may be made more than once from
    /// one database: they take turns, and each notices what another wrote.
    ///
    /// # Errors
    /// [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) when a newer version of the library
    /// made the tables; [`ForeignTables`](dm_core::store::StoreErrorKind::ForeignTables) when a name that
    /// begins with `dm_` stands for a table of the host's, which the error's source names; then
    /// nothing is changed; what the engine reports besides.
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
    guarded(|| schema::migrate(&database))?;
    Ok((Writer::new(Arc::downgrade(&database), config), Reader::new(Newest(database))))
}

fn open(path: &Path, config: &RedbConfig) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    if !path.try_exists().map_err(unavailable)? {
        create(path, &builder)?;
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
    // A file may only be changed after it is known that no newer library wrote it, and opening for writing
    // changes it.
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

/// Makes a database under a name of its own, and gives it the path's once it is whole: redb writes what tells its file
/// from any other last, and a process that is killed before that would leave one behind that is no database.
fn create(path: &Path, builder: &Builder) -> Result<(), StoreError> {
    let new = beside(path);
    private(&new)?;
    let made = builder.create(&new).map_err(from_redb).and_then(|database| schema::migrate(&database));
    // Unlike a renamed file, a link never takes the place of what another process made meanwhile.
    let linked = made.map(|()| std::fs::hard_link(&new, path));
    let removed = std::fs::remove_file(&new);
    match linked? {
        Ok(()) => {
            removed.map_err(unavailable)?;
            sync_folder(path);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system without links: in place, then.
        Err(_) => {
            private(path)?;
            builder.create(path).map_err(from_redb).map(drop)
        }
    }
}

/// A name beside a path's that nobody else makes at the same time.
fn beside(path: &Path) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}-{since}", std::process::id()));
    path.with_file_name(name)
}

/// Makes an empty file that only its user may read.
fn private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(unavailable)
}

/// Lets a power cut not undo that a file has its name. Not every system can.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "the folder is not synced");
    }
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error)
}

/// redb documents that opening may panic on a file that something else altered.
fn guarded<T>(open: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(StoreError::new(StoreErrorKind::Corrupt, "the storage engine panicked while opening"))
    })
}
