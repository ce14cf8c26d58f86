//! XChaCha20-Poly1305, the cipher of both suites (draft-irtf-cfrg-xchacha-03 section 2).

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use super::error::{OpenError, SealError};
#[cfg(doc)]
use super::seal;
use crate::entropy::Entropy;

/// Maximum length of a payload that [`seal`] makes, in bytes. A server accepts payloads of this
/// length by default.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// Length of a nonce, in bytes. With this length, two random nonces are practically never equal, so
/// the number of messages under one key has no limit.
pub const NONCE_LEN: usize = 24;

/// Length of the authentication tag at the end of a payload, in bytes.
pub const TAG_LEN: usize = 16;

/// A key of the cipher, wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Encrypts `plaintext`, at most `max_len` bytes, with a fresh nonce. Returns the nonce, and the
/// ciphertext followed by its authentication tag.
pub(super) fn encrypt(
    key: &Key,
    associated_data: &[u8],
    plaintext: &[u8],
    max_len: usize,
    entropy: &mut dyn Entropy,
) -> Result<([u8; NONCE_LEN], Vec<u8>), SealError> {
    let too_long = SealError::TooLong { len: plaintext.len(), max: max_len };
    if plaintext.len() > max_len {
        return Err(too_long);
    }
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce)?;
    // The cipher fails only for a plaintext of more than 256 GiB, which is far above `max_len`.
    let ciphertext = cipher(key)
        .encrypt(&nonce.into(), Payload { msg: plaintext, aad: associated_data })
        .map_err(|_| too_long)?;
    Ok((nonce, ciphertext))
}

/// Decrypts a ciphertext followed by its authentication tag.
pub(super) fn decrypt(
    key: &Key,
    nonce: &[u8; NONCE_LEN],
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, OpenError> {
    cipher(key)
        .decrypt(nonce.into(), Payload { msg: ciphertext, aad: associated_data })
        .map_err(|_| OpenError::Refused)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    let key: &[u8; 32] = key;
    XChaCha20Poly1305::new(key.into())
}
