//! The users whose rows a batch locks, before anything is read.

use std::collections::{BTreeSet, HashMap};

use dm_core::store::{ConversationId, Participants, UserId, Write};

use crate::write::participants_cache::ParticipantsCache;

/// The users and conversations that writes name. The sets are in the order of the locks.
#[derive(Default)]
pub(super) struct LockSet {
    /// Users who get a row if they have none.
    pub(super) ensured: BTreeSet<UserId>,
    /// All users to lock, as far as they are known: the ensured ones, others that are named, and
    /// the participants of the conversations in `participants`.
    pub(super) users: BTreeSet<UserId>,
    /// Conversations that are appended to, with the participants from this node's cache.
    pub(super) participants: HashMap<ConversationId, Participants>,
    /// Conversations that are appended to and are not in this node's cache. The lock statement
    /// looks their participants up.
    pub(super) unresolved: BTreeSet<ConversationId>,
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
                Write::Acknowledge(write) => _ = lock_set.users.insert(write.who.user),
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
