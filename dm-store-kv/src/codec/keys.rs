//! The keys of rows. A *ref* is a 4-byte number that stands for a user, a conversation or a device.

use dm_core::store::{ClientMessageId, ConversationId, Timestamp};

use crate::codec::fields::Fields;
use crate::failure::Failure;

/// A key of two refs, in the tables `pairs` and `devices`.
pub(crate) fn refs_key(first: u32, second: u32) -> [u8; 8] {
    joined([first.to_be_bytes().as_slice(), &second.to_be_bytes()])
}

/// A key in `members`: a user, and the id of a conversation of the user.
pub(crate) fn member_key(user: u32, conversation: ConversationId) -> [u8; 20] {
    joined([user.to_be_bytes().as_slice(), conversation.as_bytes()])
}

/// A key in a log: the ref of the row's owner, and the row's number. A log is the table `sequence`,
/// whose owners are conversations, or the table `inbox`, whose owners are users.
#[must_use]
pub fn log_key(owner: u32, number: u64) -> [u8; 12] {
    joined([owner.to_be_bytes().as_slice(), &number.to_be_bytes()])
}

/// Decodes the owner's ref and the row's number from a key in a log. This is the reverse of
/// [`log_key`].
///
/// # Errors
/// [`Failure::Damaged`] for a key of another length.
pub fn owner_and_number(key: &[u8]) -> Result<(u32, u64), Failure> {
    let mut key = Fields::new(key);
    Ok((key.u32()?, key.last(Fields::u64)?))
}

/// A key in `acked`: the key of a mark, which is a row for an entry that a device acknowledged
/// individually.
pub(crate) fn mark_key(user: u32, device: u32, seq: u64) -> [u8; 16] {
    joined([user.to_be_bytes().as_slice(), &device.to_be_bytes(), &seq.to_be_bytes()])
}

/// A key in `oldest`: the time at which an inbox's first entry was queued, and the inbox's user.
pub(crate) fn oldest_key(at: Timestamp, user: u32) -> [u8; 12] {
    joined([at.as_millis().to_be_bytes().as_slice(), &user.to_be_bytes()])
}

/// A key in `client_ids`: a client's id of a message, and the sender.
pub(crate) fn client_id_key(id: ClientMessageId, sender: u32) -> [u8; 20] {
    joined([id.as_bytes().as_slice(), &sender.to_be_bytes()])
}

/// Concatenates `parts`, whose lengths must have the sum `N`.
pub(super) fn joined<const N: usize, const PARTS: usize>(parts: [&[u8]; PARTS]) -> [u8; N] {
    debug_assert_eq!(
        parts.iter().map(|part| part.len()).sum::<usize>(),
        N,
        "the lengths of the parts have the sum N"
    );
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    key
}
