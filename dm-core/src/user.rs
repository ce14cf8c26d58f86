//! [`UserId`], the id of a user: an Ed25519 public key.

use std::fmt;
use std::str::FromStr;

use curve25519_dalek::edwards::CompressedEdwardsY;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::invalid::Invalid;

/// A user: an Ed25519 public key (RFC 8032), 32 bytes.
///
/// The text form is 64 lowercase hexadecimal digits; parsing accepts either case. Ordering is by
/// bytes, which is also the ordering of the text form.
///
/// The key is a canonically encoded curve point, and not of small order. With a key of small order,
/// anybody could make a signature that is valid under the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId([u8; 32]);

impl UserId {
    /// Length of the key in bytes.
    pub const LEN: usize = 32;

    /// A user from the 32 bytes of the key, which are checked. The check decompresses a curve
    /// point, which takes a few microseconds.
    ///
    /// # Errors
    /// [`Invalid`] when the bytes are not a curve point, not the canonical encoding of one, or a
    /// point of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Invalid> {
        let compressed = CompressedEdwardsY(bytes);
        let point = compressed.decompress().ok_or(Invalid::new("user", "not an Ed25519 public key"))?;
        // Decompression reduces the coordinate, so without this check a second encoding of the same
        // point would be a second user.
        if point.compress() != compressed {
            return Err(Invalid::new("user", "not the canonical encoding of an Ed25519 public key"));
        }
        if point.is_small_order() {
            return Err(Invalid::new("user", "an Ed25519 public key of small order"));
        }
        Ok(Self(bytes))
    }

    /// A user from bytes that a store wrote for a [`UserId`]. The bytes are not checked, so this
    /// must not be used for input.
    ///
    /// A [`Store`](crate::store::Store) reads the same keys very often, and the check would slow
    /// down each read.
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The X25519 public key that is the Montgomery form of this key (RFC 7748, section 4.1), or
    /// `None` for bytes from [`from_stored`](Self::from_stored) that are not a curve point.
    pub(crate) fn to_montgomery(self) -> Option<[u8; 32]> {
        CompressedEdwardsY(self.0).decompress().map(|point| point.to_montgomery().to_bytes())
    }
}

impl FromStr for UserId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; Self::LEN];
        if text.len() != 2 * Self::LEN {
            return Err(Invalid::new("user", "not 64 hexadecimal digits"));
        }
        HEXLOWER_PERMISSIVE
            .decode_mut(text.as_bytes(), &mut bytes)
            .map_err(|_| Invalid::new("user", "not 64 hexadecimal digits"))?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The first eight digits: enough to follow one user through a log without printing whole keys.
impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "UserId({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_POINT: &str = "5866666666666666666666666666666666666666666666666666666666666666";

    #[test]
    fn either_case_parses_and_lowercase_is_printed() {
        let user: UserId = BASE_POINT.to_uppercase().parse().unwrap();
        assert_eq!(user.to_string(), BASE_POINT);
    }

    #[test]
    fn wrong_lengths_and_digits_are_refused() {
        for text in
            ["", "58", &BASE_POINT[1..], &format!("{BASE_POINT}00"), &format!("{}zz", &BASE_POINT[2..])]
        {
            assert!(text.parse::<UserId>().is_err(), "{text}");
        }
    }

    #[test]
    fn small_order_points_are_refused() {
        // The eight torsion points (RFC 8032's curve): identity, order 2, order 4 twice, order 8
        // four times.
        for point in curve25519_dalek::constants::EIGHT_TORSION {
            assert!(UserId::from_bytes(point.compress().to_bytes()).is_err());
        }
    }

    #[test]
    fn encodings_that_are_no_point_or_not_canonical_are_refused() {
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert!(UserId::from_bytes(no_point).is_err(), "y = 2 is on no point");
        // p + 3 encodes the same coordinate as 3 and decompresses, but is a second encoding of that
        // point.
        let mut canonical = [0; 32];
        canonical[0] = 3;
        let mut second = [0xff; 32];
        second[0] = 0xf0;
        second[31] = 0x7f;
        assert_eq!(UserId::from_bytes(canonical).is_ok(), CompressedEdwardsY(second).decompress().is_some());
        assert!(UserId::from_bytes(second).is_err());
    }

    #[test]
    fn debug_prints_a_prefix_only() {
        let user: UserId = BASE_POINT.parse().unwrap();
        assert_eq!(format!("{user:?}"), "UserId(58666666…)");
    }
}
