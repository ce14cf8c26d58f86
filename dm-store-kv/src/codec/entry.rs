//! The rows of `inbox`.

use dm_core::store::{DeviceId, Event, InboxEntry, Notice, Registration, Timestamp};

use crate::codec::fields::{Fields, device};
use crate::failure::Failure;

/// A row of `inbox`: an entry.
pub(crate) struct EntryRow {
    /// The time at which the entry was queued.
    pub(crate) at: Timestamp,
    /// The device that caused the entry; `None` if no device of the inbox's user did.
    pub(crate) origin: Option<DeviceId>,
    /// The registration of the device that the entry is for; `None` if it is for all devices.
    pub(crate) addressee: Option<Registration>,
    pub(crate) content: Content,
}

/// The content of an entry.
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
const ADDRESSED_NOTICE: u8 = 3;

impl EntryRow {
    /// Encodes the row of an entry: the time, the length of the origin's name, the name, the kind of
    /// the content, and the content. `message_row` is the number of the row in `messages`, for an
    /// entry about a message. Such an entry is for all devices.
    pub(crate) fn encode(entry: &InboxEntry, message_row: u64) -> Vec<u8> {
        let mut value = Vec::with_capacity(128);
        value.extend(entry.at.as_millis().to_be_bytes());
        match &entry.origin {
            None => value.push(NO_ORIGIN),
            Some(device) if device.is_default() => value.push(DEFAULT_DEVICE),
            Some(device) => {
                // The name of a device has at most 64 bytes, so the conversion cannot fail.
                value.push(u8::try_from(device.as_str().len()).unwrap_or(NO_ORIGIN));
                value.extend(device.as_str().as_bytes());
            }
        }
        match (&entry.event, entry.addressee) {
            (Event::Message(_), _) => {
                value.push(MESSAGE);
                value.extend(message_row.to_be_bytes());
            }
            (Event::Notice(notice), None) => {
                value.push(NOTICE);
                value.extend(notice.encode());
            }
            (Event::Notice(notice), Some(addressee)) => {
                value.push(ADDRESSED_NOTICE);
                value.extend(addressee.get().to_be_bytes());
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
        let notice = |value: Fields<'_>| {
            Notice::decode(value.remaining())
                .map(Content::Notice)
                .map_err(|_| Failure::Damaged("an entry has a notice that cannot be decoded"))
        };
        let (addressee, content) = match value.u8()? {
            MESSAGE => (None, Content::Message(value.last(Fields::u64)?)),
            NOTICE => (None, notice(value)?),
            ADDRESSED_NOTICE => (Some(Registration::new(value.u64()?)), notice(value)?),
            _ => return Err(Failure::Damaged("an entry has content of an unknown kind")),
        };
        Ok(Self { at, origin, addressee, content })
    }

    /// Whether the entry is for the device with this registration, as
    /// [`InboxEntry::is_for`](dm_core::InboxEntry::is_for).
    pub(crate) fn is_for(&self, registration: Option<Registration>) -> bool {
        self.addressee.is_none() || self.addressee == registration
    }
}
