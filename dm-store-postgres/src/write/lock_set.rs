//! What a batch is about, before anything is read.

use std::collections::{BTreeSet, HashMap, HashSet};

use dm_core::store::{
    AckTarget, AnnounceKeys, ConversationId, Expire, ForgetDevice, MessageId, Participants, UserId, Write,
};

use super::participants_cache::ParticipantsCache;

/// A part of a batch that is read for, decided and written at once. All are parts of the same transaction.
pub(super) enum Segment<'a> {
    /// Writes that are decided in memory, one after another.
    InMemory(&'a [Write]),
    Forget(&'a ForgetDevice),
    Announce(&'a AnnounceKeys),
    Expire(&'a Expire),
}

/// Cuts a batch into runs: mostly it is one. A device that is registered and acknowledges in the same batch is read
/// again in between, for what it could have acknowledged was not known before.
pub(super) fn segments(batch: &[Write]) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut rest = batch;
    while let Some(first) = rest.first() {
        let alone = match first {
            Write::ForgetDevice(write) => Some(Segment::Forget(write)),
            Write::AnnounceKeys(write) => Some(Segment::Announce(write)),
            Write::Expire(write) => Some(Segment::Expire(write)),
            _ => None,
        };
        let (segment, behind) = match alone {
            Some(segment) => (segment, rest.split_at(1).1),
            None => {
                let (writes, behind) = rest.split_at(in_memory_length(rest));
                (Segment::InMemory(writes), behind)
            }
        };
        segments.push(segment);
        rest = behind;
    }
    segments
}

fn in_memory_length(writes: &[Write]) -> usize {
    let mut registered = HashSet::new();
    for (length, write) in writes.iter().enumerate() {
        match write {
            Write::ForgetDevice(_) | Write::AnnounceKeys(_) | Write::Expire(_) => return length,
            Write::Acknowledge(write) if registered.contains(&write.who) => return length,
            Write::RegisterDevice(write) => _ = registered.insert(&write.who),
            _ => {}
        }
    }
    writes.len()
}

/// Whom and what writes name. In order, because that is the order of the locks.
#[derive(Default)]
pub(super) struct LockSet {
    /// Users who get a row if they have none.
    pub(super) ensured: BTreeSet<UserId>,
    /// Users who are named, those included, and users of conversations that are appended to.
    pub(super) users: BTreeSet<UserId>,
    /// Conversations that are appended to and whose users this node knows, with them.
    pub(super) participants: HashMap<ConversationId, Participants>,
    /// Conversations that are appended to and whose users this node has not seen yet.
    pub(super) unresolved: BTreeSet<ConversationId>,
    /// Messages that are acknowledged by their ids.
    pub(super) messages: BTreeSet<MessageId>,
}

impl LockSet {
    pub(super) fn of(writes: &[Write], cache: &ParticipantsCache) -> Self {
        let mut lock_set = Self::default();
        for write in writes {
            match write {
                Write::OpenConversation(write) => {
                    lock_set.ensure(write.participants.a());
                    lock_set.ensure(write.participants.b());
                }
                Write::PublishKey(write) => lock_set.ensure(write.user),
                Write::RegisterDevice(write) => lock_set.ensure(write.who.user),
                Write::AppendMessage(write) => match cache.get(write.conversation) {
                    Some(participants) => {
                        lock_set.users.extend([participants.a(), participants.b()]);
                        lock_set.participants.insert(write.conversation, participants);
                    }
                    None => _ = lock_set.unresolved.insert(write.conversation),
                },
                Write::Acknowledge(write) => {
                    lock_set.users.insert(write.who.user);
                    if let AckTarget::Messages(ids) = &write.target {
                        lock_set.messages.extend(ids);
                    }
                }
                Write::ForgetDevice(write) => _ = lock_set.users.insert(write.who.user),
                _ => {}
            }
        }
        lock_set
    }

    fn ensure(&mut self, user: UserId) {
        self.ensured.insert(user);
        self.users.insert(user);
    }
}

/// Users whose devices matter to some writes.
pub(super) fn owners(writes: &[Write]) -> BTreeSet<UserId> {
    let owner = |write: &Write| match write {
        Write::RegisterDevice(write) => Some(write.who.user),
        Write::Acknowledge(write) => Some(write.who.user),
        _ => None,
    };
    writes.iter().filter_map(owner).collect()
}
