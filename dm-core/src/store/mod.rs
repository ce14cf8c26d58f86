//! The storage seam: [`Store`], what goes in and out of it, and the types that it speaks of. An author of a store needs
//! `use dm_core::store::*` and little else.

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

// The types that the contract speaks of, so that a store needs one import.
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

/// Keeps everything: implemented by storage authors.
///
/// For an engine that is an ordered map of bytes to bytes there is `dm-store-kv`, which asks for little more than
/// looking up, walking and inserting. For others, `dm_conformance::guide` builds a store step by step.
///
/// An engine whose calls block implements [`EngineWriter`] and [`EngineReader`] instead and is adapted by
/// [`Embedded`], which brings the threads.
///
/// # Contract
///
/// *Commit*
/// 1. **Atomic.** [`commit`](Store::commit) applies its writes in order, as one transaction. `Ok`
///    means all of it; `Err` means that nothing of the batch is visible, now or after reopening.
///    The one exception is [`OutcomeUnknown`](crate::store::StoreErrorKind::OutcomeUnknown): all of the
///    batch is there, or nothing of it, and which of the two stays so. After it an embedded store
///    refuses all work until it is reopened, by itself as
///    [`Unavailable`](crate::store::StoreErrorKind::Unavailable), or by the host as
///    [`Closed`](crate::store::StoreErrorKind::Closed).
/// 2. **Durable.** After `Ok`, every handle reads the batch and a power cut does not undo it.
/// 3. **Aligned.** Outcome *i* answers write *i*, each with the variant its write documents.
/// 4. **Refusals stand alone.** A write that cannot be done changes nothing, answers [`Outcome::Refused`] and leaves
///    its neighbours as they are. A write sees what earlier writes of its batch did.
/// 5. **Unknown writes.** A kind of write the store does not know is refused as [`Refusal::Unsupported`].
/// 6. **Concurrent.** Commits from other tasks, other lanes and, where the engine allows them, other processes are
///    safe, and the other clauses hold across them.
///
/// *Numbers*
///
/// 7. **Dense.** [`ServerSequence`] per conversation and [`InboxSeq`] per user
///    start at 1 and have no holes in commit order.
/// 8. **Never reused**, not after deletion, expiry or reopening.
/// 9. **Visible in order.** A reader never sees entry *n + 1* of a log before *n*.
///
/// *Writes* — each is described at its type in [`Write`]; the points a store gets wrong most easily:
///
/// 10. **One conversation per pair**, whoever opens it, however often and from how many nodes at once.
/// 11. **Idempotent append.** The same sender and client id with the same content answers with the first message and
///     its numbers and changes nothing; with different content it is refused. This check comes before the check of
///     the key version, because the repeat of an accepted send must not be refused for what happened since.
/// 12. **No stale key.** A message that names a key version is stored only if that is the recipient's current version
///     at its commit.
/// 13. **Three rows.** An appended message is in its conversation and in both inboxes, or in none.
/// 14. **Acknowledging** removes from what is pending for one device exactly what was named, and what [`Acknowledge`]
///     says goes with it, is idempotent, and never touches another device's state. Nothing beyond the newest entry can
///     be acknowledged.
/// 15. **Expiry** removes a prefix of an inbox, only entries queued before the given time, and remembers how far it
///     went; messages stay in their conversation.
///
/// *Reads*
///
/// 16. **Pages.** Cursors are exclusive, and pages are bounded by count and by bytes; a page holds
///     at least one item when there is one, however large. A page of an inbox may end before that,
///     as [`InboxPage::through`] says, so that one read walks a bounded stretch; a stretch that is
///     passed over costs no read of its messages.
/// 17. **Consistent.** One read answers from one state of the store, no older than the last commit that returned
///     before it was called.
/// 18. **Foreign conversations** read exactly as missing ones.
///
/// # Cancel safety
/// Dropping the future of [`commit`](Store::commit) does not split a batch: it happens in full or not at all.
/// Reads may be dropped at any time.
///
/// # Futures that are held
/// A store's futures may hold permits and connections while they wait. The service polls each of
/// them in a task until it is done or dropped. Code that calls a store directly has to do the same:
/// a future that is held without being polled may hold up the calls of others.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch; see clauses 1 to 6.
    ///
    /// # Errors
    /// When the batch as a whole could not be applied.
    async fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// A user's current key.
    async fn key(&self, user: UserId) -> Result<Option<KeyRecord>, StoreError>;

    /// A conversation, whoever asks.
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError>;

    /// A page of a user's conversations in the order of [`ConversationCursor`].
    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ConversationState>, StoreError>;

    /// A page of a conversation's messages; `None` when there is no such conversation for the reader.
    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError>;

    /// A page of a user's inbox as one of their devices sees it.
    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError>;

    /// The number of the newest entry of each user's inbox, held or expired; zero for a user without
    /// entries. Number *i* is that of user *i*, who may stand there more than once. Each is no older
    /// than clause 17 says; those of different users may be of different moments. Sessions that heard
    /// nothing for a while ask this, all that ask at about the same time with one call.
    ///
    /// The default asks [`inbox`](Store::inbox) for each; a store that finds the numbers without
    /// the entries, or all with one statement, overrides it.
    async fn inbox_heads(&self, users: Vec<UserId>) -> Result<Vec<InboxSeq>, StoreError> {
        let mut heads = Vec::with_capacity(users.len());
        for user in users {
            heads.push(self.inbox(InboxQuery::of_head(user)).await?.head);
        }
        Ok(heads)
    }

    /// A user's devices, oldest registration first.
    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError>;

    /// How much is pending for a device of a user, own entries left out. For a device that is not registered that is
    /// everything still held. Cost may grow with the answer.
    async fn depth(&self, query: Principal) -> Result<Depth, StoreError>;

    /// What the store says of its condition, from memory: it must not block, and any probe may ask.
    fn status(&self) -> StoreStatus {
        StoreStatus::default()
    }

    /// How many commits may run at once to some gain. The messages of one conversation stay in one
    /// lane, and so do the other writes of one user, but for opening conversations.
    fn lanes(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}
