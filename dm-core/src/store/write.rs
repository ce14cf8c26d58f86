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

/// One thing to do, as data: checked and applied by a store, in the order given. New kinds come as new variants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// Answers [`Outcome::KeyPublished`].
    PublishKey(PublishKey),
    /// Answers [`Outcome::KeysAnnounced`].
    AnnounceKeys(AnnounceKeys),
    /// Answers [`Outcome::ConversationOpened`].
    OpenConversation(OpenConversation),
    /// Answers [`Outcome::MessageAppended`]; refused as not found, client id reused, stale key.
    AppendMessage(AppendMessage),
    /// Answers [`Outcome::Acknowledged`]; refused beyond the head or for an unknown device.
    Acknowledge(Acknowledge),
    /// Answers [`Outcome::DeviceRegistered`]; refused when there are too many.
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

/// Makes a key the user's current one, as the next version. The current key again changes nothing, whatever its
/// binding. A changed key also joins the work that [`AnnounceKeys`] does, in the same transaction, from the start.
#[derive(Clone, Debug)]
pub struct PublishKey {
    /// Whose key.
    pub user: UserId,
    /// The key.
    pub key: X25519Key,
    /// How it is bound.
    pub binding: KeyBinding,
    /// When.
    pub at: Timestamp,
}

/// Takes the next step of telling peers of published keys: appends a `PeerKeyChanged` notice, holding the publisher's
/// key as it is at this commit, to the inboxes of up to `limit` peers in all, each peer with a conversation once per
/// publication. Peers whose conversation is opened later need no telling. What is left survives reopening. Unless others
/// are taken at the same time, a step stops short of its limit only when nobody is left to tell.
#[derive(Clone, Debug)]
pub struct AnnounceKeys {
    /// Most entries to append.
    pub limit: usize,
    /// When.
    pub at: Timestamp,
}

/// Opens the conversation of a pair, or finds the one that is open. A new one appends a `ConversationOpened` notice to
/// both inboxes; in the opener's it carries their device as origin.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    /// The id, if it is new.
    pub id: ConversationId,
    /// The pair.
    pub participants: Participants,
    /// Who opens it: one of the pair.
    pub opener: Principal,
    /// When.
    pub at: Timestamp,
}

/// Appends a message to a conversation and to both inboxes; in the sender's it carries their device as origin.
///
/// Checks, in this order: the sender is in the conversation ([`Refusal::NotFound`]); the client id, if any, is new or
/// the repeat of an equal send, as [`repeats`](Self::repeats) says ([`Refusal::ClientIdReused`]); the named key version,
/// if any, is the recipient's current one ([`Refusal::StaleKey`]).
#[derive(Clone, Debug)]
pub struct AppendMessage {
    /// The id, if it is new.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Who sends.
    pub sender: Principal,
    /// The sender's name for it.
    pub client_id: Option<ClientMessageId>,
    /// The version of the recipient's key that it is encrypted to.
    pub recipient_key_version: Option<KeyVersion>,
    /// What the sender's clock said.
    pub sent_at: Timestamp,
    /// When it was received.
    pub at: Timestamp,
    /// What was encrypted.
    pub ciphertext: Ciphertext,
}

impl AppendMessage {
    /// Whether a stored message has the content of this write, so that the write is a repeat of it.
    #[must_use]
    pub fn repeats(&self, stored: &Message) -> bool {
        self.conversation == stored.conversation
            && self.sender.user == stored.sender
            && self.client_id == stored.client_id
            && self.sent_at == stored.sent_at
            && self.ciphertext == stored.ciphertext
    }

    /// The message this becomes at a place in its conversation.
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
/// Checks, in this order: the device is registered ([`Refusal::UnknownDevice`]); no named entry is
/// beyond the newest ([`Refusal::BeyondHead`]).
///
/// An expired entry may be named, by its number or by its message: it counts as acknowledged, and
/// nothing else changes. Only [`AckTarget::UpTo`] moves a cursor into what expired.
///
/// The device's cursor then moves on over every entry that is acknowledged. Below an acknowledged entry it passes over
/// what cannot or need not be named as well: the device's own entries, notices, and entries no longer held.
#[derive(Clone, Debug)]
pub struct Acknowledge {
    /// The user and the device.
    pub who: Principal,
    /// What is acknowledged.
    pub target: AckTarget,
}

/// Which inbox entries an acknowledgement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckTarget {
    /// Everything up to and including an entry. Refused beyond the newest entry; below the cursor it changes nothing.
    UpTo(InboxSeq),
    /// These entries. Refused as a whole if one is beyond the newest; zero counts as unknown.
    Entries(Vec<InboxSeq>),
    /// The entries about these messages. Ids of no message in the user's inbox count as unknown.
    Messages(Vec<MessageId>),
}

/// Registers a device, or finds it.
#[derive(Clone, Debug)]
pub struct RegisterDevice {
    /// The user and the device.
    pub who: Principal,
    /// Where a new device starts.
    pub start: DeviceStart,
    /// Devices the user may have; a further one is refused.
    pub limit: usize,
    /// When.
    pub at: Timestamp,
}

/// Where a new device's cursor starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceStart {
    /// Before the oldest entry still held.
    #[default]
    Oldest,
    /// At the newest entry: only what comes from now on.
    Now,
}

/// Forgets a device and what it acknowledged.
#[derive(Clone, Debug)]
pub struct ForgetDevice {
    /// The user and the device.
    pub who: Principal,
}

/// Takes a step of expiry: of up to `limit` entries queued before a time, from any inboxes, always the oldest numbers
/// of an inbox first. An entry that is not old enough keeps the later ones of its inbox. Unless others are taken at the
/// same time, a step stops short of its limit only when nothing more may go.
#[derive(Clone, Debug)]
pub struct Expire {
    /// Entries queued before this go.
    pub before: Timestamp,
    /// Most entries to remove.
    pub limit: usize,
}

/// What became of a write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The user's current key, and whether this write made it.
    KeyPublished {
        /// The current key.
        record: KeyRecord,
        /// Whether it is new.
        changed: bool,
    },
    /// Some peers were told.
    KeysAnnounced {
        /// The entries appended.
        appended: Vec<Notification>,
        /// Whether peers are left to tell.
        more: bool,
    },
    /// The pair's conversation.
    ConversationOpened {
        /// The conversation.
        conversation: Conversation,
        /// Whether this write opened it.
        created: bool,
        /// The entries appended: two when it is new, none when it was open already.
        appended: Vec<Notification>,
    },
    /// The message, and where it stands.
    MessageAppended(Appended),
    /// What an acknowledgement did.
    Acknowledged(Acknowledged),
    /// The device.
    DeviceRegistered {
        /// Its cursor.
        cursor: InboxSeq,
    },
    /// The device is not known any more.
    DeviceForgotten {
        /// Whether it was.
        existed: bool,
    },
    /// Some entries are gone.
    Expired {
        /// How many.
        entries: usize,
        /// Whether there may be more to expire at the same time.
        more: bool,
    },
    /// It was not done, and nothing changed.
    Refused(Refusal),
}

impl Outcome {
    /// Takes the inbox entries that the write appended out of its outcome, to be notified.
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
    /// Its place in the sender's inbox.
    pub sender_seq: InboxSeq,
    /// Whether this is the answer to a repeat: stored by an earlier write.
    pub repeated: bool,
    /// The entries appended: the sender's and the recipient's, none for a repeat.
    pub appended: Vec<Notification>,
}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Everything up to here is acknowledged; more may be beyond it, individually.
    pub cursor: InboxSeq,
    /// Named entries that the inbox holds or held, whether or not they were acknowledged before. For
    /// [`AckTarget::UpTo`] this is how far the cursor moved.
    pub acknowledged: u64,
    /// Named entries or messages that are not the user's or do not exist.
    pub unknown: u64,
}

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No such conversation for this user.
    NotFound,
    /// The client message id stands for other content.
    ClientIdReused,
    /// The named key version is not current.
    StaleKey {
        /// The current key, if there is one.
        current: Option<KeyRecord>,
    },
    /// The user has as many devices as they may.
    TooManyDevices,
    /// The device is not registered.
    UnknownDevice,
    /// An acknowledgement beyond the newest entry.
    BeyondHead {
        /// The newest entry.
        head: InboxSeq,
    },
    /// The disk has no room for it now: free space is below the store's reserve.
    NoRoom,
    /// The store does not know this kind of write.
    Unsupported,
}
