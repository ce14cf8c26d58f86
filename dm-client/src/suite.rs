//! How a message is encrypted: [`seal`] and [`open`] choose by [`Suite`].
//!
//! | Tag | Suite | For |
//! |---|---|---|
//! | 0, or absent | [`suite0`] | reading and writing what the oldest clients understand |
//! | 1 | [`suite1`] | everything else; the default |
//!
//! The tag travels beside the ciphertext in plain sight. A server that changes it gains nothing: the suites derive
//! different keys from the same secret, so the message no longer opens.
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
//! # What neither suite gives
//!
//! - **No forward secrecy.** Both use the long-term keys of the two parties and nothing else. Who obtains one
//!   party's seed reads all their messages, past and future, and can forge messages to them as well as from them.
//! - **No proof to third parties.** Either party could have made any ciphertext between the two.
//! - **No padding, no cover traffic.** The server sees who talks to whom, when, in which conversation, and exactly
//!   how long each message is.
//!
//! Suite 0 in addition binds nothing but the two key pairs: not who of the two wrote, not the
//! conversation, not the message's id. A [`Reader`](crate::Reader) keeps it to peers who have
//! written in nothing better.

use crate::{entropy::Entropy, identity::Identity, keys::AgreementKey};

mod aead;
mod context;
mod error;
pub mod suite0;
pub mod suite1;
mod tag;
mod text;

pub use aead::{MAX_PAYLOAD, NONCE_LEN, TAG_LEN};
pub use context::{Context, Header, KeyVersions};
pub use error::{OpenError, SameParty, SealError};
pub use tag::Suite;
pub use text::{Opened, Sealed};

impl Suite {
    /// The longest plaintext, bytes, whose payload fits into [`MAX_PAYLOAD`].
    pub const fn max_plaintext(self) -> usize {
        match self {
            Self::Zero => suite0::MAX_PLAINTEXT,
            Self::One => suite1::MAX_PLAINTEXT,
        }
    }
}

/// Encrypts `plaintext`, at most [`Suite::max_plaintext`] bytes, with a fresh random nonce.
///
/// `peer` is the recipient's key. Suite 0 carries neither `context` nor `header`.
///
/// # Errors
///
/// [`SealError::NotTheSender`] if `identity` is not the sender of `context`, [`SealError::TooLong`],
/// [`SealError::UnfitKey`], [`SealError::Entropy`].
pub fn seal(
    suite: Suite,
    identity: &Identity,
    peer: &AgreementKey,
    context: &Context,
    header: &Header,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    if identity.public_key() != *context.sender() {
        return Err(SealError::NotTheSender);
    }
    match suite {
        Suite::Zero => suite0::seal(identity, peer, plaintext, entropy),
        Suite::One => suite1::seal(identity, peer, context, header, plaintext, entropy),
    }
}

/// Decrypts `payload` of a message whose plaintext tag is `tag` (0 if it has none).
///
/// `peer` is the key of the other party, whichever side `identity` is on. For suite 1,
/// [`suite1::peek`] tells which version of it.
///
/// # Errors
///
/// [`OpenError::UnknownSuite`]; [`OpenError::NotAParty`] if `identity` is neither party of `context`;
/// [`OpenError::Refused`] for everything else, without telling why.
pub fn open(
    tag: u32,
    identity: &Identity,
    peer: &AgreementKey,
    context: &Context,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let suite = Suite::from_tag(tag)?;
    if context.other_than(&identity.public_key()).is_none() {
        return Err(OpenError::NotAParty);
    }
    match suite {
        Suite::Zero => suite0::open(identity, peer, nonce, payload),
        Suite::One => suite1::open(identity, peer, context, nonce, payload),
    }
}
