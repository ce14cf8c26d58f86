//! Gates and counts as SQLite's values.
//!
//! A gate that lets everything through and counts of zero are NULL. Other values are blobs, because
//! most rows have none of them:
//!
//! - The gate of a pair: the closing bits in one byte, then for each of the two sides a byte 0, or a
//!   byte 1 and its ceiling in 16 bytes (messages, bytes).
//! - The gate of a user: a byte that is 1 if it is closed, then its ceiling in 8 bytes if it has
//!   one.
//! - Counts: as [`Counts::encode`] writes them.
//!
//! Integers are big-endian.

use dm_core::store::{Ceiling, Counts, Gate, InboxSeq, SenderSequence, UserGate};
use rusqlite::types::Type;
use rusqlite::{Result, Row};

use super::damaged;

/// The gate of a pair as an SQL value.
pub(crate) fn gate(gate: &Gate) -> Option<Vec<u8>> {
    if *gate == Gate::default() {
        return None;
    }
    let mut bytes = vec![gate.closed];
    for ceiling in [gate.ceiling_a, gate.ceiling_b] {
        bytes.push(ceiling.is_some().into());
        if let Some(Ceiling { messages, bytes: size }) = ceiling {
            bytes.extend(messages.get().to_be_bytes());
            bytes.extend(size.to_be_bytes());
        }
    }
    Some(bytes)
}

/// The reverse of [`gate`].
pub(crate) fn get_gate(row: &Row<'_>, column: usize) -> Result<Gate> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(Gate::default()) };
    decode_gate(bytes).ok_or_else(|| damaged(column, Type::Blob, "not the gate of a pair"))
}

/// The gate of a user as an SQL value.
pub(crate) fn user_gate(gate: &UserGate) -> Option<Vec<u8>> {
    if *gate == UserGate::default() {
        return None;
    }
    let mut bytes = vec![gate.is_closed.into()];
    bytes.extend(gate.ceiling.map(|ceiling| ceiling.get().to_be_bytes()).into_iter().flatten());
    Some(bytes)
}

/// The reverse of [`user_gate`].
pub(crate) fn get_user_gate(row: &Row<'_>, column: usize) -> Result<UserGate> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(UserGate::default()) };
    decode_user_gate(bytes).ok_or_else(|| damaged(column, Type::Blob, "not the gate of a user"))
}

/// Counts, from a column that is NULL for a message that is not counted.
pub(crate) fn get_counts(row: &Row<'_>, column: usize) -> Result<Counts> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(Counts::default()) };
    match Counts::decode(bytes) {
        Ok((counts, [])) => Ok(counts),
        _ => Err(damaged(column, Type::Blob, "not the counts of a conversation")),
    }
}

fn decode_gate(bytes: &[u8]) -> Option<Gate> {
    let ([closed], rest) = bytes.split_first_chunk()?;
    let (ceiling_a, rest) = decode_ceiling(rest)?;
    let (ceiling_b, rest) = decode_ceiling(rest)?;
    rest.is_empty().then_some(Gate { closed: *closed, ceiling_a, ceiling_b })
}

/// A ceiling, and the bytes that follow.
fn decode_ceiling(bytes: &[u8]) -> Option<(Option<Ceiling>, &[u8])> {
    let (has_ceiling, rest) = bytes.split_first()?;
    match has_ceiling {
        0 => Some((None, rest)),
        1 => {
            let (messages, rest) = rest.split_first_chunk()?;
            let (size, rest) = rest.split_first_chunk()?;
            let messages = SenderSequence::new(u64::from_be_bytes(*messages));
            Some((Some(Ceiling { messages, bytes: u64::from_be_bytes(*size) }), rest))
        }
        _ => None,
    }
}

fn decode_user_gate(bytes: &[u8]) -> Option<UserGate> {
    let (is_closed, rest) = bytes.split_first()?;
    let is_closed = match is_closed {
        0 => false,
        1 => true,
        _ => return None,
    };
    let ceiling = match rest {
        [] => None,
        rest => Some(InboxSeq::new(u64::from_be_bytes(rest.try_into().ok()?))),
    };
    Some(UserGate { is_closed, ceiling })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceiling(messages: u64, bytes: u64) -> Option<Ceiling> {
        Some(Ceiling { messages: SenderSequence::new(messages), bytes })
    }

    #[test]
    fn every_gate_is_decoded_from_its_bytes_and_the_default_is_null() {
        assert_eq!((gate(&Gate::default()), user_gate(&UserGate::default())), (None, None));
        for ceilings in
            [(None, None), (ceiling(1, 2), None), (None, ceiling(u64::MAX, 0)), (ceiling(0, 0), None)]
        {
            for closed in [0, 1, 255] {
                let value = Gate { closed, ceiling_a: ceilings.0, ceiling_b: ceilings.1 };
                let bytes = gate(&value);
                assert_eq!(bytes.map_or(Some(Gate::default()), |bytes| decode_gate(&bytes)), Some(value));
            }
        }
        for is_closed in [false, true] {
            for ceiling in [None, Some(0), Some(u64::MAX)] {
                let value = UserGate { is_closed, ceiling: ceiling.map(InboxSeq::new) };
                let bytes = user_gate(&value);
                let decoded = bytes.map_or(Some(UserGate::default()), |bytes| decode_user_gate(&bytes));
                assert_eq!(decoded, Some(value));
            }
        }
    }

    #[test]
    fn bytes_of_another_form_are_refused() {
        let whole = gate(&Gate { closed: 1, ceiling_a: ceiling(5, 6), ceiling_b: ceiling(7, 8) }).unwrap();
        for len in 0..whole.len() {
            assert_eq!(decode_gate(&whole[..len]), None);
        }
        assert_eq!(decode_gate(&[&whole[..], &[0]].concat()), None);
        assert_eq!(decode_gate(&[0, 2, 0]), None);
        for bytes in [&[][..], &[2], &[0, 1], &[0; 10]] {
            assert_eq!(decode_user_gate(bytes), None);
        }
    }
}
