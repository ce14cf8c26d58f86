//! Conversion of the core's values to columns and back. The functions `get_…` read a column of a
//! row, by the column's index.

mod gate;
mod records;

use bytes::Bytes;
use dm_core::store::{
    Ciphertext, ClientMessageId, ConversationId, Counts, CursorProof, DeviceId, InboxSeq, Message, MessageId,
    Participants, Registration, SenderSequence, ServerSequence, SideCounts, Suite, Timestamp, UserId,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Fault;

pub(crate) use gate::{get_gate, get_user_gate, pair_gate, user_gate};
pub(crate) use records::{RECORD_COLUMNS, get_fence, get_record, kind, name_bounds, owner, tag};

/// The columns of a message in SQL, in the order in which [`message`] reads them. The alias `m` is
/// for the table `messages`.
pub(crate) const MESSAGE_COLUMNS: &str = "m.id, m.conversation, m.seq, m.sender, m.client_id, m.sent_at, m.received_at, \
     m.suite, m.nonce, m.ephemeral, m.payload, m.sender_number";

/// The number of columns in [`MESSAGE_COLUMNS`].
pub(crate) const MESSAGE_COLUMN_COUNT: usize = 12;

/// A sequence number as a `bigint`. A number above the range becomes `i64::MAX`, which is above the
/// numbers of all rows.
pub(crate) fn u64_to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A row count, or a page size in rows or bytes, as a `bigint`; at most `i64::MAX`.
pub(crate) fn usize_to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time as a `bigint`: its milliseconds since 1970, minus 2^63. So every 64-bit time fits, and
/// times keep their order.
pub(crate) const fn time_to_i64(at: Timestamp) -> i64 {
    // Flipping the highest bit and reading the result as signed subtracts 2^63.
    (at.as_millis() ^ (1 << 63)).cast_signed()
}

/// The reverse of [`time_to_i64`].
pub(crate) const fn time_from_i64(at: i64) -> Timestamp {
    Timestamp::from_millis(at.cast_unsigned() ^ (1 << 63))
}

/// An id of 16 bytes as a `uuid`.
pub(crate) const fn uuid(bytes: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*bytes)
}

pub(crate) fn get_time(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    Ok(time_from_i64(row.try_get(column)?))
}

pub(crate) fn get_number(row: &Row, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Fault::Corrupt("a number is negative"))
}

pub(crate) fn get_seq(row: &Row, column: usize) -> Result<InboxSeq, Fault> {
    get_number(row, column).map(InboxSeq::new)
}

pub(crate) fn get_user(row: &Row, column: usize) -> Result<UserId, Fault> {
    get_bytes(row, column).map(UserId::from_stored)
}

pub(crate) fn get_conversation(row: &Row, column: usize) -> Result<ConversationId, Fault> {
    Ok(ConversationId::from(row.try_get::<_, Uuid>(column)?))
}

pub(crate) fn get_message_id(row: &Row, column: usize) -> Result<MessageId, Fault> {
    Ok(MessageId::from(row.try_get::<_, Uuid>(column)?))
}

/// The participants of a conversation, from two adjacent columns.
pub(crate) fn get_participants(row: &Row, column: usize) -> Result<Participants, Fault> {
    Participants::new(get_user(row, column)?, get_user(row, column + 1)?)
        .map_err(|_| Fault::Corrupt("a conversation has the same user twice"))
}

/// A device, from the text of its name.
pub(crate) fn get_device(row: &Row, column: usize) -> Result<DeviceId, Fault> {
    row.try_get::<_, &str>(column)?.parse().map_err(|_| Fault::Corrupt("a device name is not valid"))
}

/// The device that caused an entry, as the column `origin`: NULL if no device did, an empty text
/// for the default device.
pub(crate) fn origin(device: Option<&DeviceId>) -> Option<&str> {
    device.map(|device| if device.is_default() { "" } else { device.as_str() })
}

/// The reverse of [`origin`].
pub(crate) fn get_origin(row: &Row, column: usize) -> Result<Option<DeviceId>, Fault> {
    match row.try_get::<_, Option<&str>>(column)? {
        None => Ok(None),
        Some("") => Ok(Some(DeviceId::default())),
        Some(text) => text.parse().map(Some).map_err(|_| Fault::Corrupt("a device name is not valid")),
    }
}

/// What both participants of a conversation have sent and seen, from six adjacent columns: `a_sent`,
/// `a_bytes`, `a_seen`, and the same of `b`.
pub(crate) fn get_counts(row: &Row, column: usize) -> Result<Counts, Fault> {
    let side = |column| -> Result<_, Fault> {
        Ok(SideCounts {
            sent: SenderSequence::new(get_number(row, column)?),
            bytes: get_number(row, column + 1)?,
            seen: SenderSequence::new(get_number(row, column + 2)?),
        })
    };
    Ok(Counts { a: side(column)?, b: side(column + 3)? })
}

/// A proof, as a `bigint` with the same bits.
pub(crate) const fn proof(proof: CursorProof) -> i64 {
    proof.get().cast_signed()
}

/// The reverse of [`proof`]; `None` for NULL.
pub(crate) fn get_proof(row: &Row, column: usize) -> Result<Option<CursorProof>, Fault> {
    let proof: Option<i64> = row.try_get(column)?;
    Ok(proof.map(|proof| CursorProof::from_stored(proof.cast_unsigned())))
}

/// The registration in a column; `None` for NULL.
pub(crate) fn get_addressee(row: &Row, column: usize) -> Result<Option<Registration>, Fault> {
    row.try_get::<_, Option<i64>>(column)?.map(|_| get_registration(row, column)).transpose()
}

pub(crate) fn get_registration(row: &Row, column: usize) -> Result<Registration, Fault> {
    get_number(row, column).map(Registration::new)
}

/// A message, from the columns of [`MESSAGE_COLUMNS`]. The first of them has the index `column`.
pub(crate) fn message(row: &Row, column: usize) -> Result<Message, Fault> {
    let client_id = row.try_get::<_, Option<Uuid>>(column + 4)?.map(ClientMessageId::from);
    let suite = match row.try_get::<_, Option<i64>>(column + 7)? {
        None => None,
        Some(suite) => Some(Suite(u32::try_from(suite).map_err(|_| Fault::Corrupt("a suite is not valid"))?)),
    };
    let payload = Bytes::copy_from_slice(row.try_get(column + 10)?);
    let ciphertext = Ciphertext::new(payload, row.try_get(column + 8)?, row.try_get(column + 9)?, suite)
        .map_err(|_| Fault::Corrupt("a ciphertext is not valid"))?;
    Ok(Message {
        id: get_message_id(row, column)?,
        conversation: get_conversation(row, column + 1)?,
        sequence: ServerSequence::new(get_number(row, column + 2)?),
        sender: get_user(row, column + 3)?,
        sender_sequence: SenderSequence::new(get_number(row, column + 11)?),
        client_id,
        sent_at: get_time(row, column + 5)?,
        received_at: get_time(row, column + 6)?,
        ciphertext,
    })
}

/// An id, from a column of `N` bytes.
pub(crate) fn get_bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], Fault> {
    row.try_get::<_, &[u8]>(column)?.try_into().map_err(|_| Fault::Corrupt("an id has the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_64_bit_times_round_trip_and_keep_their_order() {
        let times = [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX].map(Timestamp::from_millis);
        assert!(times.map(time_to_i64).is_sorted());
        assert_eq!(times.map(time_to_i64).map(time_from_i64), times);
    }

    #[test]
    fn a_number_above_the_range_becomes_the_highest_bigint() {
        assert_eq!(u64_to_i64(7), 7);
        assert_eq!(u64_to_i64(u64::MAX), i64::MAX);
    }
}
