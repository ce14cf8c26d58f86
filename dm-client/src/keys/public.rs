//! Ed25519: who a user is.

use std::{cmp::Ordering, fmt, str::FromStr};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, VerifyingKey};

use super::{AgreementKey, InvalidKey, fingerprint, from_hex};

/// A user's identity: an Ed25519 public key (RFC 8032).
///
/// Its text form is 64 lowercase hexadecimal digits; parsing takes either case. `Debug` shows the first four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032 section 5.1.2.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Encoding`] if they are no point, or not the canonical encoding of one;
    /// [`InvalidKey::SmallOrder`] if the point is one of the eight of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey::Encoding)?;
        // Decompression reduces the coordinate and ignores the sign of zero; only one encoding survives the way back.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(InvalidKey::Encoding);
        }
        if key.is_weak() {
            return Err(InvalidKey::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The key of one's own signing key, which is sound by construction.
    pub(crate) const fn from_verifying_key(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// The 32 bytes of RFC 8032 section 5.1.2.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The first 80 bits in groups of four digits, `d75a 9801 82b1 0ab7 d54b`: enough that nobody
    /// makes a key with the same, and short enough to compare. Names are not unique; show this
    /// beside them wherever a person is chosen.
    pub fn fingerprint(&self) -> String {
        let groups = self.as_bytes().chunks(2).take(5).map(|group| HEXLOWER.encode(group));
        groups.collect::<Vec<_>>().join(" ")
    }

    /// The X25519 key that belongs to this identity: its Montgomery form (RFC 7748 section 4.1), the same as
    /// libsodium's `crypto_sign_ed25519_pk_to_curve25519`.
    ///
    /// Encrypting to this key needs no trust in the server, which only ever hands out copies of it.
    pub fn agreement_key(&self) -> AgreementKey {
        // The point has no small order, so neither has its Montgomery form.
        AgreementKey::from_montgomery(self.0.to_montgomery().to_bytes())
    }

    /// Checks that `signature` (64 bytes) over `message` was made by this identity. Strict: it refuses the
    /// malleable encodings that RFC 8032 leaves open.
    ///
    /// # Errors
    ///
    /// [`InvalidSignature`] if it was not.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), InvalidSignature> {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| InvalidSignature)
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(&from_hex(text)?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fingerprint(f, "PublicKey", self.as_bytes())
    }
}

/// The signature does not belong to this message and this identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to this message and this key")]
pub struct InvalidSignature;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_first_eighty_bits_in_groups() {
        // The first key of RFC 8032, section 7.1.
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.parse::<PublicKey>().unwrap().fingerprint(), "d75a 9801 82b1 0ab7 d54b");
    }
}
