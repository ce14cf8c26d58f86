//! The rows of `inbox`.

use dm_core::store::{DeviceId, Notice, Timestamp};

use crate::codec::fields::{Fields, device};
use crate::failure::Failure;

/// A row of `inbox`: an entry.
pub(crate) struct EntryRow {
    /// The time at which the entry was queued.
    pub(crate) at: Timestamp,
    /// The device that caused the entry; `None` if no device of the inbox's user did.
    pub(crate) origin: Option<DeviceId>,
    pub(crate) content: Content,
}

/// The content of an entry.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// The number of a message's row in `messages`.
    Message(u64),
    /// A notice, which is encoded in the entry's row.
    Notice(Notice),
}

/// The length byte of an entry without an origin.
const NO_ORIGIN: u8 = u8::MAX;
/// The length byte of the default device, whose name is not written.
const DEFAULT_DEVICE: u8 = 0;
// The kinds of content.
const MESSAGE: u8 = 1;
const NOTICE: u8 = 2;

impl EntryRow {
    /// Encodes a row: the time, the length of the origin's name, the name, the kind of the content,
    /// and the content.
    pub(crate) fn encode(at: Timestamp, origin: Option<&DeviceId>, content: Content) -> Vec<u8> {
        let mut value = Vec::with_capacity(128);
        value.extend(at.as_millis().to_be_bytes());
        match origin {
            None => value.push(NO_ORIGIN),
            Some(device) if device.is_default() => value.push(DEFAULT_DEVICE),
            Some(device) => {
                // The name of a device has at most 64 bytes, so the conversion cannot fail.
                value.push(u8::try_from(device.as_str().len()).unwrap_or(NO_ORIGIN));
                value.extend(device.as_str().as_bytes());
            }
        }
        match content {
            Content::Message(row) => {
                value.push(MESSAGE);
                value.extend(row.to_be_bytes());
            }
            Content::Notice(notice) => {
                value.push(NOTICE);
                value.extend(notice.encode());
            }
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        let at = value.time()?;
        let origin = match value.u8()? {
            NO_ORIGIN => None,
            DEFAULT_DEVICE => Some(DeviceId::default()),
            len => Some(device(value.slice(usize::from(len))?)?),
        };
        let content = match value.u8()? {
            MESSAGE => Content::Message(value.last(Fields::u64)?),
            NOTICE => Content::Notice(
                Notice::decode(value.remaining())
                    .map_err(|_| Failure::Damaged("an entry has a notice that cannot be decoded"))?,
            ),
            _ => return Err(Failure::Damaged("an entry has content of an unknown kind")),
        };
        Ok(Self { at, origin, content })
    }
}
