//! X25519: what messages are encrypted to.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use x25519_dalek::{PublicKey as MontgomeryKey, SharedSecret, StaticSecret, x25519};

use super::{InvalidKey, fingerprint, from_hex};

/// An X25519 public key (RFC 7748).
///
/// Its text form is 64 lowercase hexadecimal digits; parsing takes either case. `Debug` shows the first four bytes.
///
/// A server that could choose this key could read the messages. Take it from [`PublicKey::agreement_key`], or from
/// a record whose signature was checked with [`PublicKey::verify`].
///
/// [`PublicKey::agreement_key`]: crate::PublicKey::agreement_key
/// [`PublicKey::verify`]: crate::PublicKey::verify
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AgreementKey([u8; 32]);

impl AgreementKey {
    /// Reads the 32 bytes of a u-coordinate. As RFC 7748 section 5 asks, values at or above the prime are taken.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::SmallOrder`] if every secret key would agree with it on zero: the all-zero key and the other
    /// encodings of points of small order, on the curve or its twist.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        // Clamping makes every scalar a multiple of the cofactor, so one scalar tells for all.
        if x25519([0; 32], *bytes) == [0; 32] {
            return Err(InvalidKey::SmallOrder);
        }
        Ok(Self(*bytes))
    }

    /// A u-coordinate that is known not to have small order.
    pub(crate) const fn from_montgomery(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the u-coordinate, as given.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for AgreementKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(&from_hex(text)?)
    }
}

impl fmt::Display for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fingerprint(f, "AgreementKey", &self.0)
    }
}

/// The raw X25519 shared secret, `None` if it is all zero (RFC 7748 section 6.1), which a parsed key rules out.
pub(crate) fn agree(secret: &StaticSecret, peer: &AgreementKey) -> Option<SharedSecret> {
    let shared = secret.diffie_hellman(&MontgomeryKey::from(peer.0));
    shared.was_contributory().then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreeing_on_zero_is_refused_even_if_the_key_was_not_parsed() {
        let secret = StaticSecret::from([7; 32]);
        assert!(agree(&secret, &AgreementKey([0; 32])).is_none());
    }

    #[test]
    fn a_key_beyond_the_prime_is_taken_and_kept_as_given() {
        // 2^255 - 19 + 9: the base point, not reduced.
        let mut bytes = [0xff; 32];
        bytes[0] = 0xf6;
        bytes[31] = 0x7f;
        let key = AgreementKey::from_bytes(&bytes).unwrap();
        assert_eq!(key.as_bytes(), &bytes);
        let mut base = [0; 32];
        base[0] = 9;
        let secret = StaticSecret::from([7; 32]);
        let (raw, reduced) = (agree(&secret, &key).unwrap(), agree(&secret, &AgreementKey(base)).unwrap());
        assert_eq!(raw.as_bytes(), reduced.as_bytes());
    }
}
