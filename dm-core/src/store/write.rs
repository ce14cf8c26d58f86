//! [`Write`], a change of a store as data, and [`Outcome`], its result.

use std::sync::Arc;

use crate::conversation::Conversation;
use crate::device::Principal;
use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::inbox::Notification;
use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
use crate::message::{Ciphertext, Message};
use crate::numbers::{InboxSeq, ServerSequence};
use crate::participants::Participants;
use crate::time::Timestamp;
use crate::user::UserId;

/// One write, as data. A store checks and applies the writes of a batch in their order. New kinds
/// of writes are added as new variants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// Its outcome is [`Outcome::KeyPublished`].
    PublishKey(PublishKey),
    /// Its outcome is [`Outcome::KeysAnnounced`].
    AnnounceKeys(AnnounceKeys),
    /// Its outcome is [`Outcome::ConversationOpened`].
    OpenConversation(OpenConversation),
    /// Its outcome is [`Outcome::MessageAppended`], or a refusal: [`Refusal::NotFound`],
    /// [`Refusal::ClientIdReused`] or [`Refusal::StaleKey`].
    AppendMessage(AppendMessage),
    /// Its outcome is [`Outcome::Acknowledged`], or a refusal: [`Refusal::UnknownDevice`] or
    /// [`Refusal::BeyondHead`].
    Acknowledge(Acknowledge),
    /// Its outcome is [`Outcome::DeviceRegistered`], or a refusal: [`Refusal::TooManyDevices`].
    RegisterDevice(RegisterDevice),
    /// Its outcome is [`Outcome::DeviceForgotten`].
    ForgetDevice(ForgetDevice),
    /// Its outcome is [`Outcome::Expired`].
    Expire(Expire),
}

impl From<AppendMessage> for Write {
    fn from(write: AppendMessage) -> Self {
        Self::AppendMessage(write)
    }
}

/// Makes a key the user's current key, with the next version. If the key is the current one before
/// the write, nothing changes, even with another binding.
///
/// If the key has changed, the same transaction also starts its announcement to all peers.
/// [`AnnounceKeys`] carries the announcement out. If the announcement of the user's previous key is
/// not finished, it starts again with the new key.
#[derive(Clone, Debug)]
pub struct PublishKey {
    /// The owner of the key.
    pub user: UserId,
    /// The key.
    pub key: X25519Key,
    /// The proof that the key belongs to the user.
    pub binding: KeyBinding,
    /// The time of the call, which becomes the record's `published_at`.
    pub at: Timestamp,
}

/// Announces published keys to peers of their publishers: appends a
/// [`PeerKeyChanged`](crate::Notice::PeerKeyChanged) notice to the inboxes of up to `limit` peers.
/// The notice has the publisher's key as it is at this commit.
///
/// A peer gets one notice per publication if it has a conversation with the publisher at the time
/// of the publication. Peers whose conversation is opened later get none. The store remembers the
/// remaining peers, also when it is reopened. It appends fewer than `limit` notices only when no
/// peer remains, or when another such write runs at the same time.
#[derive(Clone, Debug)]
pub struct AnnounceKeys {
    /// Maximum number of entries to append.
    pub limit: usize,
    /// The time of the appended entries.
    pub at: Timestamp,
}

/// Opens the conversation of a pair of users, or returns the one that they already have. For a new
/// conversation a [`ConversationOpened`](crate::Notice::ConversationOpened) notice is appended to
/// both inboxes. The origin of the opener's entry is the opener's device.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    /// The id of a new conversation. Ignored if the pair already has one.
    pub id: ConversationId,
    /// The pair of users.
    pub participants: Participants,
    /// The user and device that open it. The user is one of the pair.
    pub opener: Principal,
    /// The time of the call: `opened_at` of a new conversation, and the time of its entries.
    pub at: Timestamp,
}

/// Appends a message to a conversation and to both inboxes. The origin of the sender's entry is the
/// sender's device.
///
/// The store checks in this order:
///
/// 1. The sender must be in the conversation, or the write is refused as [`Refusal::NotFound`].
/// 2. If the sender used the client id before, the write must [repeat](Self::repeats) the message
///    with that client id, or it is refused as [`Refusal::ClientIdReused`]. A write that repeats
///    the message succeeds without the next check.
/// 3. A key version that the write names must be the recipient's current one, or the write is
///    refused as [`Refusal::StaleKey`].
#[derive(Clone, Debug)]
pub struct AppendMessage {
    /// The id of a new message. Ignored if the write repeats a stored message.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The sending user and device.
    pub sender: Principal,
    /// The id that the sender's client chose for the message; `None` if it chose none.
    pub client_id: Option<ClientMessageId>,
    /// The version of the recipient's key that the message is encrypted to; `None` if the sender
    /// names no version.
    pub recipient_key_version: Option<KeyVersion>,
    /// The time by the sender's clock.
    pub sent_at: Timestamp,
    /// The time at which the service received the message, which is also the time of its entries.
    pub at: Timestamp,
    /// The encrypted payload.
    pub ciphertext: Ciphertext,
}

impl AppendMessage {
    /// Whether this write is a retry of the send that stored `stored`. Compares conversation,
    /// sender, client id, `sent_at` and ciphertext, but not the key version.
    #[must_use]
    pub fn repeats(&self, stored: &Message) -> bool {
        self.conversation == stored.conversation
            && self.sender.user == stored.sender
            && self.client_id == stored.client_id
            && self.sent_at == stored.sent_at
            && self.ciphertext == stored.ciphertext
    }

    /// The message that this write appends, with its number in the conversation.
    #[must_use]
    pub fn into_message(self, sequence: ServerSequence) -> Message {
        Message {
            id: self.id,
            conversation: self.conversation,
            sequence,
            sender: self.sender.user,
            client_id: self.client_id,
            sent_at: self.sent_at,
            received_at: self.at,
            ciphertext: self.ciphertext,
        }
    }
}

/// Acknowledges entries of a user's inbox for one registered device.
///
/// The store checks in this order:
///
/// 1. The device must be registered, or the write is refused as [`Refusal::UnknownDevice`].
/// 2. No named entry may be beyond the newest, or the write is refused as [`Refusal::BeyondHead`].
///
/// An expired entry may be named, by its number or by its message. It counts as acknowledged, and
/// nothing else changes. Only [`AckTarget::UpTo`] can move a cursor into a range of expired
/// entries.
///
/// The device's cursor then advances over the acknowledged entries that follow it. Below an
/// acknowledged entry it also advances over entries that need no acknowledgement: the device's own
/// entries, notices, and expired entries. The cursor stops before the first other entry.
#[derive(Clone, Debug)]
pub struct Acknowledge {
    /// The user and the device.
    pub who: Principal,
    /// The acknowledged entries.
    pub target: AckTarget,
}

/// The inbox entries that an acknowledgement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckTarget {
    /// All entries up to and including this number. A number beyond the newest entry is refused. A
    /// number below the cursor changes nothing.
    UpTo(InboxSeq),
    /// The entries with these numbers. If one is beyond the newest entry, the whole acknowledgement
    /// is refused. Zero counts as unknown.
    Entries(Vec<InboxSeq>),
    /// The entries about these messages. An id without a message in the user's inbox counts as
    /// unknown.
    Messages(Vec<MessageId>),
}

/// Registers a device. If it is registered already, nothing changes.
#[derive(Clone, Debug)]
pub struct RegisterDevice {
    /// The user and the device.
    pub who: Principal,
    /// The start of a new device's cursor.
    pub start: DeviceStart,
    /// Maximum number of devices of the user. A further one is refused.
    pub limit: usize,
    /// The time of the call, which becomes the device's `registered_at`.
    pub at: Timestamp,
}

/// The start of a new device's cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceStart {
    /// Before the oldest entry still kept: the device gets all of them.
    #[default]
    Oldest,
    /// At the newest entry: the device gets only later entries.
    Now,
}

/// Removes a device, with its cursor and its acknowledgements.
#[derive(Clone, Debug)]
pub struct ForgetDevice {
    /// The user and the device.
    pub who: Principal,
}

/// Removes up to `limit` entries that were appended before a time, from any inboxes. Each inbox
/// loses its oldest entries, in the order of their numbers. If an entry is not old enough, all
/// later entries of its inbox stay as well. Fewer than `limit` entries are removed only when no
/// more are old enough, or when another such write runs at the same time.
#[derive(Clone, Debug)]
pub struct Expire {
    /// Only entries appended before this time are removed.
    pub before: Timestamp,
    /// Maximum number of entries to remove.
    pub limit: usize,
}

/// The result of a write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The answer to [`PublishKey`].
    KeyPublished {
        /// The user's current key.
        record: KeyRecord,
        /// Whether this write made it the current one.
        changed: bool,
    },
    /// The answer to [`AnnounceKeys`].
    KeysAnnounced {
        /// The entries appended.
        appended: Vec<Notification>,
        /// Whether peers remain that have not got their notice.
        more: bool,
    },
    /// The answer to [`OpenConversation`].
    ConversationOpened {
        /// The pair's conversation.
        conversation: Conversation,
        /// Whether this write opened it.
        created: bool,
        /// The entries appended: two for a new conversation, none otherwise.
        appended: Vec<Notification>,
    },
    /// The answer to [`AppendMessage`]: the message with its numbers.
    MessageAppended(Appended),
    /// The answer to [`Acknowledge`]: the new cursor, and counts.
    Acknowledged(Acknowledged),
    /// The answer to [`RegisterDevice`].
    DeviceRegistered {
        /// The device's cursor.
        cursor: InboxSeq,
    },
    /// The answer to [`ForgetDevice`]: the device is not registered any more.
    DeviceForgotten {
        /// Whether it was registered before.
        existed: bool,
    },
    /// The answer to [`Expire`].
    Expired {
        /// The number of entries removed.
        entries: usize,
        /// Whether there may be more entries that are old enough.
        more: bool,
    },
    /// The write was not done, and nothing changed.
    Refused(Refusal),
}

impl Outcome {
    /// Moves the inbox entries that the write appended out of its outcome, for the notifier.
    pub fn take_appended(&mut self) -> Vec<Notification> {
        match self {
            Self::MessageAppended(Appended { appended, .. })
            | Self::ConversationOpened { appended, .. }
            | Self::KeysAnnounced { appended, .. } => std::mem::take(appended),
            _ => Vec::new(),
        }
    }
}

/// A message in its conversation and in both inboxes.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The message as stored.
    pub message: Arc<Message>,
    /// The number of its entry in the sender's inbox.
    pub sender_seq: InboxSeq,
    /// Whether an earlier write stored the message and this one is a retry.
    pub repeated: bool,
    /// The entries appended: the sender's and the recipient's; none for a repeat.
    pub appended: Vec<Notification>,
}

/// The result of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The device's cursor: every entry up to here is acknowledged. Single entries beyond it may be
    /// acknowledged, too.
    pub cursor: InboxSeq,
    /// The number of named entries that exist in the inbox or have expired, also if they were
    /// acknowledged before. For [`AckTarget::UpTo`] it is the number of entries by which the target
    /// moved the cursor.
    pub acknowledged: u64,
    /// The number of named entries or messages that do not exist or belong to another user.
    pub unknown: u64,
}

/// The reason why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The conversation does not exist, or the user is not in it.
    NotFound,
    /// The sender used the client message id before, for different content.
    ClientIdReused,
    /// The named key version is not the recipient's current one.
    StaleKey {
        /// The recipient's current key; `None` if the recipient has published none.
        current: Option<KeyRecord>,
    },
    /// The user has as many devices as the write's limit allows.
    TooManyDevices,
    /// The device is not registered.
    UnknownDevice,
    /// An acknowledgement names an entry beyond the newest.
    BeyondHead {
        /// The number of the newest entry.
        head: InboxSeq,
    },
    /// The disk has too little free space for the write: less than the store's reserve.
    NoRoom,
    /// The store does not know this kind of write.
    Unsupported,
}
