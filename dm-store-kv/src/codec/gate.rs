//! The gate of a pair, in the rows of `pairs` and `conversation_ids`.

use dm_core::store::{Ceiling, Gate, SenderSequence};

use crate::codec::fields::Fields;
use crate::failure::Failure;

// The flags of the ceilings that are present.
const CEILING_A: u8 = 1;
const CEILING_B: u8 = 2;

/// Appends a gate: the closing bits 1, flags 1, and for each ceiling the messages 8 and the bytes 8.
pub(super) fn encode_gate(gate: &Gate, value: &mut Vec<u8>) {
    let flag = |ceiling: Option<Ceiling>, bit: u8| if ceiling.is_some() { bit } else { 0 };
    value.push(gate.closed);
    value.push(flag(gate.ceiling_a, CEILING_A) | flag(gate.ceiling_b, CEILING_B));
    for ceiling in [gate.ceiling_a, gate.ceiling_b].into_iter().flatten() {
        value.extend(ceiling.messages.get().to_be_bytes());
        value.extend(ceiling.bytes.to_be_bytes());
    }
}

pub(super) fn decode_gate(value: &mut Fields<'_>) -> Result<Gate, Failure> {
    let (closed, flags) = (value.u8()?, value.u8()?);
    if flags > CEILING_A | CEILING_B {
        return Err(Failure::Damaged("a gate has unknown flags"));
    }
    let mut ceiling = |bit: u8| -> Result<Option<Ceiling>, Failure> {
        if flags & bit == 0 {
            return Ok(None);
        }
        Ok(Some(Ceiling { messages: SenderSequence::new(value.u64()?), bytes: value.u64()? }))
    };
    Ok(Gate { closed, ceiling_a: ceiling(CEILING_A)?, ceiling_b: ceiling(CEILING_B)? })
}

/// A row of `pairs`: the conversation of a pair of users, or the gate of a pair without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairRow {
    /// The ref of the conversation. Its gate is in its row of `conversation_ids`.
    Conversation(u32),
    Gate(Gate),
}

impl PairRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(40);
        match self {
            Self::Conversation(conversation_ref) => value.extend(conversation_ref.to_be_bytes()),
            Self::Gate(gate) => {
                // No conversation has the ref zero.
                value.extend(0_u32.to_be_bytes());
                encode_gate(&gate, &mut value);
            }
        }
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        match value.u32()? {
            0 => value.last(decode_gate).map(Self::Gate),
            conversation_ref => value.last(|_| Ok(Self::Conversation(conversation_ref))),
        }
    }
}
