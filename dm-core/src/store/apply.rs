//! [`Write::apply`], the order of all checks and changes of a write.

use super::batch_rows::{BatchRows, Prepared, Revisions, Stop};
use super::refusal::Refusal;
use super::write::{Action, Answer, Change, Done, Expect, Outcome, Party, Post, Put, Write};
use crate::ids::ConversationId;
use crate::inbox::{Event, InboxEntry};
use crate::numbers::{InboxSeq, Revision};
use crate::record::{Owner, Record, RecordKey};
use crate::user::UserId;

impl Write {
    /// Applies this write to the rows of a batch. A refused write has changed nothing.
    ///
    /// The order is: the write is valid; the action can be done, or was done before; a record of the
    /// write is there already; the conditions, in their order; the posts' addressees and the number
    /// of cleared records; then the action, the changes and the posts.
    ///
    /// # Errors
    /// The error of the engine. Part of the write may have been made then, so the batch has to be
    /// rolled back.
    pub fn apply<R: BatchRows>(self, rows: &mut R) -> Result<Outcome, R::Error> {
        match self.run(rows) {
            Ok(done) => Ok(Outcome::Done(done)),
            Err(Stop::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn run<R: BatchRows>(self, rows: &mut R) -> Result<Done, Stop<R::Error>> {
        self.validate().map_err(Refusal::Invalid)?;
        let Self { action, expects, changes, posts } = self;
        let has_action = !matches!(action, Action::None);
        let names_fence = expects.iter().any(|expect| matches!(expect, Expect::Fence { .. }));
        let mut parties = if names_fence { Parties::of(&action) } else { None };
        let plan = match rows.prepare(action)? {
            Prepared::Found(answer) => return Ok(Done::found(answer)),
            Prepared::Ready(plan) => plan,
        };
        if let Some(parties) = &mut parties {
            parties.peer = rows.peer(&plan);
        }
        if !has_action && is_put_already(rows, &changes)? {
            return Ok(Done::found(Answer::None));
        }
        for (which, expect) in expects.into_iter().enumerate() {
            check(rows, which, expect, parties.as_ref())?;
        }
        check_effects(rows, &changes, &posts)?;

        let mut done = Done::default();
        done.answer = rows.perform(plan, &mut done.appended).map_err(Stop::Failed)?;
        for change in changes {
            make(rows, change, &mut done).map_err(Stop::Failed)?;
        }
        for Post { to, addressee, origin, at, notice } in posts {
            let entry =
                InboxEntry { seq: InboxSeq::ZERO, at, origin, addressee, event: Event::Notice(notice) };
            done.appended.push(rows.append_entry(to, entry).map_err(Stop::Failed)?);
        }
        Ok(done)
    }
}

/// The owners of the fences that an action can name.
struct Parties {
    sender: UserId,
    peer: Option<UserId>,
    conversation: Option<ConversationId>,
}

impl Parties {
    fn of(action: &Action) -> Option<Self> {
        let conversation = match action {
            Action::AppendMessage(write) => Some(write.conversation),
            _ => None,
        };
        Some(Self { sender: action.sender()?.user, peer: None, conversation })
    }

    fn owner(&self, party: Party) -> Option<Owner> {
        match party {
            Party::Sender => Some(Owner::User(self.sender)),
            Party::Peer => self.peer.map(Owner::User),
            Party::Conversation => self.conversation.map(Owner::Conversation),
        }
    }
}

/// Whether the first record that the changes put is there already, with tag and value.
fn is_put_already<R: BatchRows>(rows: &mut R, changes: &[Change]) -> Result<bool, Stop<R::Error>> {
    let put = changes.iter().find_map(|change| match change {
        Change::Put(put) | Change::Raise(put) => Some(put),
        _ => None,
    });
    let Some(Put { key, value, tag, .. }) = put else { return Ok(false) };
    let record = rows.record(key).map_err(Stop::Failed)?;
    Ok(record.is_some_and(|record| record.tag == *tag && record.value == *value))
}

/// Checks one condition.
fn check<R: BatchRows>(
    rows: &mut R,
    which: usize,
    expect: Expect,
    parties: Option<&Parties>,
) -> Result<(), Stop<R::Error>> {
    let unmet = |current: Option<Record>| {
        Err(Stop::Refused(Refusal::Unmet { which, current: current.map(Into::into) }))
    };
    match expect {
        Expect::Absent(key) => match rows.record(&key).map_err(Stop::Failed)? {
            None => Ok(()),
            present => unmet(present),
        },
        Expect::Tagged(key, tag) => match rows.record(&key).map_err(Stop::Failed)? {
            Some(record) if record.tag == tag => Ok(()),
            other => unmet(other),
        },
        Expect::Fewer { under, than } => {
            let than = usize::from(than);
            let count = rows.names(&under, than).map_err(Stop::Failed)?.len();
            if count < than { Ok(()) } else { unmet(None) }
        }
        Expect::Fence { of, tag } => {
            let Some(owner) = parties.and_then(|parties| parties.owner(of)) else { return unmet(None) };
            if rows.fence(owner).map_err(Stop::Failed)? == Some(tag) {
                return Ok(());
            }
            let record = rows.record(&RecordKey::fence(owner)).map_err(Stop::Failed)?;
            unmet(record)
        }
    }
}

/// Checks the effects that depend on what is stored, before the first change.
fn check_effects<R: BatchRows>(
    rows: &mut R,
    changes: &[Change],
    posts: &[Post],
) -> Result<(), Stop<R::Error>> {
    for change in changes {
        if let Change::Clear(under) = change
            && rows.names(under, Change::MAX_CLEARED + 1).map_err(Stop::Failed)?.len() > Change::MAX_CLEARED
        {
            return Err(Refusal::TooManyRecords.into());
        }
    }
    for (which, post) in posts.iter().enumerate() {
        if let Some(registration) = post.addressee
            && !rows.is_registered(post.to, registration).map_err(Stop::Failed)?
        {
            return Err(Refusal::UnknownRegistration { which }.into());
        }
    }
    Ok(())
}

/// Makes one change.
fn make<R: BatchRows>(rows: &mut R, change: Change, done: &mut Done) -> Result<(), R::Error> {
    match change {
        Change::Put(put) => {
            let old = rows.record(&put.key)?;
            store(rows, put, old.as_ref(), done)
        }
        Change::Raise(put) => {
            let old = rows.record(&put.key)?;
            if old.as_ref().is_some_and(|old| old.value >= put.value) {
                return Ok(());
            }
            store(rows, put, old.as_ref(), done)
        }
        Change::Delete(key) => match rows.record(&key)? {
            Some(record) => remove(rows, &record, done),
            None => Ok(()),
        },
        Change::Clear(under) => {
            for name in rows.names(&under, Change::MAX_CLEARED)? {
                if let Some(record) = rows.record(&RecordKey::new(under.owner, under.kind, name))? {
                    remove(rows, &record, done)?;
                }
            }
            Ok(())
        }
        Change::TakeFirst { under, or } => {
            let first = rows.names(&under, 1)?.pop();
            let taken = match (first, or) {
                (Some(name), _) => {
                    let record = rows.record(&RecordKey::new(under.owner, under.kind, name))?;
                    if let Some(record) = &record {
                        remove(rows, record, done)?;
                    }
                    record
                }
                (None, Some(key)) => rows.record(&key)?,
                (None, None) => None,
            };
            done.taken.push(taken);
            Ok(())
        }
        Change::Gate(change) => {
            let gate = rows.gate(change.pair)?;
            rows.set_gate(change.pair, change.apply(gate))
        }
        Change::UserGate(change) => {
            let gate = rows.user_gate(change.user)?;
            rows.set_user_gate(change.user, change.apply(gate))
        }
    }
}

/// Stores a record, with the next revision if it is synced.
fn store<R: BatchRows>(
    rows: &mut R,
    put: Put,
    old: Option<&Record>,
    done: &mut Done,
) -> Result<(), R::Error> {
    let Put { key, value, tag, due } = put;
    let revision = match synced_user(&key) {
        Some(user) => next_revision(rows, user, done)?.head,
        None => Revision::ZERO,
    };
    rows.put(Record { key, value, tag, due, revision }, old)
}

/// Removes a record, and raises the floor of its owner's revisions if it is synced.
fn remove<R: BatchRows>(rows: &mut R, record: &Record, done: &mut Done) -> Result<(), R::Error> {
    if let Some(user) = synced_user(&record.key) {
        let revisions = if record.value.is_empty() {
            let revisions = rows.revisions(user)?;
            Revisions { floor: revisions.floor.max(record.revision), ..revisions }
        } else {
            // A device that has the record can learn of its end only by reading all records again.
            let revisions = next_revision(rows, user, done)?;
            Revisions { floor: revisions.head, ..revisions }
        };
        rows.set_revisions(user, revisions)?;
    }
    rows.remove(record)
}

/// The user whose revisions a record counts for; `None` if it is not synced.
const fn synced_user(key: &RecordKey) -> Option<UserId> {
    match key.owner {
        Owner::User(user) if key.kind.is_synced() => Some(user),
        _ => None,
    }
}

/// Takes the next revision of a user.
fn next_revision<R: BatchRows>(rows: &mut R, user: UserId, done: &mut Done) -> Result<Revisions, R::Error> {
    let before = rows.revisions(user)?;
    let after = Revisions { head: before.head.next(), ..before };
    rows.set_revisions(user, after)?;
    match done.revisions.iter_mut().find(|(changed, _)| *changed == user) {
        Some((_, revision)) => *revision = after.head,
        None => done.revisions.push((user, after.head)),
    }
    Ok(after)
}

#[cfg(test)]
mod tests;
