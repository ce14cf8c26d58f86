//! The folder of a profile: identity, state, device id, and a lock against use by two programs.

use std::env;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A profile's folder, locked until this value is dropped.
#[derive(Debug)]
pub(crate) struct Profile {
    folder: PathBuf,
    _lock: File,
}

impl Profile {
    /// Opens and locks the folder. If it does not exist, it is made, accessible to its owner only.
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join("lock");
        let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("{} is in use by another window; give another --name or --data", folder.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.join("identity")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// The device id, the same in every run. `fresh` makes the id in the first run.
    pub(crate) fn device(&self, fresh: impl FnOnce() -> Result<String>) -> Result<dm_client::DeviceId> {
        let path = self.folder.join("device");
        let mut name = match fs::read_to_string(&path) {
            Ok(name) => name,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        // A crash before the write leaves an empty file.
        if name.is_empty() {
            name = fresh()?;
            fs::write(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
        }
        name.trim().parse().with_context(|| format!("{} has no valid device id", path.display()))
    }
}

/// The default folder of the profile `name`: `dm-chat/NAME` in the user's data folder.
pub(crate) fn default_folder(name: &str) -> Result<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0', ':']) {
        bail!("the name {name:?} cannot name a folder; give one with --data");
    }
    let data = env::var_os("XDG_DATA_HOME").filter(|path| Path::new(path).is_absolute()).map(PathBuf::from);
    let data = data.or_else(|| env::home_dir().map(|home| home.join(".local/share")));
    Ok(data.context("no home folder is known; give a folder with --data")?.join("dm-chat").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_can_be_opened_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Profile::open(folder.path().join("a/b")).unwrap();
        Profile::open(folder.path().join("a/b")).unwrap_err();
        drop(first);
        Profile::open(folder.path().join("a/b")).unwrap();
    }

    #[test]
    fn the_device_id_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path().to_owned()).unwrap();
        let first = profile.device(|| Ok("chat-1".to_owned())).unwrap();
        assert_eq!(profile.device(|| panic!("the device id was made twice")).unwrap(), first);
    }

    #[test]
    fn a_name_cannot_leave_the_data_folder() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "C:", "a\0"] {
            default_folder(name).unwrap_err();
        }
        assert!(default_folder("ana").unwrap().ends_with("dm-chat/ana"));
    }
}
