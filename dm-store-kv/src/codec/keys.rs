//! The keys of rows.

use dm_core::store::{ClientMessageId, Timestamp};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// A key of two refs, in the tables `keys` (whose version is encoded as a ref is), `pairs`,
/// `members` and `devices`.
pub(crate) fn refs_key(first: u32, second: u32) -> [u8; 8] {
    joined([first.to_be_bytes().as_slice(), &second.to_be_bytes()])
}

/// A key in a log, which is the table `sequence` or `inbox`: the ref of the owner, which is a
/// conversation or a user, and the number of the row.
#[must_use]
pub fn log_key(owner: u32, number: u64) -> [u8; 12] {
    joined([owner.to_be_bytes().as_slice(), &number.to_be_bytes()])
}

/// The owner's ref and the row's number in a key of a log: the reverse of [`log_key`].
///
/// # Errors
/// [`Failure::Damaged`] for a key of another length.
pub fn owner_and_number(key: &[u8]) -> Result<(u32, u64), Failure> {
    let mut key = Fields::new(key);
    Ok((key.u32()?, key.last(Fields::u64)?))
}

/// A key in `acked`: an entry that a device acknowledged individually.
pub(crate) fn mark_key(user: u32, device: u32, seq: u64) -> [u8; 16] {
    joined([user.to_be_bytes().as_slice(), &device.to_be_bytes(), &seq.to_be_bytes()])
}

/// A key in `oldest`: the time of an inbox's oldest entry, and its user.
pub(crate) fn oldest_key(at: Timestamp, user: u32) -> [u8; 12] {
    joined([at.as_millis().to_be_bytes().as_slice(), &user.to_be_bytes()])
}

/// A key in `client_ids`: a client's id of a message, and the sender.
pub(crate) fn client_id_key(id: ClientMessageId, sender: u32) -> [u8; 20] {
    joined([id.as_bytes().as_slice(), &sender.to_be_bytes()])
}

/// Concatenates parts, which have `N` bytes together.
pub(super) fn joined<const N: usize, const PARTS: usize>(parts: [&[u8]; PARTS]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N, "the parts fill the key");
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    key
}
