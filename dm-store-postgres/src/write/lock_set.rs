//! [`LockSet`], the users and the records' guards that a batch locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dm_core::store::{
    Action, Change, ConversationId, Expect, Kind, Owner, Participants, RecordKey, UserId, Write,
};

use crate::write::participants_cache::ParticipantsCache;

/// The users, conversations and owners of records that the writes of a batch name. Users and guards
/// are sorted, because they are locked in this order.
#[derive(Default)]
pub(super) struct LockSet {
    /// The users for whom a row is inserted if they have none.
    pub(super) ensured: BTreeSet<UserId>,
    /// The users to lock, without the participants of the conversations in `uncached`. They are
    /// the users in `ensured`, all other users that writes name, and the participants in
    /// `participants`.
    pub(super) users: BTreeSet<UserId>,
    /// The guards of records that no user's row guards, by owner and kind: those of the store, and
    /// those of conversations that do not exist.
    pub(super) guards: BTreeSet<(Owner, Kind)>,
    /// The conversations that the batch names, with their participants.
    pub(super) participants: HashMap<ConversationId, Participants>,
    /// The conversations that the batch appends to and that are not in this node's cache. The
    /// statement that locks users looks up their participants.
    pub(super) uncached: BTreeSet<ConversationId>,
    /// The conversations that own records of the batch and that are not in this node's cache, with
    /// the kinds of these records. [`resolve`](Self::resolve) removes them.
    pub(super) unresolved: BTreeMap<ConversationId, BTreeSet<Kind>>,
}

impl LockSet {
    /// Collects what `writes` name. Writes that are not valid are left out, because they are refused
    /// whatever is stored.
    pub(super) fn collect(writes: &[Write], cache: &ParticipantsCache) -> Self {
        let mut lock_set = Self::default();
        for write in writes.iter().filter(|write| write.validate().is_ok()) {
            lock_set.add_action(&write.action, cache);
            for (owner, kind) in record_owners(write) {
                match owner {
                    Owner::User(user) => lock_set.ensure(user),
                    Owner::Store => _ = lock_set.guards.insert((owner, kind)),
                    Owner::Conversation(id) => match cache.get(id) {
                        Some(participants) => lock_set.add_participants(id, participants),
                        None => _ = lock_set.unresolved.entry(id).or_default().insert(kind),
                    },
                }
            }
            for change in &write.changes {
                match change {
                    Change::Gate(change) => {
                        lock_set.ensure(change.pair.a());
                        lock_set.ensure(change.pair.b());
                    }
                    Change::UserGate(change) => lock_set.ensure(change.user),
                    _ => {}
                }
            }
            for post in &write.posts {
                lock_set.ensure(post.to);
            }
        }
        for write in writes {
            // The participants of a new conversation guard its records.
            if let Action::OpenConversation(open) = &write.action {
                lock_set.unresolved.remove(&open.id);
            }
        }
        lock_set
    }

    /// Adds the participants of the unresolved conversations. A conversation that is not among them
    /// does not exist: its records have guards.
    pub(super) fn resolve(&mut self, found: &HashMap<ConversationId, Participants>) {
        for (id, kinds) in std::mem::take(&mut self.unresolved) {
            match found.get(&id) {
                Some(participants) => {
                    self.add_participants(id, *participants);
                    self.uncached.remove(&id);
                }
                None => self.guards.extend(kinds.into_iter().map(|kind| (Owner::Conversation(id), kind))),
            }
        }
    }

    fn add_action(&mut self, action: &Action, cache: &ParticipantsCache) {
        match action {
            Action::OpenConversation(write) => {
                self.ensure(write.participants.a());
                self.ensure(write.participants.b());
            }
            Action::RegisterDevice(write) => self.ensure(write.who.user),
            Action::AppendMessage(write) => match cache.get(write.conversation) {
                Some(participants) => self.add_participants(write.conversation, participants),
                None => _ = self.uncached.insert(write.conversation),
            },
            Action::Acknowledge(write) => _ = self.users.insert(write.who.user),
            Action::ForgetDevice(write) => _ = self.users.insert(write.who.user),
            _ => {}
        }
    }

    fn add_participants(&mut self, id: ConversationId, participants: Participants) {
        self.users.extend([participants.a(), participants.b()]);
        self.participants.insert(id, participants);
    }

    /// Adds a user to `ensured` and to `users`.
    fn ensure(&mut self, user: UserId) {
        self.ensured.insert(user);
        self.users.insert(user);
    }
}

/// The owners and kinds of the records that a write names in its conditions and changes.
fn record_owners(write: &Write) -> impl Iterator<Item = (Owner, Kind)> {
    let of_key = |key: &RecordKey| (key.owner, key.kind);
    let expected = write.expects.iter().filter_map(move |expect| match expect {
        Expect::Absent(key) | Expect::Tagged(key, _) => Some(of_key(key)),
        Expect::Fewer { under, .. } => Some((under.owner, under.kind)),
        _ => None,
    });
    let changed = write.changes.iter().flat_map(move |change| match change {
        Change::Put(put) | Change::Raise(put) => [Some(of_key(&put.key)), None],
        Change::Delete(key) => [Some(of_key(key)), None],
        Change::Clear(under) => [Some((under.owner, under.kind)), None],
        Change::TakeFirst { under, or } => [Some((under.owner, under.kind)), or.as_ref().map(of_key)],
        _ => [None, None],
    });
    expected.chain(changed.flatten())
}
