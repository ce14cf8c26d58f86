//! [`X25519Key`]: the key that messages to a user are encrypted to.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use x25519_dalek::{PublicKey as DalekKey, SharedSecret, StaticSecret, x25519};

use super::error::InvalidKey;
use super::text::{debug_prefix, from_hex};

/// An X25519 public key (RFC 7748), 32 bytes, not all-zero and not of small order.
///
/// The text form is 64 lowercase hexadecimal digits; parsing accepts upper and lower case. `Debug`
/// shows the first four bytes.
///
/// A server that can choose this key can read the messages. Use the key from
/// [`UserId::agreement_key`], or a key that its owner has signed. Check such a signature with
/// [`UserId::verify`].
///
/// [`UserId::agreement_key`]: crate::UserId::agreement_key
/// [`UserId::verify`]: crate::UserId::verify
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct X25519Key([u8; 32]);

impl X25519Key {
    /// A key from the 32 bytes of its u-coordinate, which are checked. Values at or above the prime
    /// 2^255 − 19 are accepted, as RFC 7748, section 5, requires.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::SmallOrder`] if the point has small order, on the curve or its twist. The
    /// shared secret with such a key is always zero. The all-zero key is one of these keys.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        // A clamped scalar is a multiple of the cofactor. If one clamped scalar gives the all-zero
        // secret, then every clamped scalar does. So one test is enough.
        if x25519([0; 32], *bytes) == [0; 32] {
            return Err(InvalidKey::SmallOrder);
        }
        Ok(Self(*bytes))
    }

    /// A key from the 32 bytes of a u-coordinate, without a check. The caller must know that the
    /// point does not have small order.
    pub(crate) const fn from_bytes_unchecked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the u-coordinate, as the constructor received them. A value at or above the
    /// prime is not reduced.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for X25519Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(&from_hex(text)?)
    }
}

impl fmt::Display for X25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for X25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_prefix(f, "X25519Key", &self.0)
    }
}

/// The raw X25519 shared secret; `None` if it is all zero (RFC 7748, section 6.1). With a checked
/// key, the secret is never all zero.
pub(crate) fn shared_secret(secret: &StaticSecret, peer: &X25519Key) -> Option<SharedSecret> {
    let shared = secret.diffie_hellman(&DalekKey::from(peer.0));
    shared.was_contributory().then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_shared_secret_is_refused_even_for_an_unchecked_key() {
        let secret = StaticSecret::from([7; 32]);
        assert!(shared_secret(&secret, &X25519Key([0; 32])).is_none());
    }

    #[test]
    fn a_key_above_the_prime_is_accepted_and_keeps_its_bytes() {
        // 2^255 - 19 + 9 is the u-coordinate of the base point, not reduced.
        let mut bytes = [0xff; 32];
        bytes[0] = 0xf6;
        bytes[31] = 0x7f;
        let key = X25519Key::from_bytes(&bytes).unwrap();
        assert_eq!(key.as_bytes(), &bytes);
        let mut base = [0; 32];
        base[0] = 9;
        let secret = StaticSecret::from([7; 32]);
        let (raw, reduced) =
            (shared_secret(&secret, &key).unwrap(), shared_secret(&secret, &X25519Key(base)).unwrap());
        assert_eq!(raw.as_bytes(), reduced.as_bytes());
    }
}
