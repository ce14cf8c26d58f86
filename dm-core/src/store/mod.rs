//! The storage trait [`Store`], its inputs and outputs, and the types that it uses. An author of a
//! store needs `use dm_core::store::*` and little else.

mod decisions;
mod embedded;
mod error;
mod memory;
mod read;
mod status;
mod write;

pub use decisions::{AckDecision, AckState};
pub use embedded::{Embedded, EmbeddedBuilder, EmbeddedStore, EngineReader, EngineWriter};
pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use read::{
    ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, HistoryRange, InboxPage, InboxQuery,
    OwnEntries,
};
pub use status::{Availability, Durability, Room, StoreStatus};
pub use write::{
    AckTarget, Acknowledge, Acknowledged, AnnounceKeys, AppendMessage, Appended, DeviceStart, Expire,
    ForgetDevice, OpenConversation, Outcome, PublishKey, Refusal, RegisterDevice, Write,
};

// The domain types that the contract uses, so that a store needs one import.
pub use crate::conversation::{Conversation, ConversationCursor, ConversationState};
pub use crate::device::{DeviceId, Principal};
pub use crate::ids::{ClientMessageId, ConversationId, MessageId};
pub use crate::inbox::{Event, InboxEntry, Notice, Notification, UnknownNotice};
pub use crate::invalid::Invalid;
pub use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
pub use crate::message::{Ciphertext, Message, Suite};
pub use crate::numbers::{InboxSeq, ServerSequence};
pub use crate::participants::{Participants, Side};
pub use crate::time::Timestamp;
pub use crate::user::UserId;

use std::num::NonZeroUsize;

use async_trait::async_trait;

/// The storage of a service: implemented by storage authors.
///
/// There are three ways to implement it:
///
/// - For an engine that is an ordered map of bytes to bytes, use `dm-store-kv`. It is by far the
///   shortest way: the engine offers little more than looking up, walking and inserting.
/// - An engine whose calls block implements [`EngineWriter`] and [`EngineReader`] and is adapted by
///   [`Embedded`], which runs the calls on threads of its own.
/// - Any other engine implements this trait. `dm_conformance::guide` builds such a store step by
///   step.
///
/// # Contract
///
/// *Commit*
/// 1. **Atomic.** [`commit`](Store::commit) applies its writes in order, as one transaction. `Ok`
///    means that all of the batch is stored; `Err` means that nothing of it is visible, now or
///    after reopening. The one exception is
///    [`OutcomeUnknown`](crate::store::StoreErrorKind::OutcomeUnknown): either all of the batch is
///    stored or nothing of it, and this does not change later. After it an embedded store refuses
///    all work until it is reopened: as [`Unavailable`](crate::store::StoreErrorKind::Unavailable)
///    if it reopens itself, as [`Closed`](crate::store::StoreErrorKind::Closed) if the host has to
///    reopen it.
/// 2. **Durable.** After `Ok`, every handle reads the batch and a power cut does not undo it.
/// 3. **Aligned.** Outcome *i* answers write *i*, with the variant that is documented at the write.
/// 4. **Refusals stand alone.** A write that cannot be done changes nothing, answers
///    [`Outcome::Refused`] and does not affect the other writes of its batch. A write sees the
///    changes of earlier writes of its batch.
/// 5. **Unknown writes.** A kind of write that the store does not know is refused as
///    [`Refusal::Unsupported`].
/// 6. **Concurrent.** Commits from other tasks, other lanes and, where the engine allows them,
///    other processes are safe, and the other clauses hold across them.
///
/// *Numbers*
///
/// 7. **Dense.** [`ServerSequence`] per conversation and [`InboxSeq`] per user
///    start at 1 and have no holes in commit order.
/// 8. **Never reused.** No number is given twice, not even after deletion, expiry or reopening.
/// 9. **Visible in order.** A reader never sees entry *n + 1* of a log before *n*.
///
/// *Writes*. The type of each write, in [`Write`], describes it. The points that stores get wrong
/// most easily:
///
/// 10. **One conversation per pair**, whoever opens it, however often and from how many nodes at
///     once.
/// 11. **Idempotent append.** The same sender and client id with the same content answers with the
///     first message and its numbers and changes nothing; with different content it is refused.
///     This check comes before the check of the key version, because the repeat of an accepted send
///     must not be refused if the key has changed since.
/// 12. **No stale key.** A message that names a key version is stored only if that is the
///     recipient's current version at its commit.
/// 13. **Three rows.** An appended message is in its conversation and in both inboxes, or in none.
/// 14. **Acknowledging** removes from the pending entries of one device exactly the named ones, and
///     those over which [`Acknowledge`] says that the cursor advances. It is idempotent and never
///     changes another device's state. No entry beyond the newest can be acknowledged.
/// 15. **Expiry** removes a prefix of an inbox, only entries appended before the given time, and
///     keeps the number of the newest removed entry. Messages stay in their conversation.
///
/// *Reads*
///
/// 16. **Pages.** Cursors are exclusive, and pages are bounded by count and by bytes; a page holds
///     at least one item when there is one, however large. A page of an inbox may end before that,
///     as [`InboxPage::through`] says, so that one read walks a bounded number of entries; entries
///     that are left out cost no read of their messages.
/// 17. **Consistent.** One read answers from one state of the store, no older than the last commit
///     that returned before it was called.
/// 18. **Foreign conversations.** A user who is not in a conversation gets the same answers as if
///     it did not exist.
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
    /// be done is no error but [`Outcome::Refused`].
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// A user's current key; `None` when the user has published none.
    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError>;

    /// A conversation, without a check of who asks; `None` when there is none with this id.
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;

    /// A page of a user's conversations, in the order of [`ConversationCursor`].
    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError>;

    /// A page of a conversation's messages; `None` when there is no such conversation, or the
    /// reader is not in it.
    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;

    /// A page of a user's inbox as one of the user's devices sees it.
    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;

    /// The number of the newest entry of each user's inbox, kept or expired; zero for a user
    /// without entries. Number *i* is that of user *i*; a user may be listed more than once. Each
    /// number is as new as clause 17 asks; numbers of different users may come from different
    /// states of the store. Sessions that have had no hint for a while ask this: one call for all
    /// sessions that ask at about the same time.
    ///
    /// The default calls [`inbox`](Store::inbox) for each user. A store overrides it if it finds
    /// the numbers without reading entries, or all of them with one statement.
    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        let mut heads = Vec::with_capacity(users.len());
        for user in users {
            heads.push(self.inbox(InboxQuery::of_head(user)).await?.head);
        }
        Ok(heads)
    }

    /// A user's devices, oldest registration first.
    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;

    /// The number of entries pending for a device, without those that it caused. For a device that
    /// is not registered, every entry still kept counts. The cost may grow with the numbers.
    async fn depth(&self, query: Principal) -> Result<Depth, StoreError>;

    /// The condition of the store. It is answered from memory and must not block, because any
    /// health probe may ask.
    fn status(&self) -> StoreStatus {
        StoreStatus::default()
    }

    /// The number of commits that are worth running at the same time: the service writes with so
    /// many lanes. All messages of one conversation go through one lane. All other writes of one
    /// user go through one lane, except the opening of conversations.
    fn lanes(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}
