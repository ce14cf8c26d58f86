//! The batches of the trials. Each follows from a seed and its number, in any process.

use dm_core::store::{DeviceStart, Party, Update, Write};

use crate::chance::Chance;
use crate::model::{
    Act, Condition, Content, DEVICES, Effect, Key, KindOf, NameOf, Op, OwnerOf, PutOf, Target, Who,
};

/// The number of users.
pub(super) const USERS: u64 = 4;
/// The pairs of users; each has a conversation, numbered by its index.
const PAIRS: [(u64, u64); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
const PARTIES: [Party; 3] = [Party::Sender, Party::Peer, Party::Conversation];
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
    let mut ops: Vec<Op> = Vec::new();
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
            1 => {
                let who = somebody(&mut chance);
                let start = if chance.below(2) == 0 { DeviceStart::Oldest } else { DeviceStart::Now };
                ops.push(Act::Register { who, start, limit: 8 }.into());
            }
            2 => {
                let (who, target) = (somebody(&mut chance), Target::UpTo(chance.below(4 * n)));
                ops.push(Act::Ack { who, target }.into());
            }
            3 | 4 => {
                let messages = (0..4).map(|_| chance.below(number)).collect();
                ops.push(Act::Ack { who: somebody(&mut chance), target: Target::Messages(messages) }.into());
            }
            5 if index == 0 => ops.push(Act::Forget { who: somebody(&mut chance) }.into()),
            // A retry of an earlier send.
            6 | 7 if n > 2 => {
                let (n, index) = (1 + chance.below(n - 1), chance.below(PER_BATCH));
                ops.push(send(seed, n * PER_BATCH + index));
            }
            _ => ops.push(send(seed, number)),
        }
    }
    for _ in 0..chance.below(4) {
        ops.push(records(&mut chance, n));
    }
    if chance.below(8) == 0 {
        ops.push(gate(&mut chance, n));
    }
    if chance.below(10) == 0 {
        ops.push(Act::Expire { before: n.saturating_sub(RETENTION).cast_signed(), limit: ALL }.into());
    }
    ops.iter().map(|op| op.write(n.cast_signed())).collect()
}

fn open(one: u64, other: u64) -> Option<Op> {
    let pair = (one.min(other), one.max(other));
    let conversation = PAIRS.iter().position(|known| *known == pair)? as u64;
    Some(Act::Open { conversation, opener: Who { user: one, device: 0 }, other }.into())
}

/// A message. Its content follows from its number.
fn send(seed: u64, number: u64) -> Op {
    let mut chance = Chance::new(seed ^ 1, number);
    let conversation = chance.place(PAIRS.len());
    let (one, other) = PAIRS[conversation];
    let user = if chance.below(2) == 0 { one } else { other };
    // Some messages are larger than a page of any file.
    let size = if chance.below(30) == 0 { 9_000 } else { 1 + chance.place(300) };
    let act = Act::Append {
        message: number,
        conversation: conversation as u64,
        sender: Who { user, device: chance.place(DEVICES.len()) },
        client: Some(number),
        content: Content { kind: chance.byte() % 3, size },
    };
    let mut op = Op::from(act);
    if chance.below(8) == 0 {
        op.conditions.push(Condition::Fence(PARTIES[chance.place(PARTIES.len())], chance.below(2)));
    }
    if chance.below(8) == 0 {
        op.effects.push(Effect::Raise(put(&mut chance, number)));
    }
    op
}

/// Changes of records without an action, some of them with a condition.
fn records(chance: &mut Chance, n: u64) -> Op {
    let mut op = Op::from(Act::None);
    if chance.below(3) == 0 {
        op.conditions.push(match chance.below(3) {
            0 => Condition::Absent(key(chance)),
            1 => Condition::Tagged(key(chance), chance.below(2)),
            _ => Condition::Fewer(key(chance), 2),
        });
    }
    for _ in 0..1 + chance.below(2) {
        op.effects.push(match chance.below(10) {
            0..5 => Effect::Put(put(chance, n)),
            5 => Effect::Raise(put(chance, n)),
            6 => Effect::Delete(key(chance)),
            7 => Effect::Clear(key(chance)),
            8 => Effect::Take(key(chance), None),
            _ => post(chance, n),
        });
    }
    op
}

/// A change of a gate. No read shows a gate, so the write also posts a notice, which tells whether
/// it was stored.
fn gate(chance: &mut Chance, n: u64) -> Op {
    let (one, other) = PAIRS[chance.place(PAIRS.len())];
    let close = u8::from(chance.below(4) == 0);
    let ceiling = |chance: &mut Chance| match chance.below(3) {
        0 => Update::Set((chance.below(2 * n), 1_000_000)),
        1 => Update::Remove,
        _ => Update::Keep,
    };
    let gate = if chance.below(2) == 0 {
        Effect::Gate { one, other, close, open: 1 - close, a: ceiling(chance), b: ceiling(chance) }
    } else {
        let ceiling = if chance.below(3) == 0 { Update::Set(16 * n) } else { Update::Remove };
        Effect::UserGate { user: one, close: Some(close == 1), ceiling }
    };
    let effects = vec![gate, post(chance, n)];
    Op { act: Act::None, conditions: Vec::new(), effects }
}

fn post(chance: &mut Chance, n: u64) -> Effect {
    let registration = (chance.below(3) == 0).then(|| 1 + chance.below(4));
    Effect::Post { to: chance.below(USERS), says: n, registration, origin: None }
}

fn put(chance: &mut Chance, n: u64) -> PutOf {
    let due = (chance.below(3) == 0).then(|| (n + chance.below(20)).cast_signed());
    PutOf { key: key(chance), value: chance.byte() % 201, tag: chance.below(2), due }
}

/// The key of a fence, or of one of a few other records.
fn key(chance: &mut Chance) -> Key {
    let user = OwnerOf::User(chance.below(USERS));
    let conversation = OwnerOf::Conversation(chance.below(CONVERSATIONS));
    let name = NameOf::Text(chance.place(4));
    match chance.below(8) {
        0 => Key { owner: user, kind: KindOf::Fence, name: NameOf::Text(0) },
        1 => Key { owner: conversation, kind: KindOf::Fence, name: NameOf::Text(0) },
        2 => Key { owner: conversation, kind: KindOf::Plain, name },
        3 => Key { owner: OwnerOf::Store, kind: KindOf::Plain, name },
        4 => Key { owner: user, kind: KindOf::Plain, name },
        _ => Key { owner: user, kind: KindOf::Synced, name },
    }
}

fn somebody(chance: &mut Chance) -> Who {
    Who { user: chance.below(USERS), device: chance.place(DEVICES.len()) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use dm_core::store::{AckTarget, Action};

    use super::*;

    const MANY: u64 = 400;

    #[test]
    fn every_kind_of_write_comes() {
        let kind = |write: &Write| match &write.action {
            Action::None if write.posts.is_empty() => "records",
            Action::None => "post",
            Action::OpenConversation(_) => "open",
            Action::AppendMessage(_) => "append",
            Action::Acknowledge(write) => match &write.target {
                AckTarget::UpTo(_) => "acknowledge up to",
                AckTarget::Entries(_) => "acknowledge entries",
                AckTarget::Messages(_) => "acknowledge messages",
            },
            Action::RegisterDevice(write) => match write.start {
                DeviceStart::Oldest => "register at the oldest",
                DeviceStart::Now => "register now",
            },
            Action::ForgetDevice(_) => "forget",
            Action::Expire(_) => "expire",
            _ => "another",
        };
        let mut counts = HashMap::new();
        for write in (1..=MANY).flat_map(|n| batch(7, n)) {
            *counts.entry(kind(&write)).or_insert(0) += 1;
        }
        for kind in [
            "records",
            "post",
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
                let Action::AppendMessage(append) = write.action else { continue };
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
