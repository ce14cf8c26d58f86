//! What was asked and answered, and what a store showed afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{
    ConversationId, ConversationState, Depth, DeviceState, InboxEntry, InboxPage, InboxSeq, KeyRecord,
    Message, Outcome, UserId, Write,
};

/// A place in the order in which a run's calls began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// One commit.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it was asked.
    pub asked: Moment,
    /// When it was answered, or nobody waited any more.
    pub answered: Moment,
    /// What was asked.
    pub writes: Vec<Write>,
    /// What was answered.
    pub answer: Answer,
}

/// How a commit was answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was done; a refusal of a write is an outcome too.
    Done(Vec<Outcome>),
    /// Nobody waited for the answer, or the store did not know.
    Unknown,
    /// It was not done.
    Failed,
}

/// What a reader saw of an inbox in the midst of it.
#[derive(Clone, Debug)]
pub struct Sight {
    /// When it was asked.
    pub asked: Moment,
    /// When it was answered.
    pub answered: Moment,
    /// Whose inbox.
    pub user: UserId,
    /// After which entry.
    pub after: InboxSeq,
    /// What it held, the reader's own entries included.
    pub page: InboxPage,
}

/// Everything that was asked and answered in a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The commits.
    pub calls: Vec<Call>,
    /// The reads.
    pub sights: Vec<Sight>,
}

/// What a store holds after a run.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What it holds of each user.
    pub users: BTreeMap<UserId, UserView>,
    /// The messages of each conversation, oldest first.
    pub conversations: BTreeMap<ConversationId, Vec<Arc<Message>>>,
}

/// What a store holds of a user.
#[derive(Clone, Debug, Default)]
pub struct UserView {
    /// The current key.
    pub key: Option<KeyRecord>,
    /// The conversations.
    pub list: Vec<ConversationState>,
    /// The inbox's newest entry.
    pub head: InboxSeq,
    /// The newest entry no longer held.
    pub floor: InboxSeq,
    /// The entries that are held.
    pub entries: Vec<InboxEntry>,
    /// The devices.
    pub devices: Vec<DeviceView>,
}

/// What a store holds for a device.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// The device.
    pub state: DeviceState,
    /// The entries after its cursor that it is still to be shown.
    pub pending: Vec<InboxSeq>,
    /// How much that is.
    pub depth: Depth,
}

impl Call {
    /// Each write with its outcome, as far as there is one.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Write, &Outcome)> {
        let outcomes = match &self.answer {
            Answer::Done(outcomes) => outcomes.as_slice(),
            Answer::Unknown | Answer::Failed => &[],
        };
        self.writes.iter().zip(outcomes)
    }

    /// Whether nothing of it may have been done.
    #[must_use]
    pub const fn failed(&self) -> bool {
        matches!(self.answer, Answer::Failed)
    }

    /// Whether it was answered before another was asked.
    #[must_use]
    pub fn before(&self, other: &Self) -> bool {
        self.answered < other.asked
    }
}
