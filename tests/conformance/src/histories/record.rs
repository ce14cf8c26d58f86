//! The records of a run: calls, answers, reads, and the state afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{
    ConversationId, ConversationState, Depth, DeviceState, InboxEntry, InboxPage, InboxSeq, Message, Outcome,
    Owner, Tag, UserId, Write,
};

/// A position in the order in which the calls of a run began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// One commit.
#[derive(Clone, Debug)]
pub struct Call {
    /// The moment at which it was called.
    pub asked: Moment,
    /// The moment at which it returned, or at which it was dropped.
    pub answered: Moment,
    /// The batch.
    pub writes: Vec<Write>,
    /// The answer.
    pub reply: Reply,
}

/// The answer to a commit.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The commit succeeded; a refused write is one of the outcomes.
    Done(Vec<Outcome>),
    /// The call was dropped before its answer, or its outcome is unknown.
    Unknown,
    /// The commit failed.
    Failed,
}

/// A page of an inbox, read during the run.
#[derive(Clone, Debug)]
pub struct InboxRead {
    /// The moment at which it was called.
    pub asked: Moment,
    /// The moment at which it returned.
    pub answered: Moment,
    /// The owner of the inbox.
    pub user: UserId,
    /// The cursor of the read.
    pub after: InboxSeq,
    /// The page, the reader's own entries included.
    pub page: InboxPage,
}

/// All calls of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The commits.
    pub calls: Vec<Call>,
    /// The reads.
    pub reads: Vec<InboxRead>,
}

/// The state of a store after a run.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The state of each user.
    pub users: BTreeMap<UserId, UserView>,
    /// The messages of each conversation, oldest first.
    pub conversations: BTreeMap<ConversationId, Vec<Arc<Message>>>,
    /// The tag of each fence.
    pub fences: BTreeMap<Owner, Tag>,
}

/// The state of one user.
#[derive(Clone, Debug, Default)]
pub struct UserView {
    /// The conversations that the user's list shows.
    pub list: Vec<ConversationState>,
    /// The number of the inbox's newest entry.
    pub head: InboxSeq,
    /// The number of the newest expired entry.
    pub floor: InboxSeq,
    /// The held entries.
    pub entries: Vec<InboxEntry>,
    /// The devices.
    pub devices: Vec<DeviceView>,
}

/// The state of one device.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// The device, as the store lists it.
    pub state: DeviceState,
    /// The numbers of the pending entries.
    pub pending: Vec<InboxSeq>,
    /// The number of pending entries, as the store counts them.
    pub depth: Depth,
}

impl Call {
    /// Each write with its outcome; none if the commit has no answer.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Write, &Outcome)> {
        let outcomes = match &self.reply {
            Reply::Done(outcomes) => outcomes.as_slice(),
            Reply::Unknown | Reply::Failed => &[],
        };
        self.writes.iter().zip(outcomes)
    }

    /// Whether the commit certainly changed nothing.
    #[must_use]
    pub const fn failed(&self) -> bool {
        matches!(self.reply, Reply::Failed)
    }

    /// Whether this call returned before another one began.
    #[must_use]
    pub fn before(&self, other: &Self) -> bool {
        self.answered < other.asked
    }
}
