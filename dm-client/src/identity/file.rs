//! An identity on disk.
//!
//! Three lines of text, each ended by a line feed, readable by their owner only:
//!
//! ```text
//! dm identity v1
//! seed <64 lowercase hexadecimal digits>
//! public <64 lowercase hexadecimal digits>
//! ```
//!
//! The public key follows from the seed; it is there so that damage is noticed instead of becoming another person.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::Identity;
use crate::entropy::{Entropy, EntropyError};

const MAGIC: &str = "dm identity v";
const VERSION: &str = "1";
/// Length of a version 1 file, bytes: 15 + 70 + 72.
const LENGTH: usize = 157;

impl Identity {
    /// Reads the identity at `path`, or makes one with `entropy` and writes it there.
    ///
    /// The file appears whole or not at all: it is written beside `path` with mode 0600, synced, and linked into
    /// place, never over an existing file. If another process was faster, its identity is the one returned. The
    /// folder must exist.
    ///
    /// # Errors
    ///
    /// [`IdentityFileError`]. An existing file is never changed or replaced, whatever is wrong with it.
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
    /// assert_eq!(made.public_key(), loaded.public_key());
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_or_create(path: &Path, entropy: &mut dyn Entropy) -> Result<Self, IdentityFileError> {
        match File::open(path) {
            Ok(file) => load(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Self::generate(entropy)?;
                match create(path, &identity, entropy)? {
                    Created::Here => Ok(identity),
                    Created::ByAnother => load(path, File::open(path).map_err(io_at(path))?),
                }
            }
            Err(error) => Err(io_at(path)(error)),
        }
    }
}

/// Why an identity file could not be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityFileError {
    /// The file system refused.
    #[error("cannot access {}", path.display())]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Others than the owner may read or write the file. The secret may be known: decide, then `chmod 600`.
    #[error("{} has mode {mode:03o}, it must be accessible to its owner only", path.display())]
    ReadableByOthers {
        /// The file concerned.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file was written by a newer version of this library.
    #[error("{} is an identity file of a version unknown here", path.display())]
    UnknownVersion {
        /// The file concerned.
        path: PathBuf,
    },
    /// It is not an identity file, or no longer one.
    #[error("{} is not an intact identity file", path.display())]
    Damaged {
        /// The file concerned.
        path: PathBuf,
    },
    /// No randomness for a new identity.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

enum Created {
    Here,
    ByAnother,
}

fn load(path: &Path, file: File) -> Result<Identity, IdentityFileError> {
    refuse_if_readable_by_others(path, &file)?;
    // One byte more than is right tells a longer file from a good one without reading all of it.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
    let limit = u64::try_from(LENGTH + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(io_at(path))?;
    decode(&bytes).map_err(|defect| match defect {
        Defect::Version => IdentityFileError::UnknownVersion { path: path.to_owned() },
        Defect::Content => IdentityFileError::Damaged { path: path.to_owned() },
    })
}

fn create(path: &Path, identity: &Identity, entropy: &mut dyn Entropy) -> Result<Created, IdentityFileError> {
    let mut tag = [0; 8];
    entropy.fill(&mut tag)?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", HEXLOWER.encode(&tag)));
    let beside = path.with_file_name(name);

    let linked = write_new(&beside, &encode(identity)).and_then(|()| {
        // A link fails where a rename would replace: of two processes that start at once, one wins for both.
        fs::hard_link(&beside, path)
    });
    // Whatever became of the link, the temporary name has done its work; a failure here must not hide that.
    let removed = fs::remove_file(&beside);
    match linked {
        Ok(()) => removed.and_then(|()| sync_folder(path)).map(|()| Created::Here).map_err(io_at(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::ByAnother),
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

/// Makes the new name survive a power cut.
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

/// Elsewhere the file inherits the access list of the user's folder, and there is no mode to look at.
#[cfg(not(unix))]
fn refuse_if_readable_by_others(_path: &Path, _file: &File) -> Result<(), IdentityFileError> {
    Ok(())
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> IdentityFileError + '_ {
    |source| IdentityFileError::Io { path: path.to_owned(), source }
}

fn encode(identity: &Identity) -> Zeroizing<Vec<u8>> {
    // Reserved in full: growing would leave copies of the seed in freed memory.
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH));
    let seed = Zeroizing::new(HEXLOWER.encode(identity.seed()));
    for part in [MAGIC, VERSION, "\nseed ", &seed, "\npublic ", &identity.public_key().to_string(), "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    text
}

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
    if identity.public_key().to_string() != public {
        return Err(Defect::Content);
    }
    Ok(identity)
}
