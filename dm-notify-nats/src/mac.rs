//! [`FrameMac`]: makes and verifies tags. The *tag* of a frame is a message authentication code,
//! which only nodes with the key can make.
//!
//! A tag is 16 bytes of BLAKE2b (RFC 7693), with a key that the nodes share. Its input is the
//! length of the subject in 4 bytes, the subject, and the frame. So a frame is valid on its own
//! subject only. The personalization of BLAKE2b names this use and its version, so no other use of
//! the key makes a valid tag. A message is the frame, followed by the tag.
//!
//! An attacker who saw a frame with its tag can still replay it. A replayed hint has no effect,
//! because a session delivers each entry once, by its number. Frames that end sessions have a stamp
//! ([`replay_filter`](crate::replay_filter)). A reply has a subject of its own
//! ([`requests`](crate::requests)).

use std::fmt;
use std::str::FromStr;

use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::consts::U16;
use bytes::Bytes;
use dm_core::Invalid;
use zeroize::Zeroizing;

/// The length of a tag, in bytes.
pub(crate) const TAG_LEN: usize = 16;
/// The personalization of BLAKE2b, which names this use of the key and its version.
const PURPOSE: &[u8; 16] = b"dm-notify-nats 2";

/// A key that the nodes share to authenticate frames. `Debug` does not show the key. Its memory is
/// cleared when it is dropped.
///
/// The text form has 64 hexadecimal digits, as `openssl rand -hex 32` writes them. White space
/// around the digits is ignored.
///
/// ```
/// use dm_notify_nats::{HintKey, NatsConfig};
///
/// let mut config = NatsConfig::default();
/// config.keys = vec!["6b43b17f1e1cc0e61b5bb4b3c7b1cd0a1be6b0a4e7b8b4b4a0c5e1c3a2d4f601\n".parse()?];
/// assert_eq!(format!("{:?}", config.keys), "[HintKey(..)]");
/// # Ok::<(), dm_core::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HintKey(Zeroizing<[u8; Self::LEN]>);

impl HintKey {
    /// The length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A key from its bytes, which must be random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl FromStr for HintKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("keys", "not 64 hexadecimal digits");
        let text = text.trim();
        if text.len() != 2 * Self::LEN || !text.is_ascii() {
            return Err(wrong());
        }
        let mut key = Self::from_bytes([0; Self::LEN]);
        for (n, byte) in key.0.iter_mut().enumerate() {
            let digits = text.get(2 * n..2 * n + 2).ok_or_else(wrong)?;
            // The parser below would accept a sign.
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(key)
    }
}

impl fmt::Debug for HintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HintKey(..)")
    }
}

/// Appends and verifies tags. Without keys, no tag is appended, and every frame is valid.
pub(crate) struct FrameMac {
    /// One hasher for each key, without input. Tags are made with the first key. Tags by any of the
    /// keys are valid.
    hashers: Vec<Blake2bMac<U16>>,
}

/// The error of a frame without a valid tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthenticated;

impl FrameMac {
    pub(crate) fn new(keys: &[HintKey]) -> Result<Self, Invalid> {
        let keyed = |key: &HintKey| {
            Blake2bMac::new_with_salt_and_personal(Some(key.0.as_slice()), &[], PURPOSE)
                .map_err(|_| Invalid::new("keys", "cannot be used"))
        };
        Ok(Self { hashers: keys.iter().map(keyed).collect::<Result<_, _>>()? })
    }

    /// Whether there is a key, so that frames are authenticated.
    pub(crate) const fn is_keyed(&self) -> bool {
        !self.hashers.is_empty()
    }

    /// Appends the tag to a frame.
    pub(crate) fn append(&self, subject: &str, mut frame: Vec<u8>) -> Bytes {
        if let Some(keyed) = self.hashers.first() {
            let tag = mac_over(keyed, subject, &frame).finalize().into_bytes();
            frame.extend_from_slice(&tag);
        }
        frame.into()
    }

    /// Verifies the tag of a message, and returns the frame without it.
    pub(crate) fn verify(&self, subject: &str, bytes: &Bytes) -> Result<Bytes, Unauthenticated> {
        if !self.is_keyed() {
            return Ok(bytes.clone());
        }
        let (frame, tag) = bytes.split_last_chunk::<TAG_LEN>().ok_or(Unauthenticated)?;
        // The comparison with each key takes constant time.
        if self.hashers.iter().any(|keyed| mac_over(keyed, subject, frame).verify_slice(tag).is_ok()) {
            Ok(bytes.slice_ref(frame))
        } else {
            Err(Unauthenticated)
        }
    }
}

/// A copy of the hasher `keyed`, with the input of a tag.
fn mac_over(keyed: &Blake2bMac<U16>, subject: &str, frame: &[u8]) -> Blake2bMac<U16> {
    let len = u32::try_from(subject.len()).unwrap_or(u32::MAX).to_be_bytes();
    keyed.clone().chain_update(len).chain_update(subject).chain_update(frame)
}

impl fmt::Debug for FrameMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameMac").field("keys", &self.hashers.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_mac(keys: &[u8]) -> FrameMac {
        let keys: Vec<_> = keys.iter().map(|key| HintKey::from_bytes([*key; 32])).collect();
        FrameMac::new(&keys).unwrap()
    }

    #[test]
    fn a_tag_is_valid_only_with_its_key_and_on_its_subject() {
        let tagged = frame_mac(&[1]).append("dm.user.a", b"frame".to_vec());
        assert_eq!(tagged.len(), 5 + TAG_LEN);
        assert_eq!(frame_mac(&[1]).verify("dm.user.a", &tagged), Ok(Bytes::from_static(b"frame")));
        assert_eq!(frame_mac(&[1]).verify("dm.user.b", &tagged), Err(Unauthenticated), "another subject");
        assert_eq!(frame_mac(&[2]).verify("dm.user.a", &tagged), Err(Unauthenticated), "another key");
        // The tag covers the border between subject and frame.
        let moved = frame_mac(&[1]).append("dm.user.af", b"rame".to_vec());
        assert_eq!(frame_mac(&[1]).verify("dm.user.a", &moved), Err(Unauthenticated));
        for at in 0..tagged.len() {
            let mut changed = tagged.to_vec();
            changed[at] ^= 1;
            assert_eq!(
                frame_mac(&[1]).verify("dm.user.a", &changed.into()),
                Err(Unauthenticated),
                "byte {at}"
            );
            assert_eq!(
                frame_mac(&[1]).verify("dm.user.a", &tagged.slice(..at)),
                Err(Unauthenticated),
                "cut {at}"
            );
        }
    }

    #[test]
    fn tags_by_the_old_and_the_new_key_are_valid_during_a_change() {
        let (old, both, new) = (frame_mac(&[1]), frame_mac(&[2, 1]), frame_mac(&[2]));
        let frame = || b"frame".to_vec();
        assert!(both.verify("s", &old.append("s", frame())).is_ok());
        assert!(new.verify("s", &both.append("s", frame())).is_ok());
        assert!(new.verify("s", &old.append("s", frame())).is_err());
    }

    #[test]
    fn a_tag_is_the_same_on_every_machine() {
        let tagged = frame_mac(&[7]).append("dm.user.a", b"frame".to_vec());
        let tag: String = tagged[5..].iter().map(|byte| format!("{byte:02x}")).collect();
        // Computed with Python's hashlib.
        assert_eq!(tag, "0c8d8b44e4d5a9e1cb483dff2a490a8c");
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_is_not_shown() {
        let text = "0123456789abcdefABCDEF0123456789".repeat(2);
        let key: HintKey = format!("  {text}\n").parse().unwrap();
        assert_eq!(format!("{key:?} {key:#?}"), "HintKey(..) HintKey(..)");
        for wrong in ["", &text[1..], &"+1".repeat(32), &"zz".repeat(32), &"é".repeat(32)] {
            assert!(wrong.parse::<HintKey>().is_err(), "{wrong:?}");
        }
    }
}
