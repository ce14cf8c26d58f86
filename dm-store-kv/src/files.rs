//! The files and folders of a store on disk: absolute paths, free space, new databases, and panics
//! of an engine that opens one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dm_core::store::{StoreError, StoreErrorKind};

/// Measures how many bytes this process may still use on the disk of a file or folder. One system
/// call on Unix. Elsewhere the free space is not known: the answer is [`u64::MAX`], and no reserve
/// is kept.
///
/// # Errors
/// The error of the operating system, such as that nothing exists at the path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        path.metadata().map(|_| u64::MAX)
    }
}

/// A path from the root, so that it stays the same when the process changes its working directory.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] for an empty path, or without a working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(unavailable)
}

/// An error of the file system as [`StoreErrorKind::Unavailable`].
#[must_use]
pub fn unavailable(error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error)
}

/// Creates a database file that only its user may read, and gives it its name when it is complete.
/// A process that is killed meanwhile leaves no incomplete database under that name, unless the
/// file system has no hard links.
///
/// `make` fills an empty file at the temporary path that it gets, beside `path`. On a file system
/// without hard links it is called again, with `path` itself. When another process creates a file
/// at `path` meanwhile, that file stays, and the new one is removed.
///
/// # Errors
/// The error of `make`; [`StoreErrorKind::Unavailable`] when the file system refuses.
pub fn create_file(path: &Path, make: impl Fn(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    create_linked(path, make, |new, path| std::fs::hard_link(new, path))
}

/// Creates a database file as [`create_file`] does, with this function for hard links.
fn create_linked(
    path: &Path,
    make: impl Fn(&Path) -> Result<(), StoreError>,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), StoreError> {
    let new = temporary(path);
    private_file(&new).map_err(unavailable)?;
    // A link fails when the name is in use. A rename would replace the other process's file.
    let linked = make(&new).map(|()| link(&new, path));
    let removed = std::fs::remove_file(&new);
    match linked? {
        Ok(()) => removed.map_err(unavailable)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        // A file system without hard links.
        Err(_) => match private_file(path) {
            Ok(()) => make(path).inspect_err(|_| {
                // If this fails as well, the next opening reports the incomplete file.
                let _removed = std::fs::remove_file(path);
            })?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(unavailable(error)),
        },
    }
    sync_parent(path);
    Ok(())
}

/// Creates a database folder that only its user may enter, and gives it its name when it is
/// complete. A process that is killed meanwhile leaves no incomplete database under that name.
///
/// `make` fills an empty folder at the temporary path that it gets, beside `path`. When another
/// process creates a folder at `path` meanwhile, that folder stays, and the new one is removed.
///
/// # Errors
/// The error of `make`; [`StoreErrorKind::Unavailable`] when the file system refuses.
pub fn create_folder(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = temporary(path);
    private_folder(&new)?;
    let renamed = make(&new).map(|()| std::fs::rename(&new, path));
    if let Ok(Ok(())) = renamed {
        sync_parent(path);
        return Ok(());
    }
    // A folder that cannot be removed does no harm: its name is never used again.
    let _removed = std::fs::remove_dir_all(&new);
    match renamed? {
        // Another process created the folder meanwhile.
        Err(_) if !is_new_folder(path)? => Ok(()),
        renamed => renamed.map_err(unavailable),
    }
}

/// Whether nothing exists at a path, or an empty folder.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] when a file has this name, or when the file system refuses.
pub fn is_new_folder(path: &Path) -> Result<bool, StoreError> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(unavailable(error)),
    }
}

/// Opens an engine, and turns a panic of it into an error: engines assert what their files hold,
/// and a damaged file fails such an assertion.
///
/// # Errors
/// The error of `open`; [`StoreErrorKind::Corrupt`] when it panics.
pub fn catch_panic<T>(open: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(StoreError::new(StoreErrorKind::Corrupt, "the storage engine panicked while opening"))
    })
}

/// A path beside another that no other process uses at the same time.
fn temporary(path: &Path) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}-{since}", std::process::id()));
    path.with_file_name(name)
}

/// Creates an empty file that only its user may read and write.
fn private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Creates a folder that only its user may enter.
fn private_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(unavailable)
}

/// Syncs the folder that a path is in, so that the path's name survives a power cut. Not every
/// system can; a power cut at that moment then loses a database in which nothing was stored yet.
fn sync_parent(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(error) = File::open(parent).and_then(|parent| parent.sync_all()) {
        tracing::debug!(%error, "the folder of a new database is not synced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn broken() -> StoreError {
        StoreErrorKind::Engine.into()
    }

    #[test]
    fn a_new_database_has_its_content_and_leaves_no_temporary_name() {
        let folder = tempfile::tempdir().unwrap();
        create_file(&folder.path().join("file"), |new| std::fs::write(new, "database").map_err(unavailable))
            .unwrap();
        create_folder(&folder.path().join("folder"), |new| {
            std::fs::write(new.join("file"), "database").map_err(unavailable)
        })
        .unwrap();
        for file in ["file", "folder/file"] {
            assert_eq!(std::fs::read_to_string(folder.path().join(file)).unwrap(), "database");
        }
        let mut names = names(folder.path());
        names.sort();
        assert_eq!(names, ["file", "folder"]);
    }

    #[test]
    fn a_database_that_cannot_be_made_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm");
        assert_eq!(create_file(&path, |_| Err(broken())).unwrap_err().kind(), StoreErrorKind::Engine);
        assert_eq!(create_folder(&path, |_| Err(broken())).unwrap_err().kind(), StoreErrorKind::Engine);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_database_that_another_process_creates_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        create_file(&file, |new| {
            std::fs::write(&file, "theirs").and_then(|()| std::fs::write(new, "ours")).map_err(unavailable)
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");

        let path = folder.path().join("folder");
        create_folder(&path, |_| {
            let theirs =
                std::fs::create_dir(&path).and_then(|()| std::fs::write(path.join("file"), "theirs"));
            theirs.map_err(unavailable)
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(path.join("file")).unwrap(), "theirs");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn without_hard_links_a_database_is_made_in_place_and_another_ones_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm");
        let no_links = |_: &Path, _: &Path| Err(ErrorKind::Unsupported.into());
        let write = |content: &'static str| {
            move |new: &Path| std::fs::write(new, content).map_err(unavailable)
        };
        let fails_in_place = |new: &Path| if new == path { Err(broken()) } else { Ok(()) };
        let failed = create_linked(&path, fails_in_place, no_links).unwrap_err();
        assert_eq!((failed.kind(), names(folder.path()).len()), (StoreErrorKind::Engine, 0));

        create_linked(&path, write("database"), no_links).unwrap();
        create_linked(&path, write("another"), no_links).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "database");
        assert_eq!(names(folder.path()), ["dm"]);
    }

    #[test]
    fn a_folder_is_new_when_it_is_missing_or_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_new_folder(&folder.path().join("missing")).unwrap());
        assert!(is_new_folder(folder.path()).unwrap());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!is_new_folder(folder.path()).unwrap());
        assert_eq!(is_new_folder(&file).unwrap_err().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn a_panic_while_opening_is_damage() {
        let panics: fn() -> Result<(), StoreError> = || panic!("a wrong checksum");
        assert_eq!(catch_panic(panics).unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(catch_panic(|| Ok(7)).unwrap(), 7);
    }
}
