//! Suite 0, which the oldest clients use: one key per pair of users.
//!
//! - key = BLAKE2b-256 (RFC 7693, unkeyed) of the raw X25519 shared secret of the two long-term
//!   keys;
//! - XChaCha20-Poly1305 with a random 24-byte nonce and no associated data;
//! - payload = ciphertext || 16-byte authentication tag. There is no ephemeral key.
//!
//! The key is the same for both directions, for every conversation and at any time. A message
//! therefore decrypts even if the server presents it as sent by the other party, repeats it, or
//! moves it to another conversation or id. Use this suite only with peers whose clients know no
//! other suite. It has no forward secrecy and no padding.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

use super::aead::{self, Key, MAX_PAYLOAD, NONCE_LEN, TAG_LEN};
use super::error::{OpenError, SealError};
use super::sealed::{Opened, Sealed};
use super::tag::Suite;
use crate::entropy::Entropy;
use crate::identity::Identity;
use crate::keys::{X25519Key, shared_secret};

/// Maximum length of a plaintext, in bytes.
pub const MAX_PLAINTEXT: usize = MAX_PAYLOAD - TAG_LEN;

/// Encrypts `plaintext`, at most [`MAX_PLAINTEXT`] bytes, to `peer`.
///
/// # Errors
///
/// - [`SealError::TooLong`] if `plaintext` is longer than [`MAX_PLAINTEXT`];
/// - [`SealError::UnfitKey`] if the shared secret with `peer` is zero;
/// - [`SealError::Entropy`] if `entropy` fails.
pub fn seal(
    identity: &Identity,
    peer: &X25519Key,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    let key = derive_key(identity, peer).ok_or(SealError::UnfitKey)?;
    let (nonce, payload) = aead::encrypt(&key, &[], plaintext, MAX_PLAINTEXT, entropy)?;
    Ok(Sealed { suite: Suite::Zero, nonce, payload })
}

/// Decrypts a message exchanged with `peer`, in either direction.
///
/// # Errors
///
/// [`OpenError::Refused`] if the message does not decrypt.
pub fn open(
    identity: &Identity,
    peer: &X25519Key,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let key = derive_key(identity, peer).ok_or(OpenError::Refused)?;
    let plaintext = aead::decrypt(&key, nonce, &[], payload)?;
    Ok(Opened { plaintext, header: None })
}

/// The key of the cipher; `None` if the shared secret is zero.
fn derive_key(identity: &Identity, peer: &X25519Key) -> Option<Key> {
    let secret = shared_secret(identity.agreement_secret(), peer)?;
    Some(Key::new(Blake2b::<U32>::digest(secret.as_bytes()).into()))
}
