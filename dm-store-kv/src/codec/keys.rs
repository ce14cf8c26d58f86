//! Keys of rows.

use dm_core::store::{ClientMessageId, Timestamp};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// A key of two refs.
pub(crate) fn refs_key(first: u32, second: u32) -> [u8; 8] {
    joined([first.to_be_bytes().as_slice(), &second.to_be_bytes()])
}

/// The key of a row of a log, `sequence` or `inbox`: its owner's ref and the row's number.
#[must_use]
pub fn log_key(of: u32, number: u64) -> [u8; 12] {
    joined([of.to_be_bytes().as_slice(), &number.to_be_bytes()])
}

/// The owner's ref and the number in a key of a log.
///
/// # Errors
/// [`Failure::Damaged`] for a key of another length.
pub fn owner_and_number(key: &[u8]) -> Result<(u32, u64), Failure> {
    let mut key = Fields::new(key);
    Ok((key.u32()?, key.last(Fields::u64)?))
}

/// A key of an entry that a device acknowledged.
pub(crate) fn mark_key(user: u32, device: u32, seq: u64) -> [u8; 16] {
    joined([user.to_be_bytes().as_slice(), &device.to_be_bytes(), &seq.to_be_bytes()])
}

/// A key of an inbox by the time of its oldest entry.
pub(crate) fn oldest_key(at: Timestamp, user: u32) -> [u8; 12] {
    joined([at.as_millis().to_be_bytes().as_slice(), &user.to_be_bytes()])
}

/// A key of a client's name for a message.
pub(crate) fn client_id_key(id: ClientMessageId, sender: u32) -> [u8; 20] {
    joined([id.as_bytes().as_slice(), &sender.to_be_bytes()])
}

/// The parts, one after the other; together they have `N` bytes.
pub(super) fn joined<const N: usize, const PARTS: usize>(parts: [&[u8]; PARTS]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N, "the parts fill the key");
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    key
}
