//! [`LockSet`], the users whose rows a batch locks, and the conversations that it appends to.

use std::collections::{BTreeSet, HashMap};

use dm_core::store::{ConversationId, Participants, UserId, Write};

use crate::write::participants_cache::ParticipantsCache;

/// The users and conversations that the writes of a batch name. Users are sorted by their ids,
/// because they are locked in this order.
#[derive(Default)]
pub(super) struct LockSet {
    /// The users for whom a row is inserted if they have none.
    pub(super) ensured: BTreeSet<UserId>,
    /// The users to lock, without the participants of the conversations in `uncached`. They are
    /// the users in `ensured`, all other users that writes name, and the participants in
    /// `participants`.
    pub(super) users: BTreeSet<UserId>,
    /// The conversations that the batch appends to, with their participants from this node's cache.
    pub(super) participants: HashMap<ConversationId, Participants>,
    /// The conversations that the batch appends to and that are not in this node's cache. The
    /// statement that locks users looks up their participants.
    pub(super) uncached: BTreeSet<ConversationId>,
}

impl LockSet {
    /// Collects the users and conversations that `writes` name.
    pub(super) fn collect(writes: &[Write], cache: &ParticipantsCache) -> Self {
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
                    None => _ = lock_set.uncached.insert(write.conversation),
                },
                Write::Acknowledge(write) => _ = lock_set.users.insert(write.who.user),
                Write::ForgetDevice(write) => _ = lock_set.users.insert(write.who.user),
                _ => {}
            }
        }
        lock_set
    }

    /// Adds a user to `ensured` and to `users`.
    fn ensure(&mut self, user: UserId) {
        self.ensured.insert(user);
        self.users.insert(user);
    }
}
