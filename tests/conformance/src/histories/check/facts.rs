//! The lookups that all checks use.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{
    Action, Answer, AppendMessage, Appended, ClientMessageId, Done, MessageId, Outcome, Timestamp, UserId,
    Write,
};

use crate::histories::{Call, History, Moment, Snapshot};

/// A history and a snapshot, with the lookups that all checks use.
pub(super) struct Facts<'a> {
    pub(super) history: &'a History,
    pub(super) snapshot: &'a Snapshot,
    /// The sends that may have been done, by message id.
    pub(super) sends: BTreeMap<MessageId, (&'a Call, &'a AppendMessage)>,
    /// The sends that were answered with a message.
    pub(super) answers: Vec<Sent<'a>>,
    /// The messages that are stored in a conversation.
    pub(super) stored: BTreeSet<MessageId>,
    /// The latest time in an expiry.
    pub(super) expired_before: Option<Timestamp>,
}

/// A send that was answered with a message.
pub(super) struct Sent<'a> {
    pub(super) call: &'a Call,
    pub(super) write: &'a Write,
    pub(super) append: &'a AppendMessage,
    pub(super) done: &'a Done,
    pub(super) answer: &'a Appended,
}

/// The identity of a send: the sender's client id, or else the message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SendKey {
    Client(UserId, ClientMessageId),
    Message(MessageId),
}

impl SendKey {
    pub(super) fn of(write: &AppendMessage) -> Self {
        write.client_id.map_or(Self::Message(write.id), |id| Self::Client(write.sender.user, id))
    }
}

impl<'a> Facts<'a> {
    pub(super) fn new(history: &'a History, snapshot: &'a Snapshot) -> Self {
        let mut facts = Self {
            history,
            snapshot,
            sends: BTreeMap::new(),
            answers: Vec::new(),
            stored: snapshot.conversations.values().flatten().map(|message| message.id).collect(),
            expired_before: None,
        };
        for call in history.calls.iter().filter(|call| !call.failed()) {
            for write in &call.writes {
                match &write.action {
                    Action::AppendMessage(append) => _ = facts.sends.insert(append.id, (call, append)),
                    Action::Expire(expire) => {
                        facts.expired_before = facts.expired_before.max(Some(expire.before));
                    }
                    _ => {}
                }
            }
            for (write, outcome) in call.outcomes() {
                if let (Action::AppendMessage(append), Outcome::Done(done)) = (&write.action, outcome)
                    && let Answer::MessageAppended(answer) = &done.answer
                {
                    facts.answers.push(Sent { call, write, append, done, answer });
                }
            }
        }
        facts
    }

    /// The writes of all calls that may have been done.
    pub(super) fn writes(&self) -> impl Iterator<Item = (&'a Call, &'a Write)> {
        let calls = self.history.calls.iter().filter(|call| !call.failed());
        calls.flat_map(|call| call.writes.iter().map(move |write| (call, write)))
    }

    /// The answered writes with their outcomes.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&'a Call, &'a Write, &'a Outcome)> {
        let calls = self.history.calls.iter();
        calls.flat_map(|call| call.outcomes().map(move |(write, outcome)| (call, write, outcome)))
    }

    /// The answered writes that were done, with their results.
    pub(super) fn done(&self) -> impl Iterator<Item = (&'a Call, &'a Write, &'a Done)> {
        self.outcomes().filter_map(|(call, write, outcome)| match outcome {
            Outcome::Done(done) => Some((call, write, done)),
            Outcome::Refused(_) => None,
        })
    }

    /// The moment at which each send was first requested.
    pub(super) fn first_asked(&self) -> BTreeMap<SendKey, Moment> {
        let mut asked = BTreeMap::new();
        for (call, append) in self.sends.values() {
            let first = asked.entry(SendKey::of(append)).or_insert(call.asked);
            *first = call.asked.min(*first);
        }
        asked
    }
}
