//! The cipher suites: [`seal`] encrypts a message and [`open`] decrypts it, in one of the suites
//! that [`Suite`] lists.
//!
//! | Suite tag | Suite | Use |
//! |---|---|---|
//! | 0, or absent | [`suite0`] | messages from and to the oldest clients |
//! | 1 | [`suite1`] | all other messages; the default |
//!
//! The suite tag is sent unencrypted beside the ciphertext. A message whose suite tag was changed
//! does not decrypt, because the suites derive different keys from the same secret.
//!
//! ```
//! use dm_client::{
//!     ClientMessageId, Context, ConversationId, Header, Identity, KeyVersion, KeyVersions, OsEntropy,
//!     Suite, suite,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let entropy = &mut OsEntropy;
//! let ana = Identity::generate(entropy)?;
//! let ben = Identity::generate(entropy)?;
//!
//! // Ana encrypts. She has the conversation's id and the key versions from the server.
//! let conversation: ConversationId = "0190b6a0-0000-7000-8000-000000000001".parse()?;
//! let context = Context::new(conversation, ana.user_id(), ben.user_id())?;
//! let first = Some(KeyVersion::FIRST);
//! let header = Header {
//!     versions: KeyVersions { sender: first, recipient: first },
//!     message_id: ClientMessageId::generate(entropy)?,
//! };
//! let to_ben = ben.user_id().agreement_key();
//! let sealed = suite::seal(Suite::default(), &ana, &to_ben, &context, &header, b"at noon?", entropy)?;
//!
//! // Ben decrypts with the key of the other party, which is Ana.
//! let from_ana = ana.user_id().agreement_key();
//! let tag = sealed.suite.tag();
//! let read = suite::open(tag, &ben, &from_ana, &context, &sealed.nonce, &sealed.payload)?;
//! assert_eq!(read.plaintext, b"at noon?");
//!
//! // Ana's other devices decrypt too. The other party is Ben.
//! let read = suite::open(tag, &ana, &to_ben, &context, &sealed.nonce, &sealed.payload)?;
//! assert_eq!(read.header, Some(header));
//!
//! // The message does not decrypt in another conversation.
//! let other: ConversationId = "0190b6a0-0000-7000-8000-000000000002".parse()?;
//! let other = Context::new(other, ana.user_id(), ben.user_id())?;
//! let moved = suite::open(tag, &ben, &from_ana, &other, &sealed.nonce, &sealed.payload);
//! assert_eq!(moved, Err(suite::OpenError::Refused));
//! # Ok(())
//! # }
//! ```
//!
//! # Properties that neither suite has
//!
//! - **No forward secrecy.** Both suites use the long-term keys of the two parties and no others.
//!   An attacker with one party's seed can read all of that party's messages, past and future, and
//!   can forge messages from and to that party.
//! - **No proof to third parties.** Both parties can make any ciphertext, so a ciphertext does not
//!   prove to others which of the two parties sent it.
//! - **No padding, no cover traffic.** The server sees the two parties, the conversation, the time
//!   and the exact length of each message.
//!
//! In addition, suite 0 binds a message only to the two key pairs, and not to its sender, its
//! conversation or its id. A [`Reader`](crate::Reader) accepts suite 0 only from peers that have
//! not sent a message in suite 1.

use crate::entropy::Entropy;
use crate::identity::Identity;
use crate::keys::X25519Key;

mod aead;
mod context;
mod error;
mod sealed;
pub mod suite0;
pub mod suite1;
mod tag;

pub use aead::{MAX_PAYLOAD, NONCE_LEN, TAG_LEN};
pub use context::{Context, Header, KeyVersions};
pub use error::{OpenError, SameParty, SealError};
pub use sealed::{Opened, Sealed};
pub use tag::Suite;

impl Suite {
    /// Maximum length of a plaintext, in bytes. The payload of a plaintext of this length has
    /// [`MAX_PAYLOAD`] bytes.
    pub const fn max_plaintext(self) -> usize {
        match self {
            Self::Zero => suite0::MAX_PLAINTEXT,
            Self::One => suite1::MAX_PLAINTEXT,
        }
    }
}

/// Encrypts `plaintext`, at most [`Suite::max_plaintext`] bytes, with a fresh random nonce.
///
/// `peer` is the recipient's key. Suite 0 does not use `header`, and uses `context` only for the
/// check of the sender.
///
/// # Errors
///
/// - [`SealError::NotTheSender`] if `identity` is not the sender of `context`;
/// - [`SealError::TooLong`] if `plaintext` is longer than the suite allows;
/// - [`SealError::UnfitKey`] if the shared secret with `peer` is zero;
/// - [`SealError::Entropy`] if `entropy` fails.
pub fn seal(
    suite: Suite,
    identity: &Identity,
    peer: &X25519Key,
    context: &Context,
    header: &Header,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    if identity.user_id() != *context.sender() {
        return Err(SealError::NotTheSender);
    }
    match suite {
        Suite::Zero => suite0::seal(identity, peer, plaintext, entropy),
        Suite::One => suite1::seal(identity, peer, context, header, plaintext, entropy),
    }
}

/// Decrypts the payload of a message with the suite tag `tag` (0 if the message has none).
///
/// `peer` is the other party's key: the sender's key, or the recipient's key when the sender
/// decrypts its own message. For suite 1, [`suite1::peek`] returns the versions of both keys.
///
/// # Errors
///
/// - [`OpenError::UnknownSuite`] if this version of the library does not know `tag`;
/// - [`OpenError::NotAParty`] if `identity` is neither party of `context`;
/// - [`OpenError::Refused`] for every other cause. The error does not name the cause.
pub fn open(
    tag: u32,
    identity: &Identity,
    peer: &X25519Key,
    context: &Context,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let suite = Suite::from_tag(tag)?;
    if context.other_than(&identity.user_id()).is_none() {
        return Err(OpenError::NotAParty);
    }
    match suite {
        Suite::Zero => suite0::open(identity, peer, nonce, payload),
        Suite::One => suite1::open(identity, peer, context, nonce, payload),
    }
}
