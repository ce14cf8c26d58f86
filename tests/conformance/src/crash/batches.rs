//! The batches of the trials. Each follows from a seed and its number, in any process.

use dm_core::store::{DeviceStart, KeyBinding, Write};

use crate::chance::Chance;
use crate::model::{Content, DEVICES, Op, Target, Who};

/// The number of users.
pub(super) const USERS: u64 = 4;
/// The pairs of users; each has a conversation, numbered by its index.
const PAIRS: [(u64, u64); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
/// The number of conversations.
pub(super) const CONVERSATIONS: u64 = PAIRS.len() as u64;
/// The number of message numbers that one batch may use.
const PER_BATCH: u64 = 16;
/// The number of batches after which their entries expire.
const RETENTION: u64 = 60;
/// A limit that no batch reaches, so that it leaves the store no choice.
const ALL: usize = 1_000_000;

/// The *n*-th batch, from 1. Every send has a client id, so that a retry stores nothing twice. No
/// write leaves a choice to the store.
#[must_use]
pub fn batch(seed: u64, n: u64) -> Vec<Write> {
    let mut chance = Chance::new(seed, n);
    // Each batch concerns several conversations and users, so that a missing part of it is noticed.
    let mut ops = Vec::new();
    if n <= CONVERSATIONS {
        let (one, other) = PAIRS[chance.place(PAIRS.len())];
        ops.extend(open(one, other));
        ops.extend(open(other, one));
    }
    for index in 0..1 + chance.below(PER_BATCH) {
        let number = n * PER_BATCH + index;
        match chance.below(24) {
            0 => {
                let (one, other) = PAIRS[chance.place(PAIRS.len())];
                ops.extend(open(one, other));
            }
            1 => ops.push(Op::Register {
                who: somebody(&mut chance),
                start: if chance.below(2) == 0 { DeviceStart::Oldest } else { DeviceStart::Now },
                limit: 8,
            }),
            2 => ops.push(Op::Ack { who: somebody(&mut chance), target: Target::UpTo(chance.below(4 * n)) }),
            3 | 4 => {
                let messages = (0..4).map(|_| chance.below(number)).collect();
                ops.push(Op::Ack { who: somebody(&mut chance), target: Target::Messages(messages) });
            }
            5 if index == 0 => ops.push(Op::Forget { who: somebody(&mut chance) }),
            // A retry of an earlier send.
            6 | 7 if n > 2 => {
                let (n, index) = (1 + chance.below(n - 1), chance.below(PER_BATCH));
                ops.push(send(seed, n * PER_BATCH + index));
            }
            _ => ops.push(send(seed, number)),
        }
    }
    if chance.below(6) == 0 {
        let user = chance.below(USERS);
        let key = chance.byte() | 1;
        ops.push(Op::Publish { user, key, binding: KeyBinding::Unproven });
        ops.push(Op::Announce { limit: ALL });
    }
    if chance.below(10) == 0 {
        ops.push(Op::Expire { before: n.saturating_sub(RETENTION).cast_signed(), limit: ALL });
    }
    ops.iter().map(|op| op.write(n.cast_signed())).collect()
}

fn open(one: u64, other: u64) -> Option<Op> {
    let pair = (one.min(other), one.max(other));
    let conversation = PAIRS.iter().position(|known| *known == pair)? as u64;
    Some(Op::Open { conversation, opener: Who { user: one, device: 0 }, other })
}

/// A message. Its content follows from its number.
fn send(seed: u64, number: u64) -> Op {
    let mut chance = Chance::new(seed ^ 1, number);
    let conversation = chance.place(PAIRS.len());
    let (one, other) = PAIRS[conversation];
    let user = if chance.below(2) == 0 { one } else { other };
    // Some messages are larger than a page of any file.
    let size = if chance.below(30) == 0 { 9_000 } else { 1 + chance.place(300) };
    Op::Append {
        message: number,
        conversation: conversation as u64,
        sender: Who { user, device: chance.place(DEVICES.len()) },
        client: Some(number),
        key: None,
        content: Content { kind: chance.byte() % 3, size },
    }
}

fn somebody(chance: &mut Chance) -> Who {
    Who { user: chance.below(USERS), device: chance.place(DEVICES.len()) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use dm_core::store::AckTarget;

    use super::*;

    const MANY: u64 = 400;

    #[test]
    fn every_kind_of_write_comes() {
        let kind = |write: &Write| match write {
            Write::PublishKey(_) => "publish",
            Write::AnnounceKeys(_) => "announce",
            Write::OpenConversation(_) => "open",
            Write::AppendMessage(_) => "append",
            Write::Acknowledge(write) => match write.target {
                AckTarget::UpTo(_) => "acknowledge up to",
                AckTarget::Entries(_) => "acknowledge entries",
                AckTarget::Messages(_) => "acknowledge messages",
            },
            Write::RegisterDevice(write) => match write.start {
                DeviceStart::Oldest => "register at the oldest",
                DeviceStart::Now => "register now",
            },
            Write::ForgetDevice(_) => "forget",
            Write::Expire(_) => "expire",
            _ => "another",
        };
        let mut counts = HashMap::new();
        for write in (1..=MANY).flat_map(|n| batch(7, n)) {
            *counts.entry(kind(&write)).or_insert(0) += 1;
        }
        for kind in [
            "publish",
            "announce",
            "open",
            "append",
            "acknowledge up to",
            "acknowledge messages",
            "register at the oldest",
            "register now",
            "forget",
            "expire",
        ] {
            assert!(counts.remove(kind).is_some_and(|count| count >= 5), "{kind}");
        }
        assert!(counts.is_empty(), "{counts:?}");
    }

    #[test]
    fn a_retry_repeats_a_send_of_an_earlier_batch() {
        let (mut again, mut late, mut large) = (0, 0, 0);
        let mut sent = HashMap::new();
        for n in 1..=MANY {
            for write in batch(7, n) {
                let Write::AppendMessage(append) = write else { continue };
                let id = append.client_id.expect("every send has a client id");
                let number = (u128::from_be_bytes(*id.as_bytes()) >> 64) as u64;
                assert!((1..=n).contains(&(number / PER_BATCH)), "{number} in batch {n}");
                let content = (append.id, append.conversation, append.sender, append.ciphertext);
                large += u64::from(content.3.payload().len() > 8_192);
                if let Some((before, earlier)) = sent.insert(number, (n, content.clone())) {
                    assert_eq!(earlier, content);
                    again += 1;
                    late += u64::from(n - before > 10);
                }
            }
        }
        assert!(again > 50 && late > 20 && large > 20, "{again} come again, {late} late, {large} are large");
    }
}
