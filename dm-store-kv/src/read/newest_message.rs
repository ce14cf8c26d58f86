//! The newest message of a conversation.

use dm_core::store::{ServerSequence, Timestamp};

use crate::codec::{Fields, SequenceRow};
use crate::failure::Failure;

/// Decodes a conversation's last row in `sequence`: the number of the newest message, and the time
/// at which this message was received.
pub(super) fn decode_newest_message(
    mut key: Fields<'_>,
    value: Fields<'_>,
) -> Result<(ServerSequence, Option<Timestamp>), Failure> {
    key.skip_ref()?;
    let sequence = ServerSequence::new(key.last(Fields::u64)?);
    Ok((sequence, Some(SequenceRow::decode(value)?.at)))
}
