//! The columns `gate` of users, of conversations and of pairs without a conversation. NULL is a gate
//! that lets everything through.
//!
//! The gate of a user is a byte that is 1 if the gate is closed and 0 otherwise, and the ceiling in
//! 8 bytes if there is one. The gate of a pair is a byte with the closing bits; for each participant
//! there follows a byte that is 1 if the participant has a ceiling and 0 otherwise, and then the
//! ceiling: the number of messages and the number of bytes, in 8 bytes each. Integers are
//! big-endian.

use dm_core::store::{Ceiling, Gate, InboxSeq, SenderSequence, UserGate};
use tokio_postgres::Row;

use crate::error::Fault;

/// The gate of a pair, as a column.
pub(crate) fn pair_gate(gate: Gate) -> Option<Vec<u8>> {
    if gate == Gate::default() {
        return None;
    }
    let mut bytes = vec![gate.closed];
    for ceiling in [gate.ceiling_a, gate.ceiling_b] {
        bytes.push(u8::from(ceiling.is_some()));
        if let Some(Ceiling { messages, bytes: size }) = ceiling {
            bytes.extend(messages.get().to_be_bytes());
            bytes.extend(size.to_be_bytes());
        }
    }
    Some(bytes)
}

/// The reverse of [`pair_gate`].
pub(crate) fn get_gate(row: &Row, column: usize) -> Result<Gate, Fault> {
    match row.try_get::<_, Option<&[u8]>>(column)? {
        None => Ok(Gate::default()),
        Some(bytes) => decode_pair(bytes).ok_or(Fault::Corrupt("a gate cannot be decoded")),
    }
}

/// The gate of a user, as a column.
pub(crate) fn user_gate(gate: UserGate) -> Option<Vec<u8>> {
    if gate == UserGate::default() {
        return None;
    }
    let mut bytes = vec![u8::from(gate.is_closed)];
    bytes.extend(gate.ceiling.iter().flat_map(|ceiling| ceiling.get().to_be_bytes()));
    Some(bytes)
}

/// The reverse of [`user_gate`].
pub(crate) fn get_user_gate(row: &Row, column: usize) -> Result<UserGate, Fault> {
    match row.try_get::<_, Option<&[u8]>>(column)? {
        None => Ok(UserGate::default()),
        Some(bytes) => decode_user(bytes).ok_or(Fault::Corrupt("a gate cannot be decoded")),
    }
}

fn decode_pair(bytes: &[u8]) -> Option<Gate> {
    let (closed, rest) = bytes.split_first()?;
    let (ceiling_a, rest) = decode_ceiling(rest)?;
    let (ceiling_b, rest) = decode_ceiling(rest)?;
    rest.is_empty().then_some(Gate { closed: *closed, ceiling_a, ceiling_b })
}

/// The ceiling at the start of `bytes`, and the bytes after it.
fn decode_ceiling(bytes: &[u8]) -> Option<(Option<Ceiling>, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((None, rest)),
        (1, rest) => {
            let (messages, rest) = rest.split_first_chunk()?;
            let (size, rest) = rest.split_first_chunk()?;
            let messages = SenderSequence::new(u64::from_be_bytes(*messages));
            Some((Some(Ceiling { messages, bytes: u64::from_be_bytes(*size) }), rest))
        }
        _ => None,
    }
}

fn decode_user(bytes: &[u8]) -> Option<UserGate> {
    let (closed, ceiling) = bytes.split_first()?;
    let ceiling = match ceiling {
        [] => None,
        bytes => Some(InboxSeq::new(u64::from_be_bytes(bytes.try_into().ok()?))),
    };
    (*closed < 2).then_some(UserGate { is_closed: *closed == 1, ceiling })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gate_is_decoded_from_its_column_and_from_no_shorter_or_longer_one() {
        let ceiling = Some(Ceiling { messages: SenderSequence::new(u64::MAX), bytes: u64::MAX });
        for (closed, ceiling_a, ceiling_b) in
            [(5, None, None), (0, ceiling, None), (0, None, ceiling), (255, ceiling, ceiling)]
        {
            let gate = Gate { closed, ceiling_a, ceiling_b };
            let mut bytes = pair_gate(gate).unwrap();
            assert_eq!(decode_pair(&bytes), Some(gate));
            assert_eq!(decode_pair(&bytes[..bytes.len() - 1]), None);
            bytes.push(0);
            assert_eq!(decode_pair(&bytes), None);
        }
        for (is_closed, ceiling) in [(true, None), (false, Some(u64::MAX)), (true, Some(3))] {
            let gate = UserGate { is_closed, ceiling: ceiling.map(InboxSeq::new) };
            let mut bytes = user_gate(gate).unwrap();
            assert_eq!(decode_user(&bytes), Some(gate));
            bytes.push(0);
            assert_eq!(decode_user(&bytes), None);
        }
        assert_eq!((pair_gate(Gate::default()), user_gate(UserGate::default())), (None, None));
        assert_eq!((decode_pair(&[]), decode_user(&[])), (None, None));
    }
}
