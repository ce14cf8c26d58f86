//! Where a user's files lie: identity, state, and a lock so that two windows do not write over each other.

use std::{
    env,
    fs::{self, DirBuilder, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A user's folder, held for as long as this lives.
#[derive(Debug)]
pub(crate) struct Profile {
    folder: PathBuf,
    _lock: File,
}

impl Profile {
    /// Opens the folder, made if it does not exist, accessible to its owner only.
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

    /// The name of this device, the same in every run.
    pub(crate) fn device(&self, fresh: impl FnOnce() -> Result<String>) -> Result<dm_client::Device> {
        let path = self.folder.join("device");
        let mut name = match fs::read_to_string(&path) {
            Ok(name) => name,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        // An empty file is one that a crash kept from being written.
        if name.is_empty() {
            name = fresh()?;
            fs::write(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
        }
        name.trim().parse().with_context(|| format!("{} names no device", path.display()))
    }
}

/// The folder of `name` if none is given: below the user's data folder, `dm-chat/NAME`.
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
    fn a_folder_serves_one_window_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Profile::open(folder.path().join("a/b")).unwrap();
        Profile::open(folder.path().join("a/b")).unwrap_err();
        drop(first);
        Profile::open(folder.path().join("a/b")).unwrap();
    }

    #[test]
    fn a_device_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path().to_owned()).unwrap();
        let first = profile.device(|| Ok("chat-1".to_owned())).unwrap();
        assert_eq!(profile.device(|| panic!("asked twice")).unwrap(), first);
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "C:", "a\0"] {
            default_folder(name).unwrap_err();
        }
        assert!(default_folder("ana").unwrap().ends_with("dm-chat/ana"));
    }
}
