//! Suite 1, which all newer clients use: one key per conversation, direction and pair of key
//! versions, and an authenticated header.
//!
//! All integers are big-endian. `conversation` is the 16 bytes of the UUID, `sender` and
//! `recipient` are the 32 bytes of the Ed25519 public keys. Strings are ASCII without a terminator;
//! `||` concatenates.
//!
//! The header is the first 25 bytes of the payload:
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 1 | suite byte, `0x01` |
//! | 1 | 4 | sender's key version, u32, 0 if not known |
//! | 5 | 4 | recipient's key version, u32, 0 if not known |
//! | 9 | 16 | client message id, UUID |
//!
//! ```text
//! secret  = X25519 of the two long-term keys                                  (RFC 7748)
//! info    = "dm suite 1 key" || 0x00 || conversation || sender || recipient
//!           || sender's key version || recipient's key version                103 bytes
//! key     = HKDF-SHA-256(ikm = secret, salt = "dm suite 1", info, 32 bytes)   (RFC 5869)
//! ad      = "dm suite 1 ad" || 0x00 || header || conversation || sender || recipient
//!                                                                             119 bytes
//! payload = header || XChaCha20-Poly1305(key, nonce, ad, plaintext)           25 + length + 16 bytes
//! ```
//!
//! `ad` is the associated data. XChaCha20-Poly1305 returns the ciphertext followed by its 16-byte
//! authentication tag. The nonce is 24 random bytes, sent beside the payload.
//!
//! A ciphertext that is moved to another conversation, sender, recipient, key version or message id
//! does not decrypt. A message that is repeated unchanged decrypts again; a receiver recognizes it
//! by its message id. There is no forward secrecy and no padding: the payload is exactly 41 bytes
//! longer than the plaintext.

use hkdf::Hkdf;
use sha2::Sha256;

use super::aead::{self, Key, MAX_PAYLOAD, NONCE_LEN, TAG_LEN};
use super::context::{Context, Header, KeyVersions};
use super::error::{OpenError, SealError};
use super::sealed::{Opened, Sealed};
use super::tag::Suite;
use crate::entropy::Entropy;
use crate::identity::Identity;
use crate::ids::ClientMessageId;
use crate::keys::{KeyVersion, X25519Key, shared_secret};

/// Length of the header at the beginning of a payload, in bytes.
pub const HEADER_LEN: usize = 25;

/// Maximum length of a plaintext, in bytes.
pub const MAX_PLAINTEXT: usize = MAX_PAYLOAD - HEADER_LEN - TAG_LEN;

/// The first byte of the header.
const SUITE_BYTE: u8 = 1;
const SALT: &[u8] = b"dm suite 1";
const KEY_LABEL: &[u8] = b"dm suite 1 key\0";
const AD_LABEL: &[u8] = b"dm suite 1 ad\0";

/// Encrypts `plaintext`, at most [`MAX_PLAINTEXT`] bytes.
///
/// `peer` is the recipient's key, and `header` names the version of this key. `identity` must be
/// the sender of `context`. With another identity, nobody can decrypt the message.
///
/// # Errors
///
/// - [`SealError::TooLong`] if `plaintext` is longer than [`MAX_PLAINTEXT`];
/// - [`SealError::UnfitKey`] if the shared secret with `peer` is zero;
/// - [`SealError::Entropy`] if `entropy` fails.
pub fn seal(
    identity: &Identity,
    peer: &X25519Key,
    context: &Context,
    header: &Header,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    let key = derive_key(identity, peer, context, header.versions).ok_or(SealError::UnfitKey)?;
    let header_bytes = encode_header(header);
    let (nonce, ciphertext) =
        aead::encrypt(&key, &associated_data(&header_bytes, context), plaintext, MAX_PLAINTEXT, entropy)?;
    Ok(Sealed { suite: Suite::One, nonce, payload: [header_bytes, ciphertext].concat() })
}

/// Decrypts a message of `context`.
///
/// `peer` is the other party's key: the sender's key, or the recipient's key when the sender
/// decrypts its own message. [`peek`] returns the versions of both keys.
///
/// # Errors
///
/// [`OpenError::Refused`] if the message does not decrypt.
pub fn open(
    identity: &Identity,
    peer: &X25519Key,
    context: &Context,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let (header_bytes, ciphertext) = payload.split_first_chunk().ok_or(OpenError::Refused)?;
    let header = decode_header(header_bytes)?;
    let key = derive_key(identity, peer, context, header.versions).ok_or(OpenError::Refused)?;
    let plaintext = aead::decrypt(&key, nonce, &associated_data(header_bytes, context), ciphertext)?;
    Ok(Opened { plaintext, header: Some(header) })
}

/// Reads the header of a payload without decrypting it, to find the versions of the keys. The
/// header is not authenticated until the message is decrypted.
///
/// # Errors
///
/// [`OpenError::Refused`] if the payload is too short or begins with the byte of another suite.
pub fn peek(payload: &[u8]) -> Result<Header, OpenError> {
    decode_header(payload.first_chunk().ok_or(OpenError::Refused)?)
}

/// The 25 bytes of a header.
fn encode_header(header: &Header) -> Vec<u8> {
    [
        &[SUITE_BYTE][..],
        &encode_version(header.versions.sender),
        &encode_version(header.versions.recipient),
        header.message_id.as_bytes(),
    ]
    .concat()
}

/// The header from its bytes; [`OpenError::Refused`] if the first byte is of another suite.
fn decode_header(header_bytes: &[u8; HEADER_LEN]) -> Result<Header, OpenError> {
    let [SUITE_BYTE, rest @ ..] = header_bytes else { return Err(OpenError::Refused) };
    let [s0, s1, s2, s3, r0, r1, r2, r3, id @ ..] = rest;
    Ok(Header {
        versions: KeyVersions {
            sender: KeyVersion::new(u32::from_be_bytes([*s0, *s1, *s2, *s3])),
            recipient: KeyVersion::new(u32::from_be_bytes([*r0, *r1, *r2, *r3])),
        },
        message_id: ClientMessageId::from_bytes(*id),
    })
}

/// The 4 bytes of a key version in the header and in `info`; 0 if the version is not known.
fn encode_version(version: Option<KeyVersion>) -> [u8; 4] {
    version.map_or(0, KeyVersion::get).to_be_bytes()
}

/// The key of the cipher; `None` if the shared secret is zero.
fn derive_key(
    identity: &Identity,
    peer: &X25519Key,
    context: &Context,
    versions: KeyVersions,
) -> Option<Key> {
    let secret = shared_secret(identity.agreement_secret(), peer)?;
    let conversation = context.conversation();
    let info = [
        KEY_LABEL,
        conversation.as_bytes(),
        context.sender().as_bytes(),
        context.recipient().as_bytes(),
        &encode_version(versions.sender),
        &encode_version(versions.recipient),
    ];
    let mut key = Key::default();
    // HKDF fails only for more than 255 blocks of output. This key is one block.
    Hkdf::<Sha256>::new(Some(SALT), secret.as_bytes()).expand_multi_info(&info, &mut *key).ok()?;
    Some(key)
}

/// The associated data: `ad` in the documentation of this module.
fn associated_data(header_bytes: &[u8], context: &Context) -> Vec<u8> {
    [
        AD_LABEL,
        header_bytes,
        context.conversation().as_bytes(),
        context.sender().as_bytes(),
        context.recipient().as_bytes(),
    ]
    .concat()
}
