//! [`Store`], the trait of the storage, with its inputs, its outputs and the types that it uses. An
//! author of a store needs `use dm_core::store::*` and little else. The front page of the crate
//! explains the [terms](crate#terms), such as head and floor.

mod apply;
mod batch_rows;
mod decisions;
mod embedded;
mod error;
mod gate;
mod memory;
mod read;
mod refusal;
mod scan;
mod status;
mod write;

pub use batch_rows::{BatchRows, Prepared, Revisions, Stop};
pub use decisions::{AckDecision, AckState};
pub use embedded::{Embedded, EmbeddedBuilder, EmbeddedStore, EngineReader, EngineWriter};
pub use error::{StoreError, StoreErrorKind};
pub use gate::{Ceiling, Gate, GateChange, Update, UserGate, UserGateChange};
pub use memory::MemoryStore;
pub use read::{
    ConversationOrder, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, HistoryRange,
    InboxPage, InboxQuery, ListedConversation, OwnEntries,
};
pub use refusal::{CurrentRecord, GateRefusal, Refusal};
pub use scan::{Scan, ScanPage, ScanQuery};
pub use status::{Availability, Durability, Room, StoreStatus};
pub use write::{
    AckTarget, Acknowledge, Acknowledged, Action, Answer, AppendMessage, Appended, Change, DeviceStart, Done,
    Expect, Expire, ForgetDevice, OpenConversation, Outcome, Party, Post, Put, RegisterDevice, Registered,
    Write,
};

// The domain types that the contract uses, so that a store needs one import.
pub use crate::conversation::{Conversation, ConversationCursor, ConversationState};
pub use crate::counts::{Counts, SideCounts, UnknownCounts};
pub use crate::device::{DeviceId, Principal};
pub use crate::ids::{ClientMessageId, ConversationId, MessageId};
pub use crate::inbox::{Event, InboxEntry, Notice, Notification, OtherNotice, UnknownNotice};
pub use crate::invalid::Invalid;
pub use crate::job::key_announcement;
pub use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
pub use crate::message::{Ciphertext, Message, Suite};
pub use crate::numbers::{InboxSeq, Registration, Revision, SenderSequence, ServerSequence};
pub use crate::participants::{Participants, Side};
pub use crate::proof::CursorProof;
pub use crate::record::{Kind, Name, Owner, Prefix, Record, RecordKey, Tag};
pub use crate::time::Timestamp;
pub use crate::user::UserId;

use std::num::NonZeroUsize;

use async_trait::async_trait;

/// The storage of a service. Authors of stores implement this trait.
///
/// There are three ways to implement it:
///
/// - For an engine that is an ordered map of bytes to bytes, use `dm-store-kv`. This is by far the
///   shortest way: the engine needs little more than a lookup, an iterator and an insertion.
/// - An engine whose calls block implements [`EngineWriter`] and [`EngineReader`] and is adapted by
///   [`Embedded`], which runs the calls on threads of its own.
/// - Any other engine implements this trait. `dm_conformance::guide` builds such a store step by
///   step.
///
/// # Contract
///
/// Version 2.
///
/// *Commit*
/// 1. **Atomic.** [`commit`](Store::commit) applies its writes in order, as one transaction. `Ok`
///    means that all of the batch is stored; `Err` means that nothing of it is visible, now or
///    after reopening. The one exception is
///    [`OutcomeUnknown`](crate::store::StoreErrorKind::OutcomeUnknown): either all of the batch is
///    stored or nothing of it, and this does not change later. After this error an embedded store
///    refuses all work until it is reopened. The error of refused calls is
///    [`Unavailable`](crate::store::StoreErrorKind::Unavailable) if the store reopens itself, and
///    [`Closed`](crate::store::StoreErrorKind::Closed) if the host has to reopen it.
/// 2. **Durable.** After `Ok`, every handle reads the batch and a power cut does not undo it.
/// 3. **Aligned.** Outcome *i* answers write *i*, with the [`Answer`] that is documented at the
///    action.
/// 4. **Refusals stand alone.** A write that cannot be done changes nothing, answers
///    [`Outcome::Refused`] and does not affect the other writes of its batch. A write sees the
///    changes of earlier writes of its batch.
/// 5. **Unknown actions.** A kind of action that the store does not know is refused as
///    [`Refusal::Unsupported`].
/// 6. **Concurrent.** Commits may run at the same time in several tasks, in several
///    [lanes](Store::lanes) and, if the engine allows it, in several processes. The other clauses
///    hold across them.
///
/// *Numbers*
///
/// 7. **Dense.** The [`ServerSequence`] of each conversation, the [`SenderSequence`] of each sender
///    in it, and the [`InboxSeq`], the [`Revision`] and the [`Registration`] of each user start at
///    1 and have no holes in the order of commits.
/// 8. **Never reused.** No number is given twice, not even after deletion, expiry or reopening.
/// 9. **Visible in order.** A reader never sees entry *n + 1* of a log before *n*, nor revision
///    *n + 1* of a user before *n*.
///
/// *Actions*. The types in [`Action`] describe each action in full. These clauses are the points
/// that stores most easily get wrong:
///
/// 10. **One conversation per pair.** A pair of users has at most one conversation. It does not
///     matter who opens it, how often, and on how many nodes at the same time.
/// 11. **Idempotent append.** An append with the same sender, client id and content returns the
///     first message and its numbers, and changes nothing. With different content it is refused.
/// 12. **Three rows.** An appended message is in its conversation and in both inboxes, or in none
///     of the three.
/// 13. **Counts.** A message counts for its sender, by [`Counts::after_message`]. The
///     [counts](ConversationState::counts) of a conversation are those of its newest message.
/// 14. **Acknowledgements.** An acknowledgement removes entries from the pending entries of one
///     device: the named ones, and those that the cursor passes (rules in [`Acknowledge`]). It
///     removes no others. It is idempotent and never changes another device's state. No entry
///     beyond the newest can be acknowledged.
/// 15. **Expiry.** Expiry removes the oldest entries of an inbox. It never removes an entry that
///     was appended at the given time or later, nor an entry that follows such an entry. The store
///     keeps the number and the proof of the newest removed entry. Messages stay in their
///     conversation.
///
/// *Conditions and effects*. [`Write::apply`] has these rules for a store that implements
/// [`BatchRows`].
///
/// 16. **Order of checks.** A write is checked in this order: the write is [valid](Write::validate);
///     what its action names exists; the action was done before; the gates; the conditions, in
///     their order; the addressees of its posts and the number of records that it clears. The first
///     check that fails is the one that the refusal names. The first change comes after the last
///     check. Then come the action, the changes in their order, and the posts in their order.
/// 17. **Found is not done again.** A write that was done before ([`Done::is_found`]) answers as the
///     first time and changes nothing, whatever its conditions are now: none of its changes is
///     made, and none of its posts. This holds for a repeated send, an open conversation, a
///     registered device, a device that is not registered and is to be forgotten, and a write
///     without an action whose first put or raised record is there already with tag and value.
/// 18. **Conditions.** A write whose conditions are not all met is refused as [`Refusal::Unmet`],
///     with the first one that is not met and the present record. A condition sees every commit
///     that returned before, from whatever handle.
/// 19. **Fences.** The fence of a user or a conversation is its record of the kind
///     [`Kind::FENCE`] with the empty name. A write that names a fence is done only if the fence
///     has the named tag at its commit.
/// 20. **Gates.** A message or a new conversation passes the gate of the pair and those of both
///     users ([`Gate`], [`UserGate`]), as they are at its commit. The gate of a pair holds also if
///     it was set before the pair had a conversation.
/// 21. **Records.** A put record is read back with its value, tag and due time, in place of the one
///     with its key. A raised record never becomes smaller. A deleted, cleared or taken record is
///     gone, and others stay. A record is taken once.
/// 22. **Revisions.** Each put of a synced record takes the next revision of its user. The records
///     since a revision are all that changed after it, each once, as it is now. The floor of
///     revisions tells of removed records, by the rules in [`Change::Delete`].
/// 23. **Posts.** A post is an entry of its inbox like any other. An entry that is addressed to a
///     registration is pending for that device only, and not for a device that is registered under
///     its name later. The cursors of the user's other devices pass over it as over own entries.
/// 24. **Bounds.** A write beyond the limits of [`Write`], [`Expect`] and [`Change`] is refused as
///     [`Refusal::Invalid`] or [`Refusal::TooManyRecords`].
///
/// *Reads*
///
/// 25. **Pages.** Cursors are exclusive: the item at the cursor is not in the page. Pages are
///     limited by count and by bytes. A page has at least one item if there is one, however large.
///     Only a page of an inbox may end earlier, even without entries, so that one read walks a
///     bounded number of entries (see [`InboxPage::through`]). The store does not read the messages
///     of entries that it leaves out.
/// 26. **Consistent.** A read sees one state of the store. That state includes every commit that
///     returned before the read started.
/// 27. **Foreign conversations.** A user who is not in a conversation gets the same answers as if
///     it did not exist.
/// 28. **Lists.** A list of conversations has the order that the query names, and with each
///     conversation the records of the named kinds, from the same state as the list.
/// 29. **Scans.** A [scan](Store::scan) returns exactly the records that it names, in its order. A
///     record that is due no more, or later, is not found under its earlier due time.
///
/// # Cancel safety
/// A batch whose [`commit`](Store::commit) future is dropped happens in full or not at all. The
/// future of a read may be dropped at any time.
///
/// # Futures that are held
/// A store's future may hold a permit or a connection while it waits. A future that is held without
/// being polled may therefore block the calls of others. The service polls each future in a task of
/// its own until it is done or dropped. Code that calls a store directly has to do the same.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch: outcome *i* answers write *i*. See clauses 1 to 6.
    ///
    /// # Errors
    /// [`StoreError`] when the batch as a whole was not applied, or, as
    /// [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown), may not have been. A write that cannot
    /// be done is answered with [`Outcome::Refused`], which is no error.
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// The records with some keys. Item *i* belongs to key *i*; `None` if there is no such record. A
    /// key may be listed more than once.
    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError>;

    /// A page of records.
    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError>;

    /// A conversation; `None` when there is none with this id. The store does not check who asks.
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;

    /// A page of a user's conversations, with the records that the query names.
    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError>;

    /// A page of a conversation's messages; `None` when there is no such conversation, or the
    /// reader is not in it.
    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;

    /// A page of a user's inbox as one of the user's devices sees it.
    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;

    /// The number of the newest entry of each user's inbox, even if that entry has expired; zero
    /// for a user without entries. Number *i* belongs to user *i*. A user may be listed more than
    /// once.
    ///
    /// Each number is as new as clause 26 requires, but the numbers of different users may come
    /// from different states of the store. The service calls this for sessions that wait for a
    /// hint, because every hint may have been lost. One call serves all sessions that ask at about
    /// the same time.
    ///
    /// The default calls [`inbox`](Store::inbox) for each user. A store overrides this method if it
    /// can find a number without reading entries, or all numbers with one statement.
    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        let mut heads = Vec::with_capacity(users.len());
        for user in users {
            heads.push(self.inbox(InboxQuery::for_head(user)).await?.head);
        }
        Ok(heads)
    }

    /// A user's devices, oldest registration first.
    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;

    /// The number of entries that are pending for a device. Entries that the device caused do not
    /// count. For a device that is not registered, the count starts at the oldest entry still kept.
    /// The time of the call may grow with the count.
    async fn depth(&self, query: Principal) -> Result<Depth, StoreError>;

    /// The condition of the store. The call must read memory only and must not block, because
    /// health probes make it at any time.
    fn status(&self) -> StoreStatus {
        StoreStatus::default()
    }

    /// The number of commits that should run at the same time. The service starts this number of
    /// lanes. A lane is a task that commits batches, one after the other. Default: 1.
    ///
    /// All messages of one conversation go through the same lane. The same holds for all openings
    /// of one pair's conversation, and for all other writes of one user. Besides these lanes the
    /// service has one for [jobs](crate#terms), so that a batch of posts never holds up sends.
    fn lanes(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}
