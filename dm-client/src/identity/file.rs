//! The identity file, which [`Identity::load_or_create`] reads and writes.
//!
//! The file has three lines of text, each with a line feed at its end. Only the file's owner may
//! access the file:
//!
//! ```text
//! dm identity v1
//! seed <64 lowercase hexadecimal digits>
//! public <64 lowercase hexadecimal digits>
//! ```
//!
//! The public key follows from the seed. The file contains it nevertheless, to detect a damaged
//! seed, which would otherwise give another identity.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::key_pair::Identity;
use crate::entropy::{Entropy, EntropyError};

const MAGIC: &str = "dm identity v";
const VERSION: &str = "1";
/// Length of a file of version 1, in bytes. The three lines have 15, 70 and 72 bytes.
const FILE_LEN: usize = 157;

impl Identity {
    /// Loads the identity at `path`. If there is no file, generates an identity with `entropy` and
    /// writes it to `path`.
    ///
    /// The file is created atomically: it is written under a temporary name in the same folder with
    /// mode 0600, synced, and then linked to `path`. The link fails if `path` exists. So if another
    /// process has created the file first, this method returns the identity in that file. The
    /// folder must exist.
    ///
    /// # Errors
    ///
    /// [`IdentityFileError`] if the file cannot be read or created. An existing file is never
    /// changed or replaced, even if it is damaged.
    ///
    /// # Examples
    ///
    /// ```
    /// use dm_client::{Identity, OsEntropy};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("identity");
    /// let made = Identity::load_or_create(&path, &mut OsEntropy)?;
    /// let loaded = Identity::load_or_create(&path, &mut OsEntropy)?;
    /// assert_eq!(made.user_id(), loaded.user_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_or_create(path: &Path, entropy: &mut dyn Entropy) -> Result<Self, IdentityFileError> {
        match File::open(path) {
            Ok(file) => load(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Self::generate(entropy)?;
                match create(path, &identity, entropy)? {
                    Creator::ThisProcess => Ok(identity),
                    Creator::AnotherProcess => load(path, File::open(path).map_err(io_at(path))?),
                }
            }
            Err(error) => Err(io_at(path)(error)),
        }
    }
}

/// The reason why an identity file could not be loaded or created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityFileError {
    /// The file system reported an error.
    #[error("cannot access {}", path.display())]
    Io {
        /// The path of the identity file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// Other users than the owner can access the file, so these users may know the secret. If you
    /// are sure that they do not know it, run `chmod 600`.
    #[error("{} has mode {mode:03o}, but only its owner may have access", path.display())]
    ReadableByOthers {
        /// The path of the identity file.
        path: PathBuf,
        /// The permission bits of the file.
        mode: u32,
    },
    /// The file was written by a newer version of this library.
    #[error("{} is an identity file of a newer version", path.display())]
    UnknownVersion {
        /// The path of the identity file.
        path: PathBuf,
    },
    /// The file is not an identity file, or it is damaged.
    #[error("{} is not an intact identity file", path.display())]
    Damaged {
        /// The path of the identity file.
        path: PathBuf,
    },
    /// The source of randomness failed while an identity was generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// The process that created the identity file.
enum Creator {
    ThisProcess,
    AnotherProcess,
}

fn load(path: &Path, file: File) -> Result<Identity, IdentityFileError> {
    refuse_if_readable_by_others(path, &file)?;
    // One byte more than a valid file has is enough to detect a longer file.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN + 1));
    let limit = u64::try_from(FILE_LEN + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(io_at(path))?;
    decode(&bytes).map_err(|defect| match defect {
        Defect::Version => IdentityFileError::UnknownVersion { path: path.to_owned() },
        Defect::Content => IdentityFileError::Damaged { path: path.to_owned() },
    })
}

fn create(path: &Path, identity: &Identity, entropy: &mut dyn Entropy) -> Result<Creator, IdentityFileError> {
    let mut suffix = [0; 8];
    entropy.fill(&mut suffix)?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", HEXLOWER.encode(&suffix)));
    let temporary = path.with_file_name(name);

    let linked = write_new(&temporary, &encode(identity)).and_then(|()| {
        // A link to an existing name fails. A rename would replace the file of another process that
        // starts at the same time, and the two processes would have different identities.
        fs::hard_link(&temporary, path)
    });
    // The temporary name is removed also after a failed write or link. In that case an error of the
    // removal is ignored, because the first error is returned.
    let removed = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            removed.and_then(|()| sync_folder(path)).map(|()| Creator::ThisProcess).map_err(io_at(path))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Creator::AnotherProcess),
        Err(error) => Err(io_at(path)(error)),
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Syncs the folder of `path`, so that the new name survives a power cut.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_if_readable_by_others(path: &Path, file: &File) -> Result<(), IdentityFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(io_at(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityFileError::ReadableByOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Systems without mode bits are not checked. There, the file inherits the access list of its
/// folder.
#[cfg(not(unix))]
fn refuse_if_readable_by_others(_path: &Path, _file: &File) -> Result<(), IdentityFileError> {
    Ok(())
}

/// A function that makes an error of the file system into one that names `path`.
fn io_at(path: &Path) -> impl Fn(io::Error) -> IdentityFileError + '_ {
    |source| IdentityFileError::Io { path: path.to_owned(), source }
}

fn encode(identity: &Identity) -> Zeroizing<Vec<u8>> {
    // The full length is reserved now. A later reallocation would leave a copy of the seed in freed
    // memory.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_LEN));
    let seed = Zeroizing::new(HEXLOWER.encode(identity.seed()));
    for part in [MAGIC, VERSION, "\nseed ", &seed, "\npublic ", &identity.user_id().to_string(), "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    text
}

/// The reason why bytes are not an identity file of this version: they are a file of another
/// version, or their content is damaged.
enum Defect {
    Version,
    Content,
}

fn decode(bytes: &[u8]) -> Result<Identity, Defect> {
    let text = std::str::from_utf8(bytes).map_err(|_| Defect::Content)?;
    let (version, body) =
        text.strip_prefix(MAGIC).and_then(|rest| rest.split_once('\n')).ok_or(Defect::Content)?;
    if version != VERSION {
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if is_number { Defect::Version } else { Defect::Content });
    }
    let (seed, public) = body
        .strip_prefix("seed ")
        .and_then(|body| body.strip_suffix('\n'))
        .and_then(|body| body.split_once("\npublic "))
        .ok_or(Defect::Content)?;
    let mut bytes = Zeroizing::new([0; 32]);
    if HEXLOWER.decode_len(seed.len()) != Ok(bytes.len()) {
        return Err(Defect::Content);
    }
    HEXLOWER.decode_mut(seed.as_bytes(), &mut *bytes).map_err(|_| Defect::Content)?;
    let identity = Identity::from_seed(&bytes);
    if identity.user_id().to_string() != public {
        return Err(Defect::Content);
    }
    Ok(identity)
}
