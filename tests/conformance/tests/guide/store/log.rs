//! The log file: one frame per commit, appended and synced.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use dm_core::store::{StoreError, StoreErrorKind};

/// The first bytes of every file. The last byte is raised when replaying old frames would have
/// another result.
const MAGIC: &[u8; 8] = b"dm-log\0\x02";
/// The length of a frame's header: its length and checksum, four bytes each.
const HEADER: usize = 8;

pub(crate) struct Log {
    file: File,
    /// The end of the last answered frame, in bytes. The next frame is written here.
    end: u64,
}

impl Log {
    /// Opens or creates the file, and returns its frames.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>), StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreErrorKind::Locked.into()),
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unavailable)?;
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            // A file whose creation was cut off is created again. Any other file is not ours to
            // change.
            if !MAGIC.starts_with(&bytes) {
                return Err(StoreErrorKind::Corrupt.into());
            }
            let mut log = Self { file, end: 0 };
            log.write(MAGIC)?;
            // The file's name must survive a power cut as well.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))
                .and_then(|folder| folder.sync_all())
                .map_err(unavailable)?;
            return Ok((log, Vec::new()));
        };

        let mut frames = Vec::new();
        while let Some(Split { frame, after }) = split_frame(rest)? {
            frames.push(frame.to_vec());
            rest = after;
        }
        let mut log = Self { file, end: (bytes.len() - rest.len()) as u64 };
        // `cut` also syncs. The last process may have been killed before it synced a frame that is
        // now read.
        log.cut().map_err(unavailable)?;
        Ok((log, frames))
    }

    /// Appends a frame. After `Ok` a power cut does not undo it.
    pub(crate) fn append(&mut self, frame: &[u8]) -> Result<(), StoreError> {
        let length =
            u32::try_from(frame.len()).map_err(|error| StoreError::new(StoreErrorKind::Full, error))?;
        let header = [length.to_be_bytes(), checksum(frame).to_be_bytes()];
        self.write(&[header.as_flattened(), frame].concat())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Err(error) = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(bytes))
        {
            // Part of the frame may be in the file. If it can be cut off, nothing was stored.
            self.cut().map_err(unknown)?;
            let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let kind = if full { StoreErrorKind::Full } else { StoreErrorKind::Engine };
            return Err(StoreError::new(kind, error));
        }
        // After a failed sync the content of the disk is unknown, and another sync would not tell.
        self.file.sync_data().map_err(unknown)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off everything after the last frame, and syncs.
    fn cut(&mut self) -> Result<(), Error> {
        self.file.set_len(self.end)?;
        self.file.sync_data()
    }
}

struct Split<'a> {
    frame: &'a [u8],
    after: &'a [u8],
}

/// The first frame, and the bytes after it. `None` at the end of the file, and at a torn last
/// frame, which was never answered, because answers wait for the sync.
fn split_frame(bytes: &[u8]) -> Result<Option<Split<'_>>, StoreError> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [a, b, c, d, sum @ ..] = *header;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match rest.split_at_checked(length) {
        // No frame is empty. A file system may leave zeros of a write that was cut off.
        Some((frame, after)) if length > 0 && checksum(frame) == u32::from_be_bytes(sum) => {
            Ok(Some(Split { frame, after }))
        }
        // A damaged frame with other frames after it is no torn write.
        Some((_, after)) if after.iter().any(|byte| *byte != 0) => Err(StoreErrorKind::Corrupt.into()),
        _ => Ok(None),
    }
}

/// CRC-32 (IEEE 802.3), a bit at a time. A real store takes a crate with a table.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    })
}

fn unavailable(error: Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error)
}

fn unknown(error: Error) -> StoreError {
    StoreError::new(StoreErrorKind::OutcomeUnknown, error)
}
