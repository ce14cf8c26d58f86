//! Published X25519 keys, their versions, their binding to a user, and the records that keep them.

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::invalid::Invalid;
use crate::numbers::Revision;
use crate::record::{Owner, Record, RecordKey, Tag};
use crate::time::Timestamp;
use crate::user::UserId;

/// An X25519 public key (RFC 7748), 32 bytes. The text form is 64 hexadecimal digits. `Debug`
/// prints no digits.
///
/// The key is not all-zero and not of small order. With a key of small order anybody could compute
/// the shared secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct X25519Key([u8; 32]);

impl X25519Key {
    /// A key from its 32 bytes, which are checked.
    ///
    /// # Errors
    /// [`Invalid`] when the key is zero or of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Invalid> {
        // Multiplication by the cofactor maps exactly the small-order points to the identity.
        if (MontgomeryPoint(bytes) * Scalar::from(8_u8)).is_identity() {
            return Err(Invalid::new("x25519_pubkey", "an X25519 public key of small order"));
        }
        Ok(Self(bytes))
    }

    /// A key from bytes that a store wrote for an [`X25519Key`]. The bytes are not checked, so this
    /// must not be used for input.
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key is the Montgomery form of a user's Ed25519 key, which is the [`UserId`].
    /// Anybody can check this. Only the user has the secret key of such a key.
    #[must_use]
    pub fn is_derived_from(&self, user: UserId) -> bool {
        user.to_montgomery() == Some(self.0)
    }
}

impl FromStr for X25519Key {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid::new("x25519_pubkey", "not 64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(invalid);
        }
        HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| invalid)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for X25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for X25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Key(…)")
    }
}

/// The version of a user's published key: 1, 2, 3 …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyVersion(u32);

impl KeyVersion {
    /// The version of a user's first key.
    pub const FIRST: Self = Self(1);

    /// A version from the wire or from a store.
    ///
    /// # Errors
    /// [`Invalid`] for zero.
    pub const fn new(version: u32) -> Result<Self, Invalid> {
        if version == 0 { Err(Invalid::new("key_version", "versions start at 1")) } else { Ok(Self(version)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this one. The largest version is returned unchanged.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The tag of the [record](KeyRecord::to_record) of a key of this version: the version in four
    /// bytes, big-endian, then zeros. A send that names a version requires this tag.
    #[must_use]
    pub fn tag(self) -> Tag {
        Tag::from_bytes((u128::from(self.0) << 96).to_be_bytes())
    }
}

/// Whether a published key is proven to belong to its user, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyBinding {
    /// The key is the Montgomery form of the user's Ed25519 key, which is the [`UserId`]. The
    /// service has checked this.
    Derived,
    /// There is no proof. The service knows only that the caller who published the key was
    /// authenticated as the user.
    Unproven,
}

impl KeyBinding {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Derived => "derived",
            Self::Unproven => "unproven",
        }
    }

    /// The number that a store keeps. Numbers are never reused; 2 is reserved for signed keys.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Derived => 1,
            Self::Unproven => 3,
        }
    }

    /// The binding with a number from [`code`](Self::code), or `None` for a number that this
    /// version of the library does not know.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Derived),
            3 => Some(Self::Unproven),
            _ => None,
        }
    }
}

/// A published key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The owner of the key.
    pub user: UserId,
    /// The key.
    pub key: X25519Key,
    /// Its version.
    pub version: KeyVersion,
    /// The time at which this version was published.
    pub published_at: Timestamp,
    /// The proof that the key belongs to the user, if there is one.
    pub binding: KeyBinding,
}

impl KeyRecord {
    /// The first byte of the encoded form.
    const FORM: u8 = 1;

    /// The record that keeps this key: the user's [fence](crate::record::Kind::FENCE). Its value is
    /// a byte with the form, 1, then the version in 4 bytes, the key in 32, the time of publication
    /// in 8 and the binding in 1. Integers are big-endian.
    #[must_use]
    pub fn to_record(&self) -> Record {
        let mut value = BytesMut::with_capacity(46);
        value.put_u8(Self::FORM);
        value.put_u32(self.version.get());
        value.put_slice(self.key.as_bytes());
        value.put_u64(self.published_at.as_millis());
        value.put_u8(self.binding.code());
        Record {
            key: RecordKey::fence(Owner::User(self.user)),
            value: value.freeze(),
            tag: self.version.tag(),
            due: None,
            revision: Revision::ZERO,
        }
    }

    /// The key that a user's fence keeps; `None` if the value is empty or of an unknown form.
    #[must_use]
    pub fn from_value(user: UserId, value: &Bytes) -> Option<Self> {
        let (&[Self::FORM], rest) = value.split_first_chunk::<1>()? else { return None };
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (published_at, rest) = rest.split_first_chunk::<8>()?;
        let &[binding] = rest else { return None };
        Some(Self {
            user,
            key: X25519Key::from_stored(*key),
            version: KeyVersion::new(u32::from_be_bytes(*version)).ok()?,
            published_at: Timestamp::from_millis(u64::from_be_bytes(*published_at)),
            binding: KeyBinding::from_code(binding)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    #[test]
    fn zero_and_small_order_keys_are_refused_in_every_encoding() {
        // The low-order u-coordinates listed at cr.yp.to/ecdh.html: 0, 1, two of order 8, p-1, and
        // p, p+1.
        let listed = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // The first two with the top bit set, which X25519 ignores.
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000080",
        ];
        for text in listed {
            assert!(text.parse::<X25519Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_parsed_in_either_case_and_only_at_its_exact_length() {
        let key = X25519Key::from_bytes(user(1).to_montgomery().unwrap()).unwrap();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(text.to_uppercase().parse(), Ok(key));
        for wrong in [&text[1..], &text[2..], &format!("{text}0"), &format!("{text}00"), ""] {
            assert!(wrong.parse::<X25519Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_derived_from_its_own_identity_only() {
        let key = X25519Key::from_bytes(user(1).to_montgomery().unwrap()).unwrap();
        assert!(key.is_derived_from(user(1)));
        assert!(!key.is_derived_from(user(2)));
    }

    #[test]
    fn a_key_is_decoded_from_its_record_and_from_no_shorter_or_longer_value() {
        let key = KeyRecord {
            user: user(1),
            key: X25519Key::from_stored([9; 32]),
            version: KeyVersion::FIRST.next(),
            published_at: Timestamp::from_millis(6),
            binding: KeyBinding::Unproven,
        };
        let record = key.to_record();
        assert_eq!(KeyRecord::from_value(user(1), &record.value), Some(key));
        assert_eq!(record.tag, key.version.tag());
        assert_ne!(record.tag, KeyVersion::FIRST.tag());
        for len in 0..record.value.len() {
            assert_eq!(KeyRecord::from_value(user(1), &record.value.slice(..len)), None, "{len}");
        }
        let longer = Bytes::from([&*record.value, &[0]].concat());
        assert_eq!(KeyRecord::from_value(user(1), &longer), None);
    }

    #[test]
    fn each_binding_is_decoded_from_its_code() {
        for binding in [KeyBinding::Derived, KeyBinding::Unproven] {
            assert_eq!(KeyBinding::from_code(binding.code()), Some(binding));
        }
        assert_eq!(KeyBinding::from_code(0), None);
    }
}
