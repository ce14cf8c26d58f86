//! What a batch is about, before anything is read.

use std::collections::{BTreeSet, HashSet};

use dm_core::{
    AckTarget, AnnounceKeys, ConversationId, Expire, ForgetDevice, MessageId, Principal, UserId, Write,
};

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
    /// Users who are named, those included.
    pub(super) users: BTreeSet<UserId>,
    /// Conversations that are appended to; their users are locked, too.
    pub(super) threads: BTreeSet<ConversationId>,
    /// Messages that are acknowledged by their ids.
    pub(super) messages: BTreeSet<MessageId>,
    /// Users whose devices matter.
    pub(super) owners: BTreeSet<UserId>,
}

impl Names {
    pub(super) fn of(writes: &[Write]) -> Self {
        let mut names = Self::default();
        for write in writes {
            match write {
                Write::OpenConversation(write) => {
                    names.make(write.participants.a());
                    names.make(write.participants.b());
                }
                Write::PublishKey(write) => names.make(write.user),
                Write::RegisterDevice(write) => {
                    names.make(write.who.user);
                    names.owners.insert(write.who.user);
                }
                Write::AppendMessage(write) => _ = names.threads.insert(write.conversation),
                Write::Acknowledge(write) => {
                    names.own(&write.who);
                    if let AckTarget::Messages(ids) = &write.target {
                        names.messages.extend(ids);
                    }
                }
                Write::ForgetDevice(write) => names.own(&write.who),
                _ => {}
            }
        }
        names
    }

    fn make(&mut self, user: UserId) {
        self.made.insert(user);
        self.users.insert(user);
    }

    fn own(&mut self, who: &Principal) {
        self.users.insert(who.user);
        self.owners.insert(who.user);
    }
}
