//! [`BatchRows`], the rows that a store finds and writes for the writes of a batch.

use super::gate::{Gate, UserGate};
use super::refusal::Refusal;
use super::write::{Action, Answer};
use crate::inbox::{InboxEntry, Notification};
use crate::numbers::{Registration, Revision};
use crate::participants::Participants;
use crate::record::{Name, Owner, Prefix, Record, RecordKey, Tag};
use crate::user::UserId;

/// The reason why a write of a batch is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop<E> {
    /// The write is refused and changed nothing. The batch goes on.
    Refused(Refusal),
    /// The engine failed, and with it the whole batch.
    Failed(E),
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// An action whose checks have passed.
#[derive(Clone, Debug)]
pub enum Prepared<P> {
    /// The action was done before. This is its answer, and nothing is to be changed.
    Found(Answer),
    /// The action can be performed, with what the store found for it.
    Ready(P),
}

impl<P> Prepared<P> {
    /// This with another plan, made of the one that it has.
    #[must_use]
    pub fn map<Q>(self, plan: impl FnOnce(P) -> Q) -> Prepared<Q> {
        match self {
            Self::Found(answer) => Prepared::Found(answer),
            Self::Ready(found) => Prepared::Ready(plan(found)),
        }
    }
}

/// The revisions of a user's synced records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// The newest revision; zero before the first.
    pub head: Revision,
    /// The newest revision of a record that was removed; zero if none was. A device that knows an
    /// older revision has to read all records again.
    pub floor: Revision,
}

/// The rows of a store in one batch. A store implements this trait for the state of a batch, and
/// calls [`Write::apply`](super::Write::apply) for each write. Each method sees what the earlier
/// ones wrote.
///
/// A store loads and writes rows as it likes: at once, or at the end of the batch. The trait is a
/// help for authors of stores; the service knows [`Store`](super::Store) only.
pub trait BatchRows {
    /// The error of the engine.
    type Error;
    /// What the store found for an action that it can perform.
    type Plan;

    /// Checks an action without changing anything: that everything exists, whether the action was
    /// done before, and the gates, in the order that is documented at the action.
    ///
    /// # Errors
    /// [`Stop::Refused`] when the action cannot be done.
    fn prepare(&mut self, action: Action) -> Result<Prepared<Self::Plan>, Stop<Self::Error>>;

    /// Performs an action that [`prepare`](Self::prepare) checked. Nothing was written in between.
    /// Adds the entries that it appends.
    ///
    /// # Errors
    /// The error of the engine.
    fn perform(&mut self, plan: Self::Plan, appended: &mut Vec<Notification>) -> Result<Answer, Self::Error>;

    /// The other user of an append or an opening; `None` for other actions.
    fn peer(&self, plan: &Self::Plan) -> Option<UserId>;

    /// The tag of the fence of a user or a conversation; `None` if it has no fence. Called often:
    /// keep it with the numbers of the user or the conversation.
    ///
    /// # Errors
    /// The error of the engine.
    fn fence(&mut self, owner: Owner) -> Result<Option<Tag>, Self::Error>;

    /// A record; `None` if there is none.
    ///
    /// # Errors
    /// The error of the engine.
    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Self::Error>;

    /// The names of the first `limit` records under a prefix, in order.
    ///
    /// # Errors
    /// The error of the engine.
    fn names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Self::Error>;

    /// Stores a record in place of `old`. If it is a [fence](RecordKey::is_fence), the owner's fence
    /// has its tag from now on.
    ///
    /// # Errors
    /// The error of the engine.
    fn put(&mut self, record: Record, old: Option<&Record>) -> Result<(), Self::Error>;

    /// Removes a record. If it is a fence, the owner has none from now on.
    ///
    /// # Errors
    /// The error of the engine.
    fn remove(&mut self, record: &Record) -> Result<(), Self::Error>;

    /// The revisions of a user.
    ///
    /// # Errors
    /// The error of the engine.
    fn revisions(&mut self, user: UserId) -> Result<Revisions, Self::Error>;

    /// Replaces the revisions of a user.
    ///
    /// # Errors
    /// The error of the engine.
    fn set_revisions(&mut self, user: UserId, revisions: Revisions) -> Result<(), Self::Error>;

    /// The gate of a pair, which need not have a conversation.
    ///
    /// # Errors
    /// The error of the engine.
    fn gate(&mut self, pair: Participants) -> Result<Gate, Self::Error>;

    /// Replaces the gate of a pair.
    ///
    /// # Errors
    /// The error of the engine.
    fn set_gate(&mut self, pair: Participants, gate: Gate) -> Result<(), Self::Error>;

    /// The gate of a user.
    ///
    /// # Errors
    /// The error of the engine.
    fn user_gate(&mut self, user: UserId) -> Result<UserGate, Self::Error>;

    /// Replaces the gate of a user.
    ///
    /// # Errors
    /// The error of the engine.
    fn set_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<(), Self::Error>;

    /// Whether a user has a device with this registration.
    ///
    /// # Errors
    /// The error of the engine.
    fn is_registered(&mut self, user: UserId, registration: Registration) -> Result<bool, Self::Error>;

    /// Appends an entry to a user's inbox, with the next number in place of its own.
    ///
    /// # Errors
    /// The error of the engine.
    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Self::Error>;
}
