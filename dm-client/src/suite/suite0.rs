//! Suite 0, the oldest clients': a key per pair of users, and nothing else.
//!
//! - key = BLAKE2b-256 (RFC 7693, unkeyed) of the raw X25519 shared secret of the two long-term keys;
//! - XChaCha20-Poly1305 with a random 24-byte nonce and no associated data;
//! - payload = ciphertext || 16-byte tag. No ephemeral key.
//!
//! The same key serves both directions, every conversation and all time. A server can therefore present a message
//! as coming from the other party of the pair, repeat it, or hang it under another conversation or id, and it will
//! open. Use this suite only with peers that know no other. It has no forward secrecy and no padding.

use blake2::{Blake2b, Digest, digest::consts::U32};

use super::{
    aead::{self, Key, MAX_PAYLOAD, NONCE_LEN, TAG_LEN},
    error::{OpenError, SealError},
    tag::Suite,
    text::{Opened, Sealed},
};
use crate::{
    entropy::Entropy,
    identity::Identity,
    keys::{AgreementKey, agree},
};

/// The longest plaintext, bytes.
pub const MAX_PLAINTEXT: usize = MAX_PAYLOAD - TAG_LEN;

/// Encrypts `plaintext`, at most [`MAX_PLAINTEXT`] bytes, to `peer`.
///
/// # Errors
///
/// [`SealError::TooLong`], [`SealError::UnfitKey`], [`SealError::Entropy`].
pub fn seal(
    identity: &Identity,
    peer: &AgreementKey,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    let key = key(identity, peer).ok_or(SealError::UnfitKey)?;
    let (nonce, payload) = aead::encrypt(&key, &[], plaintext, MAX_PLAINTEXT, entropy)?;
    Ok(Sealed { suite: Suite::Zero, nonce, payload })
}

/// Decrypts a message exchanged with `peer`, in either direction.
///
/// # Errors
///
/// [`OpenError::Refused`].
pub fn open(
    identity: &Identity,
    peer: &AgreementKey,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let key = key(identity, peer).ok_or(OpenError::Refused)?;
    let plaintext = aead::decrypt(&key, nonce, &[], payload)?;
    Ok(Opened { plaintext, header: None })
}

fn key(identity: &Identity, peer: &AgreementKey) -> Option<Key> {
    let secret = agree(identity.agreement_secret(), peer)?;
    Some(Key::new(Blake2b::<U32>::digest(secret.as_bytes()).into()))
}
