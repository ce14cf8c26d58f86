//! Private one-to-one messages for a chat server: no accepted message is lost, stored twice or
//! delivered out of order.
//!
//! The server is a blind relay: it stores ciphertext that it cannot read. A message is stored in a
//! conversation of two users, and each of the two users gets an entry for it in their **inbox**.
//! The sender is answered after one durable commit, and every device of both users gets the entry.
//!
//! An inbox is a log per user, numbered 1, 2, 3 … A device has a cursor into it, and everything
//! after the cursor is pending for that device. This also serves users who are offline: there is no
//! second queue for them, and no step in which the server decides who is offline.
//!
//! # Embedding it
//!
//! Start a [`Service`] on a [`Store`](store::Store). Each call takes the [`Principal`] that your
//! server has authenticated:
//!
//! ```
//! use dm_core::{
//!     Ciphertext, Delivery, MemoryStore, Principal, SendMessage, Service, Timestamp, UserId,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dm = Service::builder(MemoryStore::new()).start()?;
//!
//! // Two users, named by their Ed25519 public keys.
//! let ana: UserId = "5866666666666666666666666666666666666666666666666666666666666666".parse()?;
//! let bo: UserId = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022".parse()?;
//! let (ana, bo) = (Principal::from(ana), Principal::from(bo));
//!
//! // Ana opens the conversation and sends a ciphertext. It is durable when `send` returns.
//! let opened = dm.open_conversation(&ana, bo.user).await?;
//! let ciphertext = Ciphertext::new(b"opaque bytes".as_slice().into(), &[7; 24], None, None)?;
//! let message = SendMessage::new(opened.conversation.id, ciphertext, Timestamp::from_millis(0));
//! let sent = dm.send(&ana, message).await?;
//!
//! // Bo connects, now or in a week: all pending entries are delivered in order, then new ones.
//! let mut session = dm.connect(&bo).await?;
//! let Delivery::Entry(opening) = session.next().await? else { panic!("no notice") };
//! let Delivery::Entry(entry) = session.next().await? else { panic!("no message") };
//! assert!(opening.message().is_none());
//! assert_eq!(entry.message().map(|message| message.id), Some(sent.message.id));
//! session.handle().acknowledge(dm_core::AckTarget::UpTo(entry.seq)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `dm-store-sqlite` is an embedded store on disk. `dm-axum` has the REST and WebSocket API as a
//! router to merge into your own. `dm-client` is the client's side, with the encryption.
//!
//! # Modules and types in reading order
//!
//! - Users: [`UserId`], [`DeviceId`], [`Principal`]. The host's accounts: [`Directory`].
//! - Data: [`Participants`], [`Conversation`], [`Message`] with its [`Ciphertext`], [`KeyRecord`],
//!   [`InboxEntry`].
//! - The service: [`Service`] and its [`Config`]. The errors of its calls: [`Error`].
//! - Small facts beside the messages, of which features are made: [`record`].
//! - Delivery to a client: [`Session`], from [`Service::connect`].
//! - Delivery between nodes, or to sockets of your own: [`notify`].
//! - Storage: [`store`], with the contract of a [`Store`](store::Store),
//!   [`Embedded`](store::Embedded) for engines whose calls block, and [`MemoryStore`].
//! - Time and randomness, which the host can replace: [`time`], [`entropy`].
//!
//! # Terms
//!
//! - **Inbox**: the log of one user. Its **entries** are numbered 1, 2, 3 … ([`InboxSeq`]). An
//!   entry is about a message, or it is a **notice** of another event ([`Notice`]).
//! - **Device**: one of a user's clients, named by a [`DeviceId`]. Each device has its own cursor.
//! - **Cursor**: the number up to which a device has acknowledged every entry. (A
//!   [`ConversationCursor`] is a position in a list of conversations.)
//! - **Pending**: not yet acknowledged by a device, and not caused by it.
//! - **Own entry**: an entry that the device itself caused, for instance by sending a message
//!   ([`InboxEntry::origin`]).
//! - **Head**: the number of the newest entry of an inbox, or of the newest message of a
//!   conversation. Zero before the first.
//! - **Floor**: the number of the newest expired entry of an inbox. Zero if none has expired.
//!   Entries **expire** when they are older than [`Config::inbox_retention`].
//! - **Gap**: a range of expired entries that a device has not acknowledged ([`Gap`]).
//! - **Hint**: a notification that an inbox has a new entry ([`notify::Notification`]). It may be
//!   lost, repeated or late.
//! - **Session**: the stream of entries to one connected client ([`Session`]). A **follower** is a
//!   session from [`Service::follow`], which starts after the newest entry and registers no device.
//! - **Window**: the maximum number of unacknowledged deliveries of a session ([`Config::window`]).
//! - **Batch**: the writes that one commit applies.
//! - **Lane**: a task that commits batches, one after the other. A service has
//!   [`Store::lanes`](store::Store::lanes) of them.
//! - **Node**: one process of a host. Several nodes may share a store.
//! - **Record**: a small fact beside the messages, with an owner, a kind and a name
//!   ([`record::Record`]). Features are made of records.
//! - **Tag**: the state of a record, as its writer named it ([`record::Tag`]). A write can require
//!   the tag that a record has.
//! - **Fence**: the record of a user or a conversation whose tag a send can require
//!   ([`record::Kind::FENCE`]).
//! - **Gate**: what lets the messages of a pair of users, or of one user, through or refuses them
//!   ([`store::Gate`]).
//! - **Revision**: the number of a change of a user's synced records ([`Revision`]).
//! - **Registration**: the number that a device gets when it is registered ([`Registration`]).
//! - **Job**: work that a record stands for until it is done, such as telling all peers of a new
//!   key. Any node may do it.
//! - **Suite**: the encryption scheme of a message, as its sender names it ([`Suite`]).
//! - **Seed**: the first server of this kind, whose clients are still served. **Seed clients** have
//!   no devices and no cursors.
//!
//! # Left to the host
//!
//! The library has no listener, no runtime of its own, no global state and no log subscriber. It
//! runs on the tokio runtime on which [`ServiceBuilder::start`] is called. It reports to `tracing`
//! and `metrics`: ids and lengths, never payloads or whole keys.

mod config;
mod conversation;
mod counts;
mod device;
mod directory;
mod disconnect;
pub mod entropy;
mod error;
mod hub;
mod ids;
mod inbox;
mod invalid;
mod job;
mod key;
mod message;
mod notifier;
mod numbers;
mod participants;
mod proof;
pub mod record;
mod service;
mod session;
pub mod store;
#[cfg(test)]
mod testing;
pub mod time;
mod user;

pub use config::{AckMode, Config, KeyPolicy};
pub use conversation::{Conversation, ConversationCursor, ConversationState};
pub use counts::{Counts, SideCounts};
pub use device::{DeviceId, Principal};
pub use directory::{Directory, DirectoryError, OpenDirectory, Profile};
pub use disconnect::{DisconnectReason, DisconnectReport};
pub use error::{Error, Retry};
pub use hub::Hub;
pub use ids::{ClientMessageId, ConversationId, MessageId};
pub use inbox::{Event, Gap, GapReason, InboxEntry, Notice, OtherNotice};
pub use invalid::Invalid;
pub use key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
pub use message::{Ciphertext, Message, Suite};
pub use numbers::{InboxSeq, Registration, Revision, SenderSequence, ServerSequence};
pub use participants::Participants;
pub use proof::CursorProof;
pub use service::{
    ConversationPage, Expired, Health, Opened, Pending, PendingKind, PendingQuery, SendMessage, Sent,
    Service, ServiceBuilder,
};
pub use session::{Delivery, Session, SessionEnd, SessionHandle};
pub use store::{AckTarget, Acknowledged, Depth, DeviceStart, DeviceState, HistoryRange, MemoryStore};
pub use time::Timestamp;
pub use user::UserId;

/// The types that pass hints, and requests to end sessions, to connected clients: for hosts with
/// more than one node, and for hosts that deliver entries by code of their own.
pub mod notify {
    pub use crate::disconnect::{EndSessions, NodeId};
    pub use crate::hub::{Hub, HubWatch, SessionClaim, SessionId, Term};
    pub use crate::inbox::Notification;
    pub use crate::notifier::{Notifier, NotifyError, NullNotifier, Reach, SeqHint};
}
