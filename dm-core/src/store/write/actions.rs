//! [`Action`], the part of a write that changes the log: conversations, messages, devices and
//! inboxes.

use crate::device::Principal;
use crate::ids::{ClientMessageId, ConversationId, MessageId};
use crate::message::{Ciphertext, Message};
use crate::numbers::{InboxSeq, SenderSequence, ServerSequence};
use crate::participants::Participants;
use crate::time::Timestamp;

/// The action of a [`Write`](super::Write). New kinds of actions are added as new variants; most
/// features need none, because they are made of [records](crate::record).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Action {
    /// No action. The write only has conditions and effects. Its answer is
    /// [`Answer::None`](super::Answer::None).
    #[default]
    None,
    /// Its answer is [`Answer::ConversationOpened`](super::Answer::ConversationOpened).
    OpenConversation(OpenConversation),
    /// Its answer is [`Answer::MessageAppended`](super::Answer::MessageAppended).
    AppendMessage(AppendMessage),
    /// Its answer is [`Answer::Acknowledged`](super::Answer::Acknowledged).
    Acknowledge(Acknowledge),
    /// Its answer is [`Answer::DeviceRegistered`](super::Answer::DeviceRegistered).
    RegisterDevice(RegisterDevice),
    /// Its answer is [`Answer::DeviceForgotten`](super::Answer::DeviceForgotten).
    ForgetDevice(ForgetDevice),
    /// Its answer is [`Answer::Expired`](super::Answer::Expired).
    Expire(Expire),
}

/// Opens the conversation of a pair of users, or returns the one that they already have, which is
/// [found](super::Done::is_found). For a new conversation a
/// [`ConversationOpened`](crate::Notice::ConversationOpened) notice is appended to both inboxes. The
/// origin of the opener's entry is the opener's device.
///
/// A new conversation is refused as [`Refusal::Gate`](crate::store::Refusal::Gate) while the gate of
/// the pair, or that of one of the two users, is closed.
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
/// 1. The sender must be in the conversation, or the write is refused as
///    [`Refusal::NotFound`](crate::store::Refusal::NotFound).
/// 2. If the sender used the client id before, the write must [repeat](Self::repeats) the message
///    with that client id, or it is refused as
///    [`Refusal::ClientIdReused`](crate::store::Refusal::ClientIdReused). A write that repeats the
///    message is [found](super::Done::is_found) and succeeds without the next checks.
/// 3. The gates of the pair, the sender and the recipient must let the message through, or the write
///    is refused as [`Refusal::Gate`](crate::store::Refusal::Gate). The gate of the pair is checked
///    first, then the sender's.
/// 4. The conditions of the write, as for every write.
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
    /// The time by the sender's clock.
    pub sent_at: Timestamp,
    /// The time at which the service received the message, which is also the time of its entries.
    pub at: Timestamp,
    /// The encrypted payload.
    pub ciphertext: Ciphertext,
}

impl AppendMessage {
    /// Whether this write is a retry of the send that stored `stored`. Compares conversation,
    /// sender, client id, `sent_at` and ciphertext, but no conditions.
    #[must_use]
    pub fn repeats(&self, stored: &Message) -> bool {
        self.conversation == stored.conversation
            && self.sender.user == stored.sender
            && self.client_id == stored.client_id
            && self.sent_at == stored.sent_at
            && self.ciphertext == stored.ciphertext
    }

    /// The message that this write appends, with its numbers in the conversation.
    #[must_use]
    pub fn into_message(self, sequence: ServerSequence, sender_sequence: SenderSequence) -> Message {
        Message {
            id: self.id,
            conversation: self.conversation,
            sequence,
            sender: self.sender.user,
            sender_sequence,
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
/// 1. The device must be registered, or the write is refused as
///    [`Refusal::UnknownDevice`](crate::store::Refusal::UnknownDevice).
/// 2. No named entry may be beyond the newest, or the write is refused as
///    [`Refusal::BeyondHead`](crate::store::Refusal::BeyondHead).
///
/// An expired entry may be named, by its number or by its message. It counts as acknowledged, and
/// nothing else changes. Only [`AckTarget::UpTo`] can move a cursor into a range of expired
/// entries.
///
/// The device's cursor then advances over the acknowledged entries that follow it. Below an
/// acknowledged entry it also advances over entries that need no acknowledgement: the device's own
/// entries, notices, expired entries, and entries that are addressed to other registrations. The
/// cursor stops before the first other entry.
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

/// Registers a device, with the user's next [`Registration`](crate::Registration). A device that is
/// registered already is [found](super::Done::is_found).
///
/// A further device of a user with `limit` devices is refused as
/// [`Refusal::TooManyDevices`](crate::store::Refusal::TooManyDevices).
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

/// Removes a device, with its cursor and its acknowledgements. Entries that are addressed to its
/// registration stay in the inbox, pending for no device. A device that is not registered is
/// [found](super::Done::is_found) as forgotten.
#[derive(Clone, Debug)]
pub struct ForgetDevice {
    /// The user and the device.
    pub who: Principal,
}

/// Removes up to `limit` entries that were appended before a time, from any inboxes. Each inbox
/// loses its oldest entries, in the order of their numbers. If an entry is not old enough, all
/// later entries of its inbox stay as well. Fewer than `limit` entries are removed only when no
/// more are old enough, or when another such write runs at the same time.
///
/// Of each inbox the store keeps the number of the newest removed entry and its
/// [proof](crate::InboxEntry::proof).
#[derive(Clone, Debug)]
pub struct Expire {
    /// Only entries appended before this time are removed.
    pub before: Timestamp,
    /// Maximum number of entries to remove.
    pub limit: usize,
}

impl Action {
    /// The user and device that send a message or open a conversation; `None` for other actions.
    pub(in crate::store) const fn sender(&self) -> Option<&Principal> {
        match self {
            Self::AppendMessage(write) => Some(&write.sender),
            Self::OpenConversation(write) => Some(&write.opener),
            _ => None,
        }
    }
}
