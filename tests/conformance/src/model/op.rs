//! Operations as data: what a script is made of.

use std::sync::LazyLock;

use dm_core::store::{
    AckTarget, Acknowledge, AnnounceKeys, AppendMessage, Ciphertext, ConversationCursor, ConversationsQuery,
    DeviceStart, Expire, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, KeyBinding, OpenConversation,
    OwnEntries, Participants, Principal, PublishKey, RegisterDevice, Suite, Timestamp, UserId, Write,
};

use crate::build;

/// The devices a script knows by number. One of them is the one of hosts that tell none apart.
pub const DEVICES: [&str; 3] = ["default", "phone", "desk"];

/// When a script starts, in milliseconds: late enough to jump back a day.
const START: i64 = 1_000_000_000;

/// A user on a device, by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's number.
    pub user: u64,
    /// The device's place in [`DEVICES`].
    pub device: usize,
}

impl Who {
    /// The caller of that name.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal::new(nth_user(self.user), DEVICES[self.device].parse().expect("a device's name"))
    }
}

/// One write, with small numbers for names. Times are in milliseconds after the start of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A user publishes a key.
    Publish {
        /// Whose.
        user: u64,
        /// Which.
        key: u8,
        /// How it is bound.
        binding: KeyBinding,
    },
    /// Up to so many peers are told of published keys.
    Announce {
        /// Most of them.
        limit: usize,
    },
    /// A conversation is opened.
    Open {
        /// Its number, if it is new.
        conversation: u64,
        /// Who opens it.
        opener: Who,
        /// With whom.
        other: u64,
    },
    /// A message is sent.
    Append {
        /// Its number, if it is new; no two operations of a script have the same.
        message: u64,
        /// The conversation's number.
        conversation: u64,
        /// Who sends it.
        sender: Who,
        /// Under which client id.
        client: Option<u64>,
        /// For which version of the recipient's key.
        key: Option<u32>,
        /// What it says.
        content: Content,
    },
    /// Something is acknowledged.
    Ack {
        /// By whom.
        who: Who,
        /// What.
        target: Target,
    },
    /// A device is registered.
    Register {
        /// Which.
        who: Who,
        /// Where it starts.
        start: DeviceStart,
        /// As one of how many.
        limit: usize,
    },
    /// A device is forgotten.
    Forget {
        /// Which.
        who: Who,
    },
    /// Entries queued before a time are removed.
    Expire {
        /// The time.
        before: i64,
        /// Most of them.
        limit: usize,
    },
}

/// A ciphertext, by its kind and its payload's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its kind: 1 names a suite, 2 has an ephemeral key, and each has a nonce and a client's time of its own.
    pub kind: u8,
    /// Bytes of payload, at least 1.
    pub size: usize,
}

/// What is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everything up to an entry.
    UpTo(u64),
    /// These entries.
    Entries(Vec<u64>),
    /// These messages.
    Messages(Vec<u64>),
}

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A page of an inbox.
    Inbox {
        /// Who reads.
        who: Who,
        /// After which entry.
        after: u64,
        /// Whether the device's own entries are shown.
        own: OwnEntries,
        /// Most entries.
        limit: usize,
        /// Most bytes.
        bytes: usize,
    },
    /// A page of a conversation.
    History {
        /// Who reads.
        reader: u64,
        /// What.
        conversation: u64,
        /// Which way.
        range: HistoryRange,
        /// Most messages.
        limit: usize,
        /// Most bytes.
        bytes: usize,
    },
    /// A page of a user's conversations.
    List {
        /// Whose.
        user: u64,
        /// After which place: the last activity and the conversation of it.
        after: Option<(Option<i64>, u64)>,
        /// Most conversations.
        limit: usize,
    },
}

/// Which of the handles on the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// The one that was opened first.
    First,
    /// One beside it, where the store allows that.
    Other,
}

/// One thing that happens to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes are committed in one batch. A millisecond passes before it.
    Batch {
        /// Through this handle.
        through: Handle,
        /// These.
        ops: Vec<Op>,
    },
    /// All handles are dropped, and the store is opened again.
    Reopen,
    /// The clock jumps so many milliseconds.
    Clock(i64),
    /// Something is read.
    Read(Read),
}

/// The *n*-th user, as [`build::user`] makes them, without the arithmetic each time.
pub(super) fn nth_user(n: u64) -> UserId {
    static FIRST: LazyLock<Vec<UserId>> = LazyLock::new(|| (0..16).map(build::user).collect());
    usize::try_from(n).ok().and_then(|n| FIRST.get(n).copied()).unwrap_or_else(|| build::user(n))
}

/// The time so long after a script's start.
#[must_use]
pub(super) fn time(after_start: i64) -> Timestamp {
    Timestamp::from_millis((START.saturating_add(after_start)).max(0).cast_unsigned())
}

/// How long after a script's start a time is: the reverse of [`time`].
#[must_use]
pub(super) fn after_start(time: Timestamp) -> i64 {
    time.as_millis().cast_signed() - START
}

impl Content {
    fn ciphertext(self) -> Ciphertext {
        let suite = (self.kind == 1).then_some(Suite(u32::MAX));
        let ephemeral = (self.kind == 2).then_some([9; 32]);
        let payload = vec![self.kind; self.size];
        Ciphertext::new(payload.into(), &[self.kind; 24], ephemeral.as_ref().map(<[u8; 32]>::as_slice), suite)
            .expect("a script's messages have a byte of payload")
    }
}

impl Op {
    /// The write that this is, at a time.
    #[must_use]
    pub fn write(&self, now: i64) -> Write {
        let at = time(now);
        match self {
            Self::Publish { user, key, binding } => Write::PublishKey(PublishKey {
                user: nth_user(*user),
                key: build::key(*key),
                binding: *binding,
                at,
            }),
            Self::Announce { limit } => Write::AnnounceKeys(AnnounceKeys { limit: *limit, at }),
            Self::Open { conversation, opener, other } => Write::OpenConversation(OpenConversation {
                id: build::conversation(*conversation),
                participants: Participants::new(nth_user(opener.user), nth_user(*other))
                    .expect("a script's conversations have two users"),
                opener: opener.principal(),
                at,
            }),
            Self::Append { message, conversation, sender, client, key, content } => {
                Write::AppendMessage(AppendMessage {
                    id: build::message(*message),
                    conversation: build::conversation(*conversation),
                    sender: sender.principal(),
                    client_id: client.map(build::client_id),
                    recipient_key_version: key.map(build::version),
                    // All 64 bits: it means nothing to a store.
                    sent_at: Timestamp::from_millis(u64::MAX - u64::from(content.kind)),
                    at,
                    ciphertext: content.ciphertext(),
                })
            }
            Self::Ack { who, target } => {
                Write::Acknowledge(Acknowledge { who: who.principal(), target: target.target() })
            }
            Self::Register { who, start, limit } => Write::RegisterDevice(RegisterDevice {
                who: who.principal(),
                start: *start,
                limit: *limit,
                at,
            }),
            Self::Forget { who } => build::forget(who.principal()),
            Self::Expire { before, limit } => Write::Expire(Expire { before: time(*before), limit: *limit }),
        }
    }
}

impl Target {
    fn target(&self) -> AckTarget {
        match self {
            Self::UpTo(seq) => AckTarget::UpTo(InboxSeq::new(*seq)),
            Self::Entries(seqs) => AckTarget::Entries(seqs.iter().copied().map(InboxSeq::new).collect()),
            Self::Messages(ids) => AckTarget::Messages(ids.iter().copied().map(build::message).collect()),
        }
    }
}

/// A read's query.
#[derive(Clone, Debug)]
pub enum Query {
    /// Of an inbox.
    Inbox(InboxQuery),
    /// Of a conversation.
    History(HistoryQuery),
    /// Of a list of conversations.
    List(ConversationsQuery),
}

impl Read {
    /// The query that this is.
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
            Self::List { user, after, limit } => Query::List(ConversationsQuery {
                user: nth_user(user),
                after: after.map(|(last_activity, id)| ConversationCursor {
                    last_activity: last_activity.map(time),
                    id: build::conversation(id),
                }),
                limit,
            }),
        }
    }
}
