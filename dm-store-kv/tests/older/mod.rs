//! Rows of schema version 2, made of the rows that the library writes now. The tests of the engines
//! use this file to make databases of older versions.

#![allow(unreachable_pub, reason = "tests")]

/// A row of a table: its key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A row of `messages` without the number among the sender's messages.
pub fn message(value: &[u8]) -> Vec<u8> {
    // The flags follow three refs, three numbers, an id and two times.
    const FLAGS: usize = 3 * 4 + 3 * 8 + 16 + 2 * 8;
    const SENDER_SEQUENCE: u8 = 8;
    let mut value = value.to_vec();
    if value[FLAGS] & SENDER_SEQUENCE != 0 {
        value[FLAGS] -= SENDER_SEQUENCE;
        let len = 1 + value[FLAGS + 1..].iter().take_while(|byte| **byte >= 0x80).count();
        value.drain(FLAGS + 1..FLAGS + 1 + len);
    }
    value
}

/// A row of `sequence` without counts.
pub fn sequence(value: &[u8]) -> Vec<u8> {
    value[..16].to_vec()
}

/// A row of `conversation_ids` without fields after the note.
pub fn conversation_id(value: &[u8]) -> Vec<u8> {
    value[..value.len().min(88)].to_vec()
}

/// A row of `floors` without fields after the note.
pub fn floor(value: &[u8]) -> Vec<u8> {
    value[..value.len().min(20)].to_vec()
}

/// The rows of a conversation in `members`, from the conversation's row in `conversations`: those of
/// version 2, and the keys of those that the library writes now.
pub fn members(conversation: &Row) -> ([Row; 2], [Vec<u8>; 2]) {
    let (conversation_ref, value) = conversation;
    let (id, a, b) = (&value[..16], &value[16..20], &value[20..24]);
    let row = |user: &[u8], peer: &[u8]| ([user, conversation_ref.as_slice()].concat(), peer.to_vec());
    ([row(a, b), row(b, a)], [[a, id].concat(), [b, id].concat()])
}

/// A row of `keys`: version `version` of a user's key, whose 32 bytes are all `key`, published at
/// time `at` without a proof.
pub fn key(user_ref: u32, version: u32, key: u8, at: u64) -> Row {
    let value = [[key; 32].as_slice(), &at.to_be_bytes(), &[3]].concat();
    ([user_ref.to_be_bytes(), version.to_be_bytes()].concat(), value)
}

/// A row of `announcements`: the key of a user must still be announced in the conversations with
/// refs above `after`, up to `until`.
pub fn announcement(public_key: &[u8; 32], user_ref: u32, after: u32, until: u32) -> Row {
    (public_key.to_vec(), [user_ref, after, until].map(u32::to_be_bytes).concat())
}
