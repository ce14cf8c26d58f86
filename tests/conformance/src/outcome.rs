//! Parts of the outcomes of writes.

use std::sync::Arc;

use dm_core::store::{
    Answer, Appended, Conversation, Done, InboxSeq, Message, Notification, Outcome, Registered,
};

/// A send that was done, now or before.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message as stored.
    pub message: Arc<Message>,
    /// The number of its entry in the sender's inbox.
    pub sender_seq: InboxSeq,
    /// Whether the send repeats an earlier one.
    pub is_found: bool,
    /// The entries that the write appended.
    pub appended: Vec<Notification>,
}

impl Sent {
    /// The send with this result; `None` for the result of another action.
    #[must_use]
    pub fn of(done: &Done) -> Option<Self> {
        let Answer::MessageAppended(Appended { message, sender_seq }) = &done.answer else { return None };
        let (is_found, appended) = (done.is_found, done.appended.clone());
        Some(Self { message: Arc::clone(message), sender_seq: *sender_seq, is_found, appended })
    }
}

/// The answer to a write that was done; `None` for a refused one.
#[must_use]
pub const fn answer(outcome: &Outcome) -> Option<&Answer> {
    match outcome {
        Outcome::Done(done) => Some(&done.answer),
        Outcome::Refused(_) => None,
    }
}

/// The result of a write that must be done.
///
/// # Panics
/// Panics if it was refused.
#[track_caller]
#[must_use]
pub fn done(outcome: Outcome) -> Done {
    match outcome {
        Outcome::Done(done) => done,
        Outcome::Refused(refusal) => panic!("a write is refused: {refusal:?}"),
    }
}

/// The send with this outcome.
///
/// # Panics
/// Panics for the outcome of another action, and if the send was refused.
#[track_caller]
#[must_use]
pub fn sent(outcome: Outcome) -> Sent {
    let done = done(outcome);
    Sent::of(&done).unwrap_or_else(|| panic!("the answer to another action: {done:?}"))
}

/// The conversation that was opened or found, and whether the write opened it.
///
/// # Panics
/// Panics for the result of another action.
#[track_caller]
#[must_use]
pub fn opened(done: &Done) -> (Conversation, bool) {
    match &done.answer {
        Answer::ConversationOpened(conversation) => (*conversation, !done.is_found),
        other => panic!("the answer to another action: {other:?}"),
    }
}

/// The device that was registered or found.
///
/// # Panics
/// Panics for the result of another action.
#[track_caller]
#[must_use]
pub fn registered(done: &Done) -> Registered {
    match &done.answer {
        Answer::DeviceRegistered(registered) => *registered,
        other => panic!("the answer to another action: {other:?}"),
    }
}
