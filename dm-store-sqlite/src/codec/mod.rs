//! Conversions between the core's types and SQLite's values: [`record`] has those of records,
//! [`gate`] those of gates and counts.

pub(crate) mod gate;
pub(crate) mod record;

use bytes::Bytes;
use dm_core::store::{
    Ciphertext, ClientMessageId, ConversationId, DeviceId, InboxSeq, Message, MessageId, Participants,
    Registration, SenderSequence, ServerSequence, Suite, Timestamp, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Result, Row};

/// The columns of a message in SQL, in the order in which [`message`] reads them. The aliases are
/// `m` for `dm_messages`, `c` for the conversation, and `u` for the sender.
pub(crate) const MESSAGE_COLUMNS: &str = "m.id, c.id, m.seq, u.pubkey, m.client_id, m.sent_at, m.received_at, \
                                          m.suite, m.nonce, m.ephemeral, m.payload, m.sender_sequence";

/// The number of columns of [`MESSAGE_COLUMNS`].
pub(crate) const MESSAGE_COLUMN_COUNT: usize = 12;

/// The number of an entry or a message, or another number, as an SQL value. A number above
/// `i64::MAX` becomes `i64::MAX`, a number that no row has.
pub(crate) fn u64_to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A row count or page size as an SQL value, with the same limit as [`u64_to_i64`].
pub(crate) fn usize_to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time in milliseconds as an SQL value with the same 64 bits. Times from 2^63 on are negative.
pub(crate) fn time_to_i64(at: Timestamp) -> i64 {
    at.as_millis().cast_signed()
}

/// The reverse of [`time_to_i64`].
pub(crate) const fn time_from_i64(at: i64) -> Timestamp {
    Timestamp::from_millis(at.cast_unsigned())
}

pub(crate) fn get_time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    row.get(column).map(time_from_i64)
}

pub(crate) fn get_number(row: &Row<'_>, column: usize) -> Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| damaged(column, Type::Integer, "a negative number"))
}

pub(crate) fn get_seq(row: &Row<'_>, column: usize) -> Result<InboxSeq> {
    get_number(row, column).map(InboxSeq::new)
}

/// The number of a registration; `None` for NULL.
pub(crate) fn get_registration(row: &Row<'_>, column: usize) -> Result<Option<Registration>> {
    let number: Option<i64> = row.get(column)?;
    Ok(number.map(|number| Registration::new(number.cast_unsigned())))
}

pub(crate) fn get_user(row: &Row<'_>, column: usize) -> Result<UserId> {
    fixed_blob(row, column).map(UserId::from_stored)
}

pub(crate) fn get_conversation(row: &Row<'_>, column: usize) -> Result<ConversationId> {
    fixed_blob(row, column).map(ConversationId::from_bytes)
}

/// A device's name, from a column of text.
pub(crate) fn get_device(row: &Row<'_>, column: usize) -> Result<DeviceId> {
    parse_device(row, column, |text| text.parse().ok())
}

/// The two participants, from two columns of public keys starting at `column`.
pub(crate) fn get_participants(row: &Row<'_>, column: usize) -> Result<Participants> {
    Participants::new(get_user(row, column)?, get_user(row, column + 1)?)
        .map_err(|_| damaged(column, Type::Blob, "both participants are the same user"))
}

/// The device that caused an entry, as an SQL value: NULL if no device did, an empty text for the
/// default device.
pub(crate) fn origin(device: Option<&DeviceId>) -> Option<&str> {
    device.map(|device| if device.is_default() { "" } else { device.as_str() })
}

/// The reverse of [`origin`].
pub(crate) fn get_origin(row: &Row<'_>, column: usize) -> Result<Option<DeviceId>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    parse_device(
        row,
        column,
        |text| if text.is_empty() { Some(DeviceId::default()) } else { text.parse().ok() },
    )
    .map(Some)
}

/// A message from the columns of [`MESSAGE_COLUMNS`], starting at `column`.
pub(crate) fn message(row: &Row<'_>, column: usize) -> Result<Message> {
    let client_id: Option<[u8; 16]> = row.get(column + 4)?;
    let suite: Option<u32> = row.get(column + 7)?;
    let nonce = row.get_ref(column + 8)?.as_blob()?;
    let ephemeral = row.get_ref(column + 9)?.as_blob_or_null()?;
    let payload = Bytes::copy_from_slice(row.get_ref(column + 10)?.as_blob()?);
    let ciphertext = Ciphertext::new(payload, nonce, ephemeral, suite.map(Suite))
        .map_err(|_| damaged(column + 8, Type::Blob, "not a ciphertext"))?;
    Ok(Message {
        id: MessageId::from_bytes(fixed_blob(row, column)?),
        conversation: get_conversation(row, column + 1)?,
        sequence: ServerSequence::new(get_number(row, column + 2)?),
        sender: get_user(row, column + 3)?,
        sender_sequence: SenderSequence::new(get_number(row, column + 11)?),
        client_id: client_id.map(ClientMessageId::from_bytes),
        sent_at: get_time(row, column + 5)?,
        received_at: get_time(row, column + 6)?,
        ciphertext,
    })
}

/// The error for a value in the file that the library cannot have written.
pub(crate) fn damaged(column: usize, kind: Type, reason: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, reason.into())
}

/// A blob of exactly `N` bytes.
pub(crate) fn fixed_blob<const N: usize>(row: &Row<'_>, column: usize) -> Result<[u8; N]> {
    row.get(column)
}

/// The name of a device in a column of text, converted by `parse`. An error if `parse` returns
/// `None`.
fn parse_device<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| damaged(column, Type::Text, "not a device name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_64_bit_time_round_trips() {
        for millis in [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            assert_eq!(time_to_i64(Timestamp::from_millis(millis)).cast_unsigned(), millis);
        }
    }

    /// The column that the error of `read` names. `read` gets the one row of the query `sql`.
    fn damage<T: std::fmt::Debug>(sql: &str, read: impl FnOnce(&Row<'_>) -> Result<T>) -> usize {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        match connection.query_row(sql, [], read) {
            Err(rusqlite::Error::FromSqlConversionFailure(column, ..)) => column,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_damaged_value_is_an_error_that_names_its_column() {
        for (before, first) in [("", 0), ("7, 8, ", 2)] {
            let ids = "zeroblob(16), zeroblob(16), 1, zeroblob(32)";
            let sql = format!("SELECT {before}{ids}, NULL, 5, 6, NULL, x'0102', NULL, x'01', 0");
            assert_eq!(damage(&sql, |row| message(row, first)), first + 8, "no nonce");
        }
    }

    #[test]
    fn a_number_above_the_range_becomes_the_highest_integer() {
        assert_eq!(u64_to_i64(7), 7);
        assert_eq!(u64_to_i64(u64::MAX), i64::MAX);
    }
}
