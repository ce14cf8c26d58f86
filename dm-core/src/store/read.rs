//! The queries of the reads of a store, and the pages that answer them. The crate's front page
//! explains the [terms](crate#terms), such as head and floor.

use std::sync::Arc;

use crate::conversation::{ConversationCursor, ConversationState};
use crate::device::{DeviceId, Principal};
use crate::ids::ConversationId;
use crate::inbox::{Event, Gap, GapReason, InboxEntry};
use crate::message::Message;
use crate::numbers::{InboxSeq, Registration, ServerSequence};
use crate::proof::CursorProof;
use crate::record::{Kind, Record};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::user::UserId;

/// A query for a page of a user's conversations.
#[derive(Clone, Debug)]
pub struct ConversationsQuery {
    /// The user whose conversations are listed.
    pub user: UserId,
    /// The order of the list, and its start.
    pub order: ConversationOrder,
    /// The kinds of the user's records to read with each conversation; at most
    /// [`MAX_KINDS`](Self::MAX_KINDS).
    pub kinds: Vec<Kind>,
    /// Maximum number of conversations.
    pub limit: usize,
}

impl ConversationsQuery {
    /// Maximum number of kinds. A store may leave out the records of further ones.
    pub const MAX_KINDS: usize = 8;
}

/// The order of a list of conversations, and the position after which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationOrder {
    /// The most recently active first, in the order of [`ConversationCursor`]. A conversation moves
    /// with each message, so it may be in two pages or in none.
    Active {
        /// Only conversations after this cursor; `None` starts at the top of the list.
        after: Option<ConversationCursor>,
    },
    /// The one with the smallest id first. The ids that the service makes begin with the time of
    /// opening, so this is about the order of opening. It never changes, so every conversation that
    /// exists at the first page is in exactly one page.
    Opened {
        /// Only conversations after this one; `None` starts at the first.
        after: Option<ConversationId>,
    },
}

/// A conversation in a list, with the records that the query asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedConversation {
    /// The conversation.
    pub state: ConversationState,
    /// The records of the listing user that are about the conversation: of the kinds of the query,
    /// in their order, each under the [id](crate::record::Name) of the conversation as its name.
    /// Kinds without such a record are left out.
    pub records: Vec<Record>,
}

/// A query for a page of a conversation's messages.
#[derive(Clone, Copy, Debug)]
pub struct HistoryQuery {
    /// The user who reads. A user who is not in the conversation gets no page.
    pub reader: UserId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The start and direction of the page.
    pub range: HistoryRange,
    /// Maximum number of messages.
    pub limit: usize,
    /// Maximum number of bytes, by [`Message::cost`]. A page of one message may exceed it.
    pub max_bytes: usize,
}

/// The start and direction of a page of messages. Bounds are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    /// Newest first, starting with the newest message.
    Newest,
    /// Newest first, only messages below this number.
    Before(ServerSequence),
    /// Oldest first, only messages above this number.
    After(ServerSequence),
}

/// A page of a conversation's messages, in the order of its range.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The messages.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more messages in the direction of the range.
    pub has_more: bool,
}

/// A query for a page of a user's inbox as one of the user's devices sees it. Entries that the
/// device acknowledged one by one are left out. The device need not be registered.
#[derive(Clone, Debug)]
pub struct InboxQuery {
    /// The user and the device.
    pub who: Principal,
    /// Only entries with a higher number than this.
    pub after: InboxSeq,
    /// The entries to include, by the device that caused them. Entries that are addressed to
    /// another registration are left out in any case.
    pub own: OwnEntries,
    /// Maximum number of entries.
    pub limit: usize,
    /// Maximum number of bytes, by [`InboxEntry::cost`]. A page of one entry may exceed it.
    pub max_bytes: usize,
}

/// The entries that a device is shown, by the device that caused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnEntries {
    /// All entries except those that this device caused.
    #[default]
    Skip,
    /// All entries.
    Include,
    /// Only messages from other users. Notices are left out, and so are messages that the user sent
    /// from any device. A store skips these entries without reading their messages.
    ReceivedOnly,
}

impl OwnEntries {
    /// Whether a device is shown a message. `origin` is the device of the same user that sent it,
    /// if one did.
    #[must_use]
    pub fn shows_message(self, device: &DeviceId, origin: Option<&DeviceId>) -> bool {
        match self {
            Self::Skip => origin != Some(device),
            Self::Include => true,
            Self::ReceivedOnly => origin.is_none(),
        }
    }

    /// Whether a device is shown a notice. `origin` is the device of the same user that caused it,
    /// if one did.
    #[must_use]
    pub fn shows_notice(self, device: &DeviceId, origin: Option<&DeviceId>) -> bool {
        self != Self::ReceivedOnly && self.shows_message(device, origin)
    }
}

impl InboxQuery {
    /// A query of which only the [`head`](InboxPage::head) of the page is used.
    pub(crate) fn for_head(user: UserId) -> Self {
        Self { who: user.into(), after: InboxSeq::ZERO, own: OwnEntries::Include, limit: 1, max_bytes: 1 }
    }

    /// Whether the page includes an entry, by the device that caused it and the one that it is
    /// addressed to. `registration` is that of the querying device; `None` if it is not registered.
    /// The store itself leaves out the entries that the device acknowledged.
    #[must_use]
    pub fn shows(&self, entry: &InboxEntry, registration: Option<Registration>) -> bool {
        entry.is_for(registration)
            && match entry.event {
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
    /// The number at which the page ends, which is the `after` of the next page. Every entry above
    /// the query's `after` and up to this number is in the page or was left out.
    ///
    /// If the inbox has entries above `after`, this number is above `after`. It is below `after`
    /// only if `after` is beyond the head. A store that leaves many entries out may end the page
    /// early, even without entries.
    pub through: InboxSeq,
    /// The number of the newest entry of the inbox.
    pub head: InboxSeq,
    /// The number of the newest expired entry; zero if none has expired.
    pub floor: InboxSeq,
    /// The [proof](InboxEntry::proof) of the newest expired entry; `None` if none has expired, or
    /// if it expired before stores kept proofs.
    pub floor_proof: Option<CursorProof>,
}

impl InboxPage {
    /// Returns the page if it ends above `after` or at the head.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] for any other page, because the caller would read the same page
    /// for ever.
    pub(crate) fn require_progress(self, after: InboxSeq) -> Result<Self, StoreError> {
        if self.through < self.head && self.through <= after {
            return Err(StoreError::new(
                StoreErrorKind::Corrupt,
                "a page of the inbox ends where it starts, although there are newer entries",
            ));
        }
        Ok(self)
    }

    /// The gap that starts right after a number; `None` if the next entry has not expired.
    pub(crate) fn gap_after(&self, after: InboxSeq) -> Option<Gap> {
        (self.floor > after).then_some(Gap { from: after.next(), to: self.floor, reason: GapReason::Expired })
    }
}

/// A registered device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// The device's cursor: every entry up to here is acknowledged.
    pub cursor: InboxSeq,
    /// The time at which it was registered.
    pub registered_at: Timestamp,
    /// The number of its registration.
    pub registration: Registration,
}

/// The numbers of entries that are pending for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// The number of messages, from other users and from the user's other devices.
    pub messages: u64,
    /// The number of notices.
    pub notices: u64,
}
