//! What a batch is about, before anything is read.

use std::collections::{BTreeSet, HashMap, HashSet};

use dm_core::store::{
    AckTarget, AnnounceKeys, ConversationId, Expire, ForgetDevice, MessageId, Participants, UserId, Write,
};

use super::known::Known;

/// A part of a batch that is read for, decided and written at once. All are parts of the same transaction.
pub(super) enum Run<'a> {
    /// Writes that are decided in memory, one after another.
    Set(&'a [Write]),
    Forget(&'a ForgetDevice),
    Announce(&'a AnnounceKeys),
    Expire(&'a Expire),
}

/// Cuts a batch into runs: mostly it is one. A device that is registered and acknowledges in the same batch is read
/// again in between, for what it could have acknowledged was not known before.
pub(super) fn runs(batch: &[Write]) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut rest = batch;
    while let Some(first) = rest.first() {
        let alone = match first {
            Write::ForgetDevice(write) => Some(Run::Forget(write)),
            Write::AnnounceKeys(write) => Some(Run::Announce(write)),
            Write::Expire(write) => Some(Run::Expire(write)),
            _ => None,
        };
        let (run, behind) = match alone {
            Some(run) => (run, rest.split_at(1).1),
            None => {
                let (set, behind) = rest.split_at(set_length(rest));
                (Run::Set(set), behind)
            }
        };
        runs.push(run);
        rest = behind;
    }
    runs
}

fn set_length(writes: &[Write]) -> usize {
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
pub(super) struct Names {
    /// Users who get a row if they have none.
    pub(super) made: BTreeSet<UserId>,
    /// Users who are named, those included, and users of conversations that are appended to.
    pub(super) users: BTreeSet<UserId>,
    /// Conversations that are appended to and whose users this node knows, with them.
    pub(super) known: HashMap<ConversationId, Participants>,
    /// Conversations that are appended to and whose users this node has not seen yet.
    pub(super) strangers: BTreeSet<ConversationId>,
    /// Messages that are acknowledged by their ids.
    pub(super) messages: BTreeSet<MessageId>,
}

impl Names {
    pub(super) fn of(writes: &[Write], known: &Known) -> Self {
        let mut names = Self::default();
        for write in writes {
            match write {
                Write::OpenConversation(write) => {
                    names.make(write.participants.a());
                    names.make(write.participants.b());
                }
                Write::PublishKey(write) => names.make(write.user),
                Write::RegisterDevice(write) => names.make(write.who.user),
                Write::AppendMessage(write) => match known.users_of(write.conversation) {
                    Some(participants) => {
                        names.users.extend([participants.a(), participants.b()]);
                        names.known.insert(write.conversation, participants);
                    }
                    None => _ = names.strangers.insert(write.conversation),
                },
                Write::Acknowledge(write) => {
                    names.users.insert(write.who.user);
                    if let AckTarget::Messages(ids) = &write.target {
                        names.messages.extend(ids);
                    }
                }
                Write::ForgetDevice(write) => _ = names.users.insert(write.who.user),
                _ => {}
            }
        }
        names
    }

    fn make(&mut self, user: UserId) {
        self.made.insert(user);
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
