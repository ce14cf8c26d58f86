//! Helpers for stores on disk: creating a database file or folder, absolute paths, free space, and
//! catching an engine's panic while it opens a database.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dm_core::store::{StoreError, StoreErrorKind};

/// The number of bytes that this process may still use on the disk of a file or folder.
///
/// Takes one system call on Unix. On other systems the result is [`u64::MAX`]. So a store that
/// refuses writes while little space is free refuses none there.
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

/// The absolute form of a path, which stays valid when the process changes its working directory.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] for an empty path, or without a working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(unavailable)
}

/// Converts an error of the file system to [`StoreErrorKind::Unavailable`].
#[must_use]
pub fn unavailable(error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error)
}

/// Creates a database file at `path` that only its user may read and write.
///
/// `make` gets the temporary path of an empty file beside `path`, and fills this file. The complete
/// file then gets the name `path`, so that a killed process leaves no incomplete file there. If
/// another process has created a file at `path` by then, that file stays, and the new file is
/// removed. On a file system without hard links `make` is called a second time, with `path` itself;
/// there a killed process, or a `make` that fails, can leave an incomplete file.
///
/// # Errors
/// The error of `make`; [`StoreErrorKind::Unavailable`] when the file system refuses.
pub fn create_file(path: &Path, make: impl Fn(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    create_linked(path, make, |new, path| std::fs::hard_link(new, path))
}

/// Creates a database file as [`create_file`] does. `link` makes a hard link; tests replace it by a
/// function that fails.
fn create_linked(
    path: &Path,
    make: impl Fn(&Path) -> Result<(), StoreError>,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), StoreError> {
    let new = temporary_path(path);
    create_private_file(&new).map_err(unavailable)?;
    // `link` fails if another process has created a file at `path`. A rename would replace that
    // file.
    let linked = make(&new).map(|()| link(&new, path));
    let removed = std::fs::remove_file(&new);
    match linked? {
        Ok(()) => removed.map_err(unavailable)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        // A file system without hard links.
        Err(_) => match create_private_file(path) {
            // If `make` fails, the file is not removed. Another process may have opened the file,
            // and would then write to a file without a name.
            Ok(()) => make(path)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(unavailable(error)),
        },
    }
    sync_parent(path);
    Ok(())
}

/// Creates a database folder at `path` that only its user may enter.
///
/// `make` gets the temporary path of an empty folder beside `path`, and fills this folder. The
/// complete folder is then renamed to `path`, so that a killed process leaves no incomplete folder
/// there. If another process has created a folder with files at `path` by then, that folder stays,
/// and the new folder is removed.
///
/// # Errors
/// The error of `make`; [`StoreErrorKind::Unavailable`] when the file system refuses.
pub fn create_folder(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = temporary_path(path);
    create_private_folder(&new)?;
    let renamed = make(&new).map(|()| std::fs::rename(&new, path));
    if let Ok(Ok(())) = renamed {
        sync_parent(path);
        return Ok(());
    }
    // A temporary folder that cannot be removed does no harm: its name is never used again.
    let _removed = std::fs::remove_dir_all(&new);
    match renamed? {
        // Another process has created the folder.
        Err(_) if !is_new_folder(path)? => Ok(()),
        renamed => renamed.map_err(unavailable),
    }
}

/// Whether a path does not exist or is an empty folder.
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

/// Calls `open`, which opens an engine, and converts a panic to an error. Engines check their files
/// with assertions, and a damaged file makes such an assertion panic.
///
/// # Errors
/// The error of `open`; [`StoreErrorKind::Corrupt`] when it panics.
pub fn catch_panic<T>(open: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(StoreError::new(StoreErrorKind::Corrupt, "the storage engine panicked while opening"))
    })
}

/// A path beside `path` that no other process uses: the name contains the process id and the time
/// in nanoseconds.
fn temporary_path(path: &Path) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}-{since}", std::process::id()));
    path.with_file_name(name)
}

/// Creates an empty file that only its user may read and write.
fn create_private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Creates a folder that only its user may enter.
fn create_private_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(unavailable)
}

/// Syncs the parent folder of a path, so that the path's name survives a power cut. On systems that
/// cannot sync a folder, a power cut may lose the new database. Nothing is stored in this database
/// yet.
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
    fn a_created_database_has_its_content_and_no_temporary_file_remains() {
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
    fn a_failed_creation_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm");
        assert_eq!(create_file(&path, |_| Err(broken())).unwrap_err().kind(), StoreErrorKind::Engine);
        assert_eq!(create_folder(&path, |_| Err(broken())).unwrap_err().kind(), StoreErrorKind::Engine);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_database_that_another_process_created_first_is_kept() {
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
    fn without_hard_links_a_file_is_created_at_its_path_and_an_existing_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm");
        let no_links = |_: &Path, _: &Path| Err(ErrorKind::Unsupported.into());
        let write =
            |content: &'static str| move |new: &Path| std::fs::write(new, content).map_err(unavailable);
        create_linked(&path, write("database"), no_links).unwrap();
        create_linked(&path, write("another"), no_links).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "database");
        let fails_in_place = |new: &Path| if new == path { Err(broken()) } else { Ok(()) };
        create_linked(&path, fails_in_place, no_links).unwrap();
        assert_eq!(names(folder.path()), ["dm"]);

        std::fs::remove_file(&path).unwrap();
        let failed = create_linked(&path, fails_in_place, no_links).unwrap_err();
        assert_eq!(failed.kind(), StoreErrorKind::Engine);
        assert_eq!(names(folder.path()), ["dm"], "another process may have the file open");
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
    fn a_panic_while_opening_is_a_corrupt_error() {
        let panics: fn() -> Result<(), StoreError> = || panic!("a wrong checksum");
        assert_eq!(catch_panic(panics).unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(catch_panic(|| Ok(7)).unwrap(), 7);
    }
}
