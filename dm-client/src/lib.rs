//! The client's side of private one-to-one messages: keys, encryption, and a line that loses nothing.
//!
//! The server relays what it cannot read. An [`Identity`] is one secret seed; a user is named by its [`PublicKey`],
//! and others encrypt to the [`AgreementKey`] that follows from it, so that no server can slip in another.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use dm_client::{
//!     Client, ConnectionConfig, Content, Event, Identity, KeyTrust, NewMessage, OsEntropy, PeerKey, PublicKey,
//!     Reader, Timeouts, sign_in,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "http://127.0.0.1:8080";
//! let ana = Arc::new(Identity::load_or_create("ana.identity".as_ref(), &mut OsEntropy)?);
//! let session = sign_in::sign_in(server, &ana, Some("Ana"), None, Timeouts::default()).await?;
//! let client = Client::builder(server).token(session.token).device("laptop".parse()?).build()?;
//! let own_key = client.publish_key(&ana.agreement_key()).await?;
//!
//! // Ana writes to Ben. When `send` returns, the message is stored, once, whatever happened on the way.
//! let ben: PublicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse()?;
//! let conversation = client.open_conversation(&ben).await?;
//! let bens_key = PeerKey::from_record(ben, &client.key(&ben).await?, KeyTrust::Derived)?;
//! let mut message = NewMessage::new(conversation.id, bens_key.clone(), b"at noon?");
//! message.own_key_version = own_key.version.unwrap_or(0);
//! client.send(&ana, &message, KeyTrust::Derived).await?;
//!
//! // What Ben answers, be it now or after the line was broken for a week.
//! let reader = Reader::new(Arc::clone(&ana));
//! let mut connection = client.connect(ConnectionConfig::default());
//! while let Some(event) = connection.next().await {
//!     let Event::Delivery(delivery) = event else { continue };
//!     if let Content::Message(message) = &delivery.content {
//!         let opened = reader.open(message, &bens_key)?;
//!         println!("{}", String::from_utf8_lossy(&opened.plaintext));
//!     }
//!     // Only now may the server forget that it is pending.
//!     delivery.acknowledge();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **A send is stored once.** Its client message id is made before the first attempt; every retry carries the same
//!   id and the same bytes. See [`Client::send`], and [`Client::deliver`] for messages kept on disk.
//! - **Every delivery arrives**, in the inbox's order, once per [`Connection`], which resumes after every break where
//!   the acknowledgements end. Between restarts of the program it is *at least* once.
//! - **What [opens](Reader::open) under suite 1, the default, is authentic**: from this sender, to
//!   this recipient, in this conversation, and not a repetition of an earlier message. Suite 0, for
//!   the oldest clients, says only that one of the two wrote it to the other: which one, in which
//!   conversation and when is the server's word. It opens until the peer has written in suite 1,
//!   and from then on only [when asked for](Reader::open_downgraded).
//! - Waiting, queues, answers and frames have limits; time and randomness come from [`Clock`] and [`Entropy`]; there
//!   is no global state; tokens, keys and texts are in no error and no `Debug` output.
//!
//! There is **no forward secrecy**, and the server sees lengths, times and who talks to whom; [`suite`] says what
//! that means.
//!
//! # In reading order
//!
//! - Who: [`Identity`] and its file; the keys, [`PublicKey`] and [`AgreementKey`]; which key of a peer to believe,
//!   [`PeerKey`] and [`KeyTrust`].
//! - The encryption: [`suite`], which works without a server. Test vectors for clients in any language lie in the
//!   folder `vectors` of this crate.
//! - The server: [`Client`], its calls and [`ClientError`]; [`sign_in`] for the reference host.
//! - Out: [`NewMessage`], [`OutgoingMessage`], [`RetryPolicy`]. In: [`Connection`], [`Reader`].
//!
//! # Feature
//!
//! `tls`: `https` and `wss`, checked against the platform's certificates. Without it, such an address is
//! [`ClientError::NoTls`].

mod client;
mod connection;
mod entropy;
mod error;
mod http;
mod identity;
mod ids;
mod keys;
mod message;
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
    Connection, ConnectionConfig, ConnectionState, Content, Delivery, End, Event, Lost, Receipt, Start,
};
pub use entropy::{Entropy, EntropyError, OsEntropy};
pub use error::{ClientError, Problem, Retry};
pub use http::Timeouts;
pub use identity::{Identity, IdentityFileError};
pub use ids::{ClientMessageId, ConversationId, Device, InvalidDevice, MessageId};
pub use keys::{AgreementKey, InvalidKey, InvalidSignature, PublicKey};
pub use message::{
    Acknowledge, Acknowledged, Conversation, ConversationPage, HistoryPage, HistoryRange, Message,
    Participant, PendingPage, RegisteredDevice, Stored, Ticket,
};
pub use outgoing::{NewMessage, OutgoingMessage};
pub use reader::{ReadError, Reader};
pub use record::{KeyRecord, KeyTrust, PeerKey, UntrustedKey};
pub use retry::RetryPolicy;
pub use suite::{Context, Header, KeyVersions, Suite};
pub use time::{Clock, Sleep, SystemClock};
