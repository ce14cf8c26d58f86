//! The model of writes: their checks in the order of the contract, then their changes.

use dm_core::store::{
    Action, Answer, Change, Done, Event, Expect, Outcome, Owner, Party, Post, Prefix, Put, Record, RecordKey,
    Refusal, Revision, UserId, Write,
};

use super::state::Model;

/// An action whose checks have passed.
pub(super) enum Checked {
    /// It was done before, with this answer.
    Found(Answer),
    /// It can be done.
    Possible,
}

impl Model {
    /// Applies a write and returns the allowed outcomes. If the contract leaves a choice of the
    /// result, this makes the first one; [`check`](Self::check) makes that of the store.
    ///
    /// # Panics
    /// Panics for an action or a change that this version of the contract does not know.
    pub fn apply(&mut self, write: &Write) -> Vec<Outcome> {
        match self.refusal_or_found(write) {
            Err(refusal) => vec![Outcome::Refused(refusal)],
            Ok(Some(answer)) => vec![Outcome::Done(Done { answer, is_found: true, ..Done::default() })],
            Ok(None) => {
                let (answers, appended) = self.act(&write.action);
                let mut done = Done { appended, ..Done::default() };
                write.changes.iter().for_each(|change| self.change(change, &mut done));
                for Post { to, addressee, origin, at, notice } in &write.posts {
                    let event = Event::Notice(notice.clone());
                    done.appended.push(self.put(*to, *at, origin.as_ref(), *addressee, event));
                }
                let with = |answer| Outcome::Done(Done { answer, ..done.clone() });
                answers.into_iter().map(with).collect()
            }
        }
    }

    /// All checks of a write (clause 16). `Some` is the answer to a write that was done before.
    fn refusal_or_found(&self, write: &Write) -> Result<Option<Answer>, Refusal> {
        write.validate().map_err(Refusal::Invalid)?;
        if let Checked::Found(answer) = self.check_action(&write.action)? {
            return Ok(Some(answer));
        }
        if matches!(write.action, Action::None) && self.is_put_already(&write.changes) {
            return Ok(Some(Answer::None));
        }
        for (which, expect) in write.expects.iter().enumerate() {
            if let Err(current) = self.expect(&write.action, expect) {
                return Err(Refusal::Unmet { which, current: current.cloned().map(Into::into) });
            }
        }
        let clears_too_many = |change: &Change| match change {
            Change::Clear(under) => self.under(under).count() > Change::MAX_CLEARED,
            _ => false,
        };
        if write.changes.iter().any(clears_too_many) {
            return Err(Refusal::TooManyRecords);
        }
        for (which, post) in write.posts.iter().enumerate() {
            if let Some(registration) = post.addressee {
                let devices = self.users.get(&post.to).map(|person| person.devices.as_slice());
                let mut devices = devices.unwrap_or_default().iter();
                if devices.all(|device| device.registration != registration) {
                    return Err(Refusal::UnknownRegistration { which });
                }
            }
        }
        Ok(None)
    }

    /// Whether the first record that the changes put or raise is there, with tag and value.
    fn is_put_already(&self, changes: &[Change]) -> bool {
        let first = changes.iter().find_map(|change| match change {
            Change::Put(put) | Change::Raise(put) => Some(put),
            _ => None,
        });
        let is_there = |put: &Put| {
            self.records
                .get(&put.key)
                .is_some_and(|record| record.tag == put.tag && record.value == put.value)
        };
        first.is_some_and(is_there)
    }

    /// Checks a condition. If it is not met, the error is the present record.
    fn expect(&self, action: &Action, expect: &Expect) -> Result<(), Option<&Record>> {
        let (is_met, record) = match expect {
            Expect::Absent(key) => {
                let record = self.records.get(key);
                (record.is_none(), record)
            }
            Expect::Tagged(key, tag) => {
                let record = self.records.get(key);
                (record.is_some_and(|record| record.tag == *tag), record)
            }
            Expect::Fewer { under, than } => (self.under(under).count() < usize::from(*than), None),
            Expect::Fence { of, tag } => {
                let owner = self.owner(action, *of).expect("a valid write names parties of its action");
                let record = self.records.get(&RecordKey::fence(owner));
                (record.is_some_and(|record| record.tag == *tag), record)
            }
            other => panic!("a condition that this contract does not know: {other:?}"),
        };
        if is_met { Ok(()) } else { Err(record) }
    }

    fn owner(&self, action: &Action, party: Party) -> Option<Owner> {
        let (sender, pair, conversation) = match action {
            Action::AppendMessage(write) => {
                let pair = self.conversations.get(&write.conversation)?.conversation.participants;
                (write.sender.user, pair, Some(write.conversation))
            }
            Action::OpenConversation(write) => (write.opener.user, write.participants, None),
            _ => return None,
        };
        match party {
            Party::Sender => Some(Owner::User(sender)),
            Party::Peer => pair.peer_of(sender).map(Owner::User),
            Party::Conversation => conversation.map(Owner::Conversation),
        }
    }

    /// The records under a prefix, in the order of their names.
    pub(super) fn under<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = &'a Record> {
        self.records.values().filter(|record| {
            (record.key.owner, record.key.kind) == (prefix.owner, prefix.kind)
                && record.key.name.as_bytes().starts_with(prefix.name.as_bytes())
        })
    }

    fn change(&mut self, change: &Change, done: &mut Done) {
        match change {
            Change::Put(put) => self.store(put, done),
            Change::Raise(put) => {
                if self.records.get(&put.key).is_none_or(|record| record.value < put.value) {
                    self.store(put, done);
                }
            }
            Change::Delete(key) => self.remove(key, done),
            Change::Clear(under) => {
                let keys: Vec<_> = self.under(under).map(|record| record.key.clone()).collect();
                keys.iter().for_each(|key| self.remove(key, done));
            }
            Change::TakeFirst { under, or } => {
                let first = self.under(under).next().cloned();
                if let Some(record) = &first {
                    self.remove(&record.key, done);
                }
                let kept = || or.as_ref().and_then(|key| self.records.get(key)).cloned();
                done.taken.push(first.or_else(kept));
            }
            Change::Gate(change) => self.change_gate(change),
            Change::UserGate(change) => self.change_user_gate(change),
            other => panic!("a change that this contract does not know: {other:?}"),
        }
    }

    fn store(&mut self, put: &Put, done: &mut Done) {
        let revision = match synced(&put.key) {
            Some(user) => self.next_revision(user, done),
            None => Revision::ZERO,
        };
        let Put { key, value, tag, due } = put.clone();
        self.records.insert(key.clone(), Record { key, value, tag, due, revision });
    }

    fn remove(&mut self, key: &RecordKey, done: &mut Done) {
        let Some(record) = self.records.remove(key) else { return };
        if let Some(user) = synced(key) {
            let gone = match record.value.is_empty() {
                true => record.revision,
                false => self.next_revision(user, done),
            };
            let revisions = &mut self.person(user).revisions;
            revisions.floor = revisions.floor.max(gone);
        }
    }

    fn next_revision(&mut self, user: UserId, done: &mut Done) -> Revision {
        let revisions = &mut self.person(user).revisions;
        revisions.head = revisions.head.next();
        let head = revisions.head;
        done.revisions.retain(|(changed, _)| *changed != user);
        done.revisions.push((user, head));
        head
    }
}

/// The user whose revisions a record counts for.
fn synced(key: &RecordKey) -> Option<UserId> {
    match key.owner {
        Owner::User(user) if key.kind.is_synced() => Some(user),
        _ => None,
    }
}
