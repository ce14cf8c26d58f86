//! Writes as data, and their outcomes.

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

/// One write, as data: a store checks and applies the writes of a batch in their order. New kinds
/// of writes are added as new variants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// Answers [`Outcome::KeyPublished`].
    PublishKey(PublishKey),
    /// Answers [`Outcome::KeysAnnounced`].
    AnnounceKeys(AnnounceKeys),
    /// Answers [`Outcome::ConversationOpened`].
    OpenConversation(OpenConversation),
    /// Answers [`Outcome::MessageAppended`]; may be refused as [`Refusal::NotFound`],
    /// [`Refusal::ClientIdReused`] or [`Refusal::StaleKey`].
    AppendMessage(AppendMessage),
    /// Answers [`Outcome::Acknowledged`]; may be refused as [`Refusal::UnknownDevice`] or
    /// [`Refusal::BeyondHead`].
    Acknowledge(Acknowledge),
    /// Answers [`Outcome::DeviceRegistered`]; may be refused as [`Refusal::TooManyDevices`].
    RegisterDevice(RegisterDevice),
    /// Answers [`Outcome::DeviceForgotten`].
    ForgetDevice(ForgetDevice),
    /// Answers [`Outcome::Expired`].
    Expire(Expire),
}

impl From<AppendMessage> for Write {
    fn from(write: AppendMessage) -> Self {
        Self::AppendMessage(write)
    }
}

/// Makes a key the user's current one, as the next version. Publishing the current key again
/// changes nothing, whatever its binding. With a changed key the same transaction also starts its
/// announcement to all peers, which [`AnnounceKeys`] carries out. An announcement of an earlier key
/// of the user that is not finished starts again with the new key.
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

/// Announces published keys to peers, a limited number of them per write: appends a
/// `PeerKeyChanged` notice to the inboxes of up to `limit` peers in all. The notice holds the
/// publisher's key as it is at this commit.
///
/// Every peer that has a conversation with the publisher at the time of the publication gets one
/// notice per publication. Peers whose conversation is opened later get none. The peers that are
/// left are remembered over reopening. Fewer than `limit` notices are appended only when no peer is
/// left, or when another such write runs at the same time.
#[derive(Clone, Debug)]
pub struct AnnounceKeys {
    /// Most entries to append.
    pub limit: usize,
    /// The time of the appended entries.
    pub at: Timestamp,
}

/// Opens the conversation of a pair, or finds the one that is open. For a new conversation a
/// `ConversationOpened` notice is appended to both inboxes; the opener's entry has the opener's
/// device as origin.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    /// The id of the conversation, if it is new.
    pub id: ConversationId,
    /// The pair of users.
    pub participants: Participants,
    /// The user and device that open it. The user is one of the pair.
    pub opener: Principal,
    /// The time of the call: `opened_at` of a new conversation, and the time of its entries.
    pub at: Timestamp,
}

/// Appends a message to a conversation and to both inboxes. The sender's entry has the sender's
/// device as origin.
///
/// The checks, in this order:
///
/// 1. The sender is in the conversation ([`Refusal::NotFound`]).
/// 2. The client id, if there is one, is new, or the write repeats an equal send, as
///    [`repeats`](Self::repeats) decides ([`Refusal::ClientIdReused`]).
/// 3. The named key version, if there is one, is the recipient's current one
///    ([`Refusal::StaleKey`]).
#[derive(Clone, Debug)]
pub struct AppendMessage {
    /// The id of the message, if it is new.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The sending user and device.
    pub sender: Principal,
    /// The id that the sender's client gave the message.
    pub client_id: Option<ClientMessageId>,
    /// The version of the recipient's key that the message is encrypted to.
    pub recipient_key_version: Option<KeyVersion>,
    /// The time by the sender's clock.
    pub sent_at: Timestamp,
    /// The time at which the service received the message, which is also the time of its entries.
    pub at: Timestamp,
    /// The encrypted payload.
    pub ciphertext: Ciphertext,
}

impl AppendMessage {
    /// Whether a stored message has the content of this write, so that the write repeats its send.
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
/// The checks, in this order: the device is registered ([`Refusal::UnknownDevice`]); no named entry
/// is beyond the newest ([`Refusal::BeyondHead`]).
///
/// An expired entry may be named, by its number or by its message: it counts as acknowledged, and
/// nothing else changes. Only [`AckTarget::UpTo`] can move a cursor into a range that expired.
///
/// After that the device's cursor advances over every acknowledged entry that follows it. It also
/// advances over entries that need no acknowledgement, as long as an acknowledged entry is above
/// them: the device's own entries, notices, and entries that expired.
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
    /// All entries up to and including this one. Refused beyond the newest entry; below the cursor
    /// it changes nothing.
    UpTo(InboxSeq),
    /// These entries. Refused as a whole if one is beyond the newest; zero counts as unknown.
    Entries(Vec<InboxSeq>),
    /// The entries about these messages. An id without a message in the user's inbox counts as
    /// unknown.
    Messages(Vec<MessageId>),
}

/// Registers a device, or finds the one that is registered.
#[derive(Clone, Debug)]
pub struct RegisterDevice {
    /// The user and the device.
    pub who: Principal,
    /// The start of a new device's cursor.
    pub start: DeviceStart,
    /// Most devices of the user; a further one is refused.
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

/// Removes up to `limit` entries that were appended before a time, from any inboxes. The entries of
/// one inbox are removed in the order of their numbers; one that is not old enough keeps all later
/// ones of its inbox. Fewer than `limit` entries are removed only when no more are old enough, or
/// when another such write runs at the same time.
#[derive(Clone, Debug)]
pub struct Expire {
    /// Only entries appended before this time are removed.
    pub before: Timestamp,
    /// Most entries to remove.
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
        /// Whether peers are left that have not got their notice.
        more: bool,
    },
    /// The answer to [`OpenConversation`].
    ConversationOpened {
        /// The pair's conversation.
        conversation: Conversation,
        /// Whether this write opened it.
        created: bool,
        /// The entries appended: two when it is new, none when it was open already.
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
    /// Whether an earlier write stored the message, and this one repeats it.
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
    /// The number of named entries that the inbox has or had, whether or not they were acknowledged
    /// before. For [`AckTarget::UpTo`] it is the number of entries by which the target moved the
    /// cursor.
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
        /// The recipient's current key, if there is one.
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
