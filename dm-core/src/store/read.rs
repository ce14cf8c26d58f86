//! Queries and pages.

use std::sync::Arc;

use crate::conversation::ConversationCursor;
use crate::device::{DeviceId, Principal};
use crate::ids::ConversationId;
use crate::inbox::{Event, Gap, GapReason, InboxEntry};
use crate::message::Message;
use crate::numbers::{InboxSeq, ServerSequence};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::user::UserId;

/// Asks for a page of a user's conversations.
#[derive(Clone, Copy, Debug)]
pub struct ConversationsQuery {
    /// Whose.
    pub user: UserId,
    /// Only those after this place in the list.
    pub after: Option<ConversationCursor>,
    /// Most conversations.
    pub limit: usize,
}

/// Asks for a page of a conversation's messages.
#[derive(Clone, Copy, Debug)]
pub struct HistoryQuery {
    /// Who reads: must be in the conversation.
    pub reader: UserId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Which way.
    pub range: HistoryRange,
    /// Most messages.
    pub limit: usize,
    /// Bytes, by [`Message::cost`], at which the page ends.
    pub max_bytes: usize,
}

/// Which way to read a conversation. Bounds are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    /// Newest first, from the newest.
    Newest,
    /// Newest first, below a number.
    Before(ServerSequence),
    /// Oldest first, above a number.
    After(ServerSequence),
}

/// A page of a conversation's messages, in the order of its range.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The messages.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more in the same direction.
    pub has_more: bool,
}

/// Asks for a page of a user's inbox as one of their devices sees it: what that device acknowledged individually is
/// left out. The device need not be registered.
#[derive(Clone, Debug)]
pub struct InboxQuery {
    /// The user and the device.
    pub who: Principal,
    /// Only entries after this one.
    pub after: InboxSeq,
    /// Which entries are part of it.
    pub own: OwnEntries,
    /// Most entries.
    pub limit: usize,
    /// Bytes, by [`InboxEntry::cost`], at which the page ends.
    pub max_bytes: usize,
}

/// Which entries a device is shown, by what caused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnEntries {
    /// All but those that this device caused.
    #[default]
    Skip,
    /// All.
    Include,
    /// Messages from others alone: neither notices nor what any of the user's devices caused. A
    /// store passes over the rest without reading its messages.
    ReceivedOnly,
}

impl OwnEntries {
    /// Whether a device is shown a message that the device `origin` of the same user sent, if one
    /// did.
    #[must_use]
    pub fn shows_message(self, device: &DeviceId, origin: Option<&DeviceId>) -> bool {
        match self {
            Self::Skip => origin != Some(device),
            Self::Include => true,
            Self::ReceivedOnly => origin.is_none(),
        }
    }

    /// Whether a device is shown a notice that the device `origin` of the same user caused, if one
    /// did.
    #[must_use]
    pub fn shows_notice(self, device: &DeviceId, origin: Option<&DeviceId>) -> bool {
        self != Self::ReceivedOnly && self.shows_message(device, origin)
    }
}

impl InboxQuery {
    /// For the newest number alone.
    pub(crate) fn of_head(user: UserId) -> Self {
        Self { who: user.into(), after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 1, max_bytes: 1 }
    }

    /// Whether the page may hold an entry, unless the device acknowledged it.
    #[must_use]
    pub fn shows(&self, entry: &InboxEntry) -> bool {
        match entry.event {
            Event::Message(_) => self.own.shows_message(&self.who.device, entry.origin.as_ref()),
            Event::Notice(_) => self.own.shows_notice(&self.who.device, entry.origin.as_ref()),
        }
    }
}

/// A page of an inbox.
#[derive(Clone, Debug)]
pub struct InboxPage {
    /// The entries, oldest first.
    pub entries: Vec<InboxEntry>,
    /// Where the next page starts: every entry up to here is in this page or was left out. At least
    /// the query's `after`, unless that is beyond the head; beyond `after` while there are entries
    /// above it. A store may end a page early that leaves much out, even empty.
    pub through: InboxSeq,
    /// The newest entry of the inbox.
    pub head: InboxSeq,
    /// The newest entry no longer held; zero when all are.
    pub floor: InboxSeq,
}

impl InboxPage {
    /// The page, if it leads on from where it was to start: asking again after one that does not
    /// would never end.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`].
    pub(crate) fn leading_on(self, after: InboxSeq) -> Result<Self, StoreError> {
        if self.through < self.head && self.through <= after {
            return Err(StoreError::new(StoreErrorKind::Corrupt, "a page of the inbox leads nowhere"));
        }
        Ok(self)
    }

    /// What is missing after a number, if anything is.
    pub(crate) fn gap_after(&self, after: InboxSeq) -> Option<Gap> {
        (self.floor > after).then_some(Gap { from: after.next(), to: self.floor, reason: GapReason::Expired })
    }
}

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// Everything up to here is acknowledged.
    pub cursor: InboxSeq,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// How much is pending for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages from others, and from the user's other devices.
    pub messages: u64,
    /// Everything else.
    pub notices: u64,
}
