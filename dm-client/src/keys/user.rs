//! [`UserId`]: the Ed25519 public key that identifies a user.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, VerifyingKey};

use super::error::{InvalidKey, InvalidSignature};
use super::text::{debug_prefix, from_hex};
use super::x25519::X25519Key;

/// A user: an Ed25519 public key (RFC 8032), 32 bytes.
///
/// The text form is 64 lowercase hexadecimal digits; parsing accepts upper and lower case. A value
/// of this type is a canonically encoded curve point that is not of small order: every public
/// constructor checks this. Values are ordered by their bytes, which is also the order of their
/// text forms. `Debug` shows the first four bytes.
///
/// The server identifies a user by the same bytes. This type also verifies the user's signatures
/// and derives the key that messages to the user are encrypted to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId(VerifyingKey);

impl UserId {
    /// A user id from its 32 bytes (RFC 8032, section 5.1.2), which are checked.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Encoding`] if the bytes are no curve point, or not the canonical encoding of
    /// one; [`InvalidKey::SmallOrder`] if the point is one of the eight of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey::Encoding)?;
        // Decompression accepts several encodings of some points: it reduces the coordinate, and
        // ignores the sign of zero. Compression returns the canonical encoding.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(InvalidKey::Encoding);
        }
        if key.is_weak() {
            return Err(InvalidKey::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The user id of a signing key that this process has derived from a seed. Such a key needs no
    /// check.
    pub(crate) const fn from_verifying_key(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// The 32 bytes (RFC 8032, section 5.1.2).
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The first 80 bits in groups of four hexadecimal digits, such as `d75a 9801 82b1 0ab7 d54b`.
    /// A person can compare them, and nobody can compute another key with the same fingerprint.
    ///
    /// Display names are not unique: show the fingerprint beside the name where a user selects a
    /// recipient.
    pub fn fingerprint(&self) -> String {
        let groups = self.as_bytes().chunks(2).take(5).map(|group| HEXLOWER.encode(group));
        groups.collect::<Vec<_>>().join(" ")
    }

    /// The X25519 key that is derived from this identity: its Montgomery form (RFC 7748, section
    /// 4.1), as libsodium's `crypto_sign_ed25519_pk_to_curve25519` computes it.
    ///
    /// Encrypting to this key needs no trust in the server: the key follows from the user id alone.
    pub fn agreement_key(&self) -> X25519Key {
        // This point does not have small order, so its Montgomery form does not have it either.
        X25519Key::from_bytes_unchecked(self.0.to_montgomery().to_bytes())
    }

    /// Verifies that `signature` (64 bytes) over `message` was made with this user's key. The check
    /// is strict: it also refuses points of small order, which RFC 8032 permits.
    ///
    /// # Errors
    ///
    /// [`InvalidSignature`] if the signature is not valid.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), InvalidSignature> {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| InvalidSignature)
    }
}

impl PartialOrd for UserId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UserId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl FromStr for UserId {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(&from_hex(text)?)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_prefix(f, "UserId", self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_first_eighty_bits_in_groups() {
        // The first public key in RFC 8032, section 7.1.
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.parse::<UserId>().unwrap().fingerprint(), "d75a 9801 82b1 0ab7 d54b");
    }
}
