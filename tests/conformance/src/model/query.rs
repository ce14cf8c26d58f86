//! Reads as data.

use dm_core::store::{
    ConversationCursor, ConversationOrder, ConversationsQuery, HistoryQuery, HistoryRange, InboxQuery,
    InboxSeq, OwnEntries, Revision, Scan, ScanQuery,
};

use super::effect::{Key, KindOf, NameOf};
use super::ids::{Who, nth_user, time};
use crate::build;

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A page of an inbox.
    Inbox {
        /// The device that reads.
        who: Who,
        /// The cursor: the number of the last entry before the page.
        after: u64,
        /// Whether the device's own entries are shown.
        own: OwnEntries,
        /// The most entries.
        limit: usize,
        /// The most bytes.
        bytes: usize,
    },
    /// A page of a conversation.
    History {
        /// The number of the user who reads.
        reader: u64,
        /// The number of the conversation.
        conversation: u64,
        /// The messages to read, and their order.
        range: HistoryRange,
        /// The most messages.
        limit: usize,
        /// The most bytes.
        bytes: usize,
    },
    /// A page of a user's conversations.
    List {
        /// The number of the user.
        user: u64,
        /// The order and the start of the list.
        order: Order,
        /// The kinds of the records to read with each conversation.
        kinds: Vec<KindOf>,
        /// The most conversations.
        limit: usize,
    },
    /// A page of records.
    Scan {
        /// The records, and their order.
        records: Records,
        /// The most records.
        limit: usize,
        /// The most bytes.
        bytes: usize,
    },
}

/// The order of a list, with its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By activity. The cursor is a last activity and the number of a conversation.
    Active(Option<(Option<i64>, u64)>),
    /// By id. The cursor is the number of a conversation.
    Opened(Option<u64>),
}

/// The records of a scan, and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Those under a key, after a name.
    Under(Key, Option<NameOf>),
    /// A user's synced records since a revision.
    Since(u64, u64),
    /// Those of a kind that are due until a time, after a due time and a key.
    Due(KindOf, i64, Option<(i64, Key)>),
}

/// The query of a read.
#[derive(Clone, Debug)]
pub enum Query {
    /// A query of an inbox.
    Inbox(InboxQuery),
    /// A query of a conversation.
    History(HistoryQuery),
    /// A query of a list of conversations.
    List(ConversationsQuery),
    /// A query of records.
    Scan(ScanQuery),
}

impl Read {
    /// The query of this read.
    #[must_use]
    pub fn query(&self) -> Query {
        match *self {
            Self::Inbox { who, after, own, limit, bytes } => Query::Inbox(InboxQuery {
                who: who.principal(),
                after: InboxSeq::new(after),
                own,
                limit,
                max_bytes: bytes,
            }),
            Self::History { reader, conversation, range, limit, bytes } => Query::History(HistoryQuery {
                reader: nth_user(reader),
                conversation: build::conversation(conversation),
                range,
                limit,
                max_bytes: bytes,
            }),
            Self::List { user, order, ref kinds, limit } => Query::List(ConversationsQuery {
                user: nth_user(user),
                order: order.order(),
                kinds: kinds.iter().map(|kind| kind.kind()).collect(),
                limit,
            }),
            Self::Scan { records, limit, bytes } => {
                Query::Scan(ScanQuery { scan: records.scan(), limit, max_bytes: bytes })
            }
        }
    }
}

impl Order {
    fn order(self) -> ConversationOrder {
        match self {
            Self::Active(after) => ConversationOrder::Active {
                after: after.map(|(last_activity, id)| ConversationCursor {
                    last_activity: last_activity.map(time),
                    id: build::conversation(id),
                }),
            },
            Self::Opened(after) => ConversationOrder::Opened { after: after.map(build::conversation) },
        }
    }
}

impl Records {
    fn scan(self) -> Scan {
        match self {
            Self::Under(key, after) => Scan::Under { prefix: key.prefix(), after: after.map(NameOf::name) },
            Self::Since(user, revision) => {
                Scan::Since { user: nth_user(user), revision: Revision::new(revision) }
            }
            Self::Due(kind, until, after) => Scan::Due {
                kind: kind.kind(),
                until: time(until),
                after: after.map(|(at, key)| (time(at), key.key())),
            },
        }
    }
}
