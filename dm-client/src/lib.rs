//! The client of private one-to-one messages: identities, encryption, REST calls, and a connection
//! to the user's inbox that loses no entry.
//!
//! The server stores and forwards ciphertext that it cannot read. An [`Identity`] is one secret
//! seed. The public key of the identity is the [`UserId`]. Other users encrypt to the [`X25519Key`]
//! that is derived from the user id, so that no server can substitute another key.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use dm_client::{
//!     Client, ConnectionConfig, Content, Event, Identity, KeyTrust, NewMessage, OsEntropy, PeerKey,
//!     Reader, Timeouts, UserId, sign_in,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "http://127.0.0.1:8080";
//! let ana = Arc::new(Identity::load_or_create("ana.identity".as_ref(), &mut OsEntropy)?);
//! let login = sign_in::sign_in(server, &ana, Some("Ana"), None, Timeouts::default()).await?;
//! let client = Client::builder(server).token(login.token).device("laptop".parse()?).build()?;
//! let own_key = client.publish_key(&ana.agreement_key()).await?;
//!
//! // Ana sends a message to Ben. When `send` returns, the message is stored once.
//! let ben: UserId = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse()?;
//! let conversation = client.open_conversation(&ben).await?;
//! let bens_key = PeerKey::from_record(ben, &client.key(&ben).await?, KeyTrust::Derived)?;
//! let mut message = NewMessage::new(conversation.id, bens_key.clone(), b"at noon?");
//! message.own_key_version = own_key.version;
//! client.send(&ana, &message, KeyTrust::Derived).await?;
//!
//! // Ana receives Ben's answers, also after days without a connection.
//! let reader = Reader::new(Arc::clone(&ana));
//! let mut connection = client.connect(ConnectionConfig::default());
//! while let Some(event) = connection.next().await {
//!     let Event::Delivery(delivery) = event else { continue };
//!     if let Content::Message(message) = &delivery.content {
//!         let opened = reader.open(message, &bens_key)?;
//!         println!("{}", String::from_utf8_lossy(&opened.plaintext));
//!     }
//!     // The message is handled, so the server need not deliver it again.
//!     delivery.acknowledge();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Terms
//!
//! - **Inbox**: the log of a user's entries on the server, numbered 1, 2, 3 … An entry is a
//!   message, a new conversation, or a new key of a peer.
//! - **Cursor**: the number up to which a device has acknowledged the entries of its user's inbox.
//!   Later entries are *pending* for the device. The *backlog* of a connection is the entries that
//!   are pending when it is made.
//! - **Gap**: a range of entries that the server has removed, for instance because of their age.
//! - **Suite**: a cipher suite. Its number, the *suite tag*, is sent beside the ciphertext.
//! - **Party**: the sender or the recipient of a message.
//! - **Host**: the program that embeds the server and has the accounts of the users.
//! - **Seal** and **open**: encrypt and decrypt a message.
//!
//! # Guarantees
//!
//! - **A send is stored once.** The client makes the client message id before the first attempt.
//!   Every retry has the same id and the same bytes. See [`Client::send`], and [`Client::deliver`]
//!   for messages that a program keeps on disk.
//! - **Every inbox entry is delivered**, in order, once per [`Connection`]. If the network
//!   connection is lost, the `Connection` connects again and continues after the last
//!   acknowledgement. After a restart of the program, an entry may be delivered again.
//! - **A message that [opens](Reader::open) under suite 1, the default, is authentic**: it is from
//!   this sender, to this recipient, in this conversation, and not a replay of an earlier message.
//! - **A message under suite 0**, which the oldest clients send, proves only that one of the two
//!   parties encrypted it to the other. Its direction, conversation and time are not authenticated.
//!   A [`Reader`] accepts suite 0 from a peer until the peer sends in suite 1. After that, it opens
//!   suite 0 only with [`Reader::open_downgraded`].
//! - Waits, queues, answers and frames have limits. A program can replace the sources of time and
//!   randomness, [`Clock`] and [`Entropy`]. There is no global state. No error and no `Debug`
//!   output contains a token, a secret key or a plaintext.
//!
//! There is **no forward secrecy**: an attacker who gets a user's seed can read the user's earlier
//! messages. The server sees the parties, the times and the lengths of messages; see [`suite`].
//!
//! # Modules and types in reading order
//!
//! - Users and keys: [`Identity`] and its file; [`UserId`] and [`X25519Key`]; [`PeerKey`] and
//!   [`KeyTrust`], which decide which key of a peer is trusted.
//! - Encryption: [`suite`], which works without a server. The folder `vectors` of this crate has
//!   test vectors for clients in any language.
//! - Calls: [`Client`] and [`ClientError`]; [`sign_in`] for the reference host.
//! - Sending: [`NewMessage`], [`OutgoingMessage`], [`RetryPolicy`]. Receiving: [`Connection`],
//!   [`Reader`].
//!
//! # Types that share their names with `dm-core`
//!
//! [`UserId`], [`DeviceId`], [`ConversationId`], [`MessageId`], [`ClientMessageId`],
//! [`ServerSequence`], [`InboxSeq`], [`KeyVersion`], [`X25519Key`], [`Timestamp`], [`DeviceStart`]
//! and [`AckTarget`] have the names and the meaning of the types in `dm-core`. They are types of
//! this crate, for three reasons:
//!
//! - A [`UserId`] and an [`X25519Key`] of this crate are always checked. `dm-core` has constructors
//!   that skip the check, for stores. A program that uses such a constructor in a client could
//!   encrypt to a forged key.
//! - They have methods that only a client needs, to verify signatures, derive keys and make ids.
//! - A client needs neither the service nor the stores nor the metrics of `dm-core`, which would add
//!   five crates to its dependencies. It is compatible with a server by the wire format alone.
//!
//! [`Suite`] is different: it lists the cipher suites, while the type of this name in `dm-core` is
//! the tag of a suite.
//!
//! # Feature
//!
//! `tls` enables `https` and `wss`, with the platform's certificate verifier. Without this feature,
//! a client for an `https` address fails with [`ClientError::NoTls`].

mod client;
mod connection;
mod conversation;
mod device;
mod entropy;
mod error;
mod http;
mod identity;
mod ids;
mod inbox;
mod keys;
mod message;
mod numbers;
mod outgoing;
mod reader;
mod record;
mod retry;
pub mod sign_in;
pub mod suite;
mod time;
mod wire;

pub use client::{Client, ClientBuilder};
pub use connection::{
    Connection, ConnectionConfig, ConnectionState, Content, Delivery, DeviceStart, End, Event, Lost, Receipt,
};
pub use conversation::{Conversation, ConversationPage, Participant};
pub use device::{DeviceId, InvalidDeviceId};
pub use entropy::{Entropy, EntropyError, OsEntropy};
pub use error::{ClientError, Problem, Retry};
pub use http::Timeouts;
pub use identity::{Identity, IdentityFileError};
pub use ids::{ClientMessageId, ConversationId, InvalidId, MessageId};
pub use inbox::{AckTarget, Acknowledged, DeviceState, Gap, PendingPage, Ticket};
pub use keys::{InvalidKey, InvalidSignature, KeyVersion, UserId, X25519Key};
pub use message::{HistoryPage, HistoryRange, Message, Stored};
pub use numbers::{InboxSeq, ServerSequence};
pub use outgoing::{NewMessage, OutgoingMessage};
pub use reader::{ReadError, Reader};
pub use record::{KeyRecord, KeyTrust, PeerKey, UntrustedKey};
pub use retry::RetryPolicy;
pub use suite::{Context, Header, KeyVersions, Suite};
pub use time::{Clock, Sleep, SystemClock, Timestamp};
