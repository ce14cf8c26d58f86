//! Suite 1: a key per conversation, direction and pair of key versions, and a header that is authenticated.
//!
//! All integers are big-endian. `conversation` is the 16 bytes of the UUID, `sender` and `recipient` are the 32
//! bytes of the Ed25519 public keys. Strings are ASCII without a terminator; `||` joins.
//!
//! The header is the first 25 bytes of the payload:
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 1 | suite, `0x01` |
//! | 1 | 4 | sender's key version, u32 |
//! | 5 | 4 | recipient's key version, u32 |
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
//! The nonce is 24 random bytes, sent beside the payload. A ciphertext moved to another conversation, sender,
//! recipient, key version or message id does not open. There is no forward secrecy and no padding: the payload
//! is exactly 41 bytes longer than the plaintext. A message that is repeated unchanged opens again; its id tells.

use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;

use super::{
    aead::{self, Key, MAX_PAYLOAD, NONCE_LEN, TAG_LEN},
    context::{Context, Header, KeyVersions},
    error::{OpenError, SealError},
    tag::Suite,
    text::{Opened, Sealed},
};
use crate::{
    entropy::Entropy,
    identity::Identity,
    ids::ClientMessageId,
    keys::{AgreementKey, agree},
};

/// Length of the header at the beginning of a payload, bytes.
pub const HEADER_LEN: usize = 25;

/// The longest plaintext, bytes.
pub const MAX_PLAINTEXT: usize = MAX_PAYLOAD - HEADER_LEN - TAG_LEN;

const SUITE: u8 = 1;
const SALT: &[u8] = b"dm suite 1";
const KEY_LABEL: &[u8] = b"dm suite 1 key\0";
const AD_LABEL: &[u8] = b"dm suite 1 ad\0";

/// Encrypts `plaintext`, at most [`MAX_PLAINTEXT`] bytes, to `peer`, the recipient's key of the version that
/// `header` names. `identity` is the sender of `context`; with any other the message opens for nobody.
///
/// # Errors
///
/// [`SealError::TooLong`], [`SealError::UnfitKey`], [`SealError::Entropy`].
pub fn seal(
    identity: &Identity,
    peer: &AgreementKey,
    context: &Context,
    header: &Header,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Sealed, SealError> {
    let key = key(identity, peer, context, header.versions).ok_or(SealError::UnfitKey)?;
    let head = encode(header);
    let (nonce, ciphertext) =
        aead::encrypt(&key, &associated(&head, context), plaintext, MAX_PLAINTEXT, entropy)?;
    Ok(Sealed { suite: Suite::One, nonce, payload: [head, ciphertext].concat() })
}

/// Decrypts a message of `context`, with `peer` the key of the party that is not `identity`, be that the sender
/// or, on the sender's other devices, the recipient. [`peek`] tells which version of that key is needed.
///
/// # Errors
///
/// [`OpenError::Refused`].
pub fn open(
    identity: &Identity,
    peer: &AgreementKey,
    context: &Context,
    nonce: &[u8; NONCE_LEN],
    payload: &[u8],
) -> Result<Opened, OpenError> {
    let (head, ciphertext) = payload.split_first_chunk().ok_or(OpenError::Refused)?;
    let header = decode(head)?;
    let key = key(identity, peer, context, header.versions).ok_or(OpenError::Refused)?;
    let plaintext = aead::decrypt(&key, nonce, &associated(head, context), ciphertext)?;
    Ok(Opened { plaintext, header: Some(header) })
}

/// Reads the header of a payload, to find the right version of a key. Nothing vouches for it until the message
/// has opened.
///
/// # Errors
///
/// [`OpenError::Refused`] if the payload is not one of suite 1.
pub fn peek(payload: &[u8]) -> Result<Header, OpenError> {
    decode(payload.first_chunk().ok_or(OpenError::Refused)?)
}

fn encode(header: &Header) -> Vec<u8> {
    [
        &[SUITE][..],
        &header.versions.sender.to_be_bytes(),
        &header.versions.recipient.to_be_bytes(),
        header.message_id.uuid().as_bytes(),
    ]
    .concat()
}

fn decode(head: &[u8; HEADER_LEN]) -> Result<Header, OpenError> {
    let [SUITE, rest @ ..] = head else { return Err(OpenError::Refused) };
    let [s0, s1, s2, s3, r0, r1, r2, r3, id @ ..] = rest;
    Ok(Header {
        versions: KeyVersions {
            sender: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            recipient: u32::from_be_bytes([*r0, *r1, *r2, *r3]),
        },
        message_id: ClientMessageId::new(Uuid::from_bytes(*id)),
    })
}

fn key(identity: &Identity, peer: &AgreementKey, context: &Context, versions: KeyVersions) -> Option<Key> {
    let secret = agree(identity.agreement_secret(), peer)?;
    let conversation = context.conversation().uuid();
    let info = [
        KEY_LABEL,
        conversation.as_bytes(),
        context.sender().as_bytes(),
        context.recipient().as_bytes(),
        &versions.sender.to_be_bytes(),
        &versions.recipient.to_be_bytes(),
    ];
    let mut key = Key::default();
    // The only failure is to ask for more than 255 hashes; one is asked for.
    Hkdf::<Sha256>::new(Some(SALT), secret.as_bytes()).expand_multi_info(&info, &mut *key).ok()?;
    Some(key)
}

fn associated(head: &[u8], context: &Context) -> Vec<u8> {
    [
        AD_LABEL,
        head,
        context.conversation().uuid().as_bytes(),
        context.sender().as_bytes(),
        context.recipient().as_bytes(),
    ]
    .concat()
}
