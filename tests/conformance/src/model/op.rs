//! Operations as data: the steps of a script.

use std::sync::LazyLock;

use dm_core::store::{
    AckTarget, Acknowledge, AnnounceKeys, AppendMessage, Ciphertext, ConversationCursor, ConversationsQuery,
    DeviceStart, Expire, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, KeyBinding, OpenConversation,
    OwnEntries, Participants, Principal, PublishKey, RegisterDevice, Suite, Timestamp, UserId, Write,
};

use crate::build;

/// The names of the devices of a script, by number. The first is the default device.
pub const DEVICES: [&str; 3] = ["default", "phone", "desk"];

/// The start time of every script, in milliseconds: late enough for the clock to jump back a day.
const START: i64 = 1_000_000_000;

/// A user on a device, both as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's number.
    pub user: u64,
    /// The device's index in [`DEVICES`].
    pub device: usize,
}

impl Who {
    /// The principal with these numbers.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal::new(nth_user(self.user), DEVICES[self.device].parse().expect("a device's name"))
    }
}

/// One write, with small numbers as ids. Times are in milliseconds after the start of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A user publishes a key.
    Publish {
        /// The user's number.
        user: u64,
        /// The key's number.
        key: u8,
        /// The binding of the key.
        binding: KeyBinding,
    },
    /// Up to so many peers are told of published keys.
    Announce {
        /// The most peers to tell.
        limit: usize,
    },
    /// A conversation is opened.
    Open {
        /// Its number, if it is new.
        conversation: u64,
        /// The user and device that open it.
        opener: Who,
        /// The other user.
        other: u64,
    },
    /// A message is sent.
    Append {
        /// Its number, if it is new. No two operations of a script have the same.
        message: u64,
        /// The conversation's number.
        conversation: u64,
        /// The user and device that send it.
        sender: Who,
        /// The number of its client id.
        client: Option<u64>,
        /// The version of the recipient's key that it names.
        key: Option<u32>,
        /// Its ciphertext.
        content: Content,
    },
    /// Entries are acknowledged.
    Ack {
        /// The device that acknowledges.
        who: Who,
        /// The acknowledged entries.
        target: Target,
    },
    /// A device is registered.
    Register {
        /// The device.
        who: Who,
        /// The position of its first cursor.
        start: DeviceStart,
        /// The most devices of the user.
        limit: usize,
    },
    /// A device is forgotten.
    Forget {
        /// The device.
        who: Who,
    },
    /// Entries queued before a time are removed.
    Expire {
        /// The time.
        before: i64,
        /// The most entries to remove.
        limit: usize,
    },
}

/// A ciphertext, given by its kind and the size of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its kind: 1 has a suite and 2 an ephemeral key. Each kind has its own nonce and client time.
    pub kind: u8,
    /// The size of the payload, in bytes, at least 1.
    pub size: usize,
}

/// The entries of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All entries up to this number.
    UpTo(u64),
    /// The entries with these numbers.
    Entries(Vec<u64>),
    /// The messages with these numbers.
    Messages(Vec<u64>),
}

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
        /// The cursor: a last activity and the number of a conversation.
        after: Option<(Option<i64>, u64)>,
        /// The most conversations.
        limit: usize,
    },
}

/// One of the handles to the storage location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// The handle that was opened first.
    First,
    /// A second handle, if the store allows one.
    Other,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes are committed in one batch. A millisecond passes before it.
    Batch {
        /// The handle that commits.
        through: Handle,
        /// The writes of the batch.
        ops: Vec<Op>,
    },
    /// All handles are dropped, and the store is opened again.
    Reopen,
    /// The clock jumps by so many milliseconds.
    Clock(i64),
    /// One read.
    Read(Read),
}

/// The *n*-th user, as [`build::user`] makes it. A table saves the arithmetic.
pub(super) fn nth_user(n: u64) -> UserId {
    static FIRST: LazyLock<Vec<UserId>> = LazyLock::new(|| (0..16).map(build::user).collect());
    usize::try_from(n).ok().and_then(|n| FIRST.get(n).copied()).unwrap_or_else(|| build::user(n))
}

/// The time so many milliseconds after the start of a script.
#[must_use]
pub(super) fn time(after_start: i64) -> Timestamp {
    Timestamp::from_millis((START.saturating_add(after_start)).max(0).cast_unsigned())
}

/// The milliseconds from the start of a script to a time: the inverse of [`time`].
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
    /// The write of this operation at a time.
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
                    // A value that uses all 64 bits; stores do not interpret it.
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

/// The query of a read.
#[derive(Clone, Debug)]
pub enum Query {
    /// A query of an inbox.
    Inbox(InboxQuery),
    /// A query of a conversation.
    History(HistoryQuery),
    /// A query of a list of conversations.
    List(ConversationsQuery),
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
