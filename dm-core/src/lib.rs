//! Private one-to-one messages for a chat server: the part that loses nothing, doubles nothing and keeps the order.
//!
//! The server is a blind relay. It stores ciphertext it cannot read in a conversation of two users, puts a pointer to
//! it into both users' **inboxes**, answers the sender after one durable commit, and brings every entry to every
//! device. An inbox is a log numbered 1, 2, 3 …; a device is a cursor into it; what lies after the cursor is pending.
//! There is no second queue for people who are offline, and so nothing to decide about who is.
//!
//! # Embedding it
//!
//! Give it a [`Store`](store::Store), and for each call a [`Principal`] that your server has authenticated:
//!
//! ```
//! use dm_core::{Ciphertext, Delivery, MemoryStore, Principal, SendMessage, Service, Timestamp, UserId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dm = Service::builder(MemoryStore::new()).start()?;
//!
//! // Two people, by their Ed25519 public keys.
//! let ana: UserId = "5866666666666666666666666666666666666666666666666666666666666666".parse()?;
//! let bo: UserId = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022".parse()?;
//! let (ana, bo) = (Principal::from(ana), Principal::from(bo));
//!
//! // Ana opens the conversation and sends what she encrypted. It is durable when this returns.
//! let opened = dm.open_conversation(&ana, bo.user).await?;
//! let ciphertext = Ciphertext::new(b"opaque bytes".as_slice().into(), &[7; 24], None, None)?;
//! let message = SendMessage::new(opened.conversation.id, ciphertext, Timestamp::from_millis(0));
//! let sent = dm.send(&ana, message).await?;
//!
//! // Bo connects, now or in a week: first what is pending, in order, then what happens.
//! let mut session = dm.connect(&bo).await?;
//! let Delivery::Entry(opening) = session.next().await? else { panic!("the conversation comes first") };
//! let Delivery::Entry(entry) = session.next().await? else { panic!("then the message") };
//! assert!(opening.message().is_none());
//! assert_eq!(entry.message().map(|message| message.id), Some(sent.message.id));
//! session.handle().acknowledge(dm_core::AckTarget::UpTo(entry.seq)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `dm-store-sqlite` brings an embedded store on disk, `dm-axum` the REST and WebSocket API as a router to merge into
//! your own, `dm-client` the client's side with its encryption.
//!
//! # In reading order
//!
//! - Who: [`UserId`], [`DeviceId`], [`Principal`]; what the host knows of them: [`Directory`].
//! - What: [`Participants`], [`Conversation`], [`Message`] with its [`Ciphertext`], [`KeyRecord`], [`InboxEntry`].
//! - The service: [`Service`] and its [`Config`]; what can go wrong: [`Error`].
//! - Delivery: [`Session`], from [`Service::connect`]; between nodes, or to sockets of your own: [`notify`].
//! - Storage: [`store`], with the contract of a [`Store`](store::Store); [`Embedded`](store::Embedded) for engines whose
//!   calls block; [`MemoryStore`].
//! - What is passed in besides: [`time`], [`entropy`].
//!
//! # What it leaves to you
//!
//! It has no listener, no runtime of its own, no global state, no log subscriber. It runs on the tokio runtime that
//! [`ServiceBuilder::start`] is called on, tells `tracing` and `metrics` what it does (ids and lengths, never payloads
//! or whole keys), and takes time and randomness from you if you like.

mod config;
mod conversation;
mod device;
mod directory;
mod disconnect;
pub mod entropy;
mod error;
mod hub;
mod ids;
mod inbox;
mod invalid;
mod key;
mod message;
mod notifier;
mod numbers;
mod participants;
mod service;
mod session;
pub mod store;
#[cfg(test)]
mod testing;
pub mod time;
mod user;

pub use config::{AckMode, Config, KeyPolicy};
pub use conversation::{Conversation, ConversationCursor, ConversationState};
pub use device::{DeviceId, Principal};
pub use directory::{Directory, DirectoryError, OpenDirectory, Profile};
pub use disconnect::{DisconnectReason, Disconnected};
pub use error::{Error, Retry};
pub use hub::Hub;
pub use ids::{ClientMessageId, ConversationId, MessageId};
pub use inbox::{Event, Gap, GapReason, InboxEntry, Notice};
pub use invalid::Invalid;
pub use key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
pub use message::{Ciphertext, Message, Suite};
pub use numbers::{InboxSeq, ServerSequence};
pub use participants::Participants;
pub use service::{
    ConversationPage, Expired, Health, Opened, Pending, PendingKind, PendingQuery, SendMessage, Sent,
    Service, ServiceBuilder,
};
pub use session::{Delivery, Session, SessionEnd, SessionHandle};
pub use store::{AckTarget, Acknowledged, Depth, DeviceStart, DeviceState, HistoryRange, MemoryStore};
pub use time::Timestamp;
pub use user::UserId;

/// Hints, and orders to end sessions, on their way to connected clients: for hosts with more than one
/// node, and for hosts that push in a way of their own.
pub mod notify {
    pub use crate::disconnect::{EndSessions, NodeId};
    pub use crate::hub::{Hub, HubWatch, SessionClaim, SessionId, Term};
    pub use crate::inbox::Notification;
    pub use crate::notifier::{EntryHint, Notifier, NotifyError, NullNotifier, Reach};
}
