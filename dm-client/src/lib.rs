//! The client's side of private one-to-one messages: keys and encryption.
//!
//! The server relays what it cannot read. An [`Identity`] is one secret seed; a user is named by its
//! [`PublicKey`], and others encrypt to the [`AgreementKey`] that follows from it. [`suite::seal`] makes a
//! ciphertext for one recipient, in one conversation; [`suite::open`] reads it back, on the recipient's devices and
//! on the sender's own.
//!
//! ```
//! use dm_client::{
//!     ClientMessageId, Context, ConversationId, Header, Identity, KeyVersions, OsEntropy, Suite, suite,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let entropy = &mut OsEntropy;
//! let ana = Identity::generate(entropy)?;
//! let ben = Identity::generate(entropy)?;
//!
//! // Ana writes. The server named the conversation and counts the versions of published keys.
//! # let id = uuid::Uuid::from_u128(7);
//! let conversation = ConversationId::new(id);
//! let context = Context::new(conversation, ana.public_key(), ben.public_key())?;
//! let header = Header {
//!     versions: KeyVersions { sender: 1, recipient: 1 },
//!     message_id: ClientMessageId::generate(entropy)?,
//! };
//! let to_ben = ben.public_key().agreement_key();
//! let sealed = suite::seal(Suite::default(), &ana, &to_ben, &context, &header, b"at noon?", entropy)?;
//!
//! // Ben reads, with the key of the other party: Ana.
//! let from_ana = ana.public_key().agreement_key();
//! let tag = sealed.suite.tag();
//! let read = suite::open(tag, &ben, &from_ana, &context, &sealed.nonce, &sealed.payload)?;
//! assert_eq!(read.plaintext, b"at noon?");
//!
//! // So does Ana's other device; the other party is Ben.
//! let read = suite::open(tag, &ana, &to_ben, &context, &sealed.nonce, &sealed.payload)?;
//! assert_eq!(read.header, Some(header));
//!
//! // Hung under another conversation, the message does not open.
//! # let id = uuid::Uuid::from_u128(8);
//! let elsewhere = Context::new(ConversationId::new(id), ana.public_key(), ben.public_key())?;
//! let moved = suite::open(tag, &ben, &from_ana, &elsewhere, &sealed.nonce, &sealed.payload);
//! assert_eq!(moved, Err(suite::OpenError::Refused));
//! # Ok(())
//! # }
//! ```
//!
//! There is **no forward secrecy**, and the server sees lengths, times and who talks to whom;
//! [`suite`] says what that means.
//!
//! In reading order: [`Identity`] and its file, the keys ([`PublicKey`], [`AgreementKey`]), [`suite`] with
//! [`suite::suite1`] and [`suite::suite0`], and [`Entropy`], through which all randomness comes. Test vectors for
//! clients in any language lie in the folder `vectors` of this crate.

mod entropy;
mod identity;
mod ids;
mod keys;
pub mod suite;

pub use entropy::{Entropy, EntropyError, OsEntropy};
pub use identity::{Identity, IdentityFileError};
pub use ids::{ClientMessageId, ConversationId};
pub use keys::{AgreementKey, InvalidKey, InvalidSignature, PublicKey};
pub use suite::{Context, Header, KeyVersions, Suite};
