//! The tag by which nodes know each other's words from a stranger's.
//!
//! A tag is 16 bytes of BLAKE2b (RFC 7693), keyed with a key that the nodes share, over the length
//! of the subject in 4 bytes, the subject and the frame; it follows the frame. The personalization
//! of BLAKE2b names this use and its version, so the tag means nothing anywhere else, and a frame
//! means nothing on another subject.
//!
//! A frame with a tag can still be sent again by somebody who saw it. That does nothing to a hint,
//! which a session takes by its number, once; frames that end sessions carry a stamp, see
//! [`freshness`](crate::freshness); an answer has a subject of its own, see
//! [`answers`](crate::answers).

use std::fmt;
use std::str::FromStr;

use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::consts::U16;
use bytes::Bytes;
use dm_core::Invalid;
use zeroize::Zeroizing;

/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 16;
/// Names this use of the key, and the version.
const PURPOSE: &[u8; 16] = b"dm-notify-nats 2";

/// A key that the nodes share, by which they know each other's words. `Debug` shows nothing of it,
/// and the memory is cleared when it is dropped.
///
/// In text it is 64 hexadecimal digits, as `openssl rand -hex 32` writes them; white space around
/// them is ignored.
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
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// A key from its bytes, which have to be random.
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
            // Not a sign, which the parser would take.
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

/// Tags frames, and checks tags. Without keys it does neither.
pub(crate) struct FrameMac {
    /// The first one tags; all of them are accepted. Each is ready to take the subject.
    keyed: Vec<Blake2bMac<U16>>,
}

/// A frame of somebody without the key, or with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthenticated;

impl FrameMac {
    pub(crate) fn new(keys: &[HintKey]) -> Result<Self, Invalid> {
        let keyed = |key: &HintKey| {
            Blake2bMac::new_with_salt_and_personal(Some(key.0.as_slice()), &[], PURPOSE)
                .map_err(|_| Invalid::new("keys", "cannot be used"))
        };
        Ok(Self { keyed: keys.iter().map(keyed).collect::<Result<_, _>>()? })
    }

    /// Whether there is a key, and so reason to believe what a frame says.
    pub(crate) const fn is_keyed(&self) -> bool {
        !self.keyed.is_empty()
    }

    /// A frame with its tag.
    pub(crate) fn append(&self, subject: &str, mut frame: Vec<u8>) -> Bytes {
        if let Some(keyed) = self.keyed.first() {
            let tag = mac_over(keyed, subject, &frame).finalize().into_bytes();
            frame.extend_from_slice(&tag);
        }
        frame.into()
    }

    /// The frame, without its tag.
    pub(crate) fn verify(&self, subject: &str, bytes: &Bytes) -> Result<Bytes, Unauthenticated> {
        if !self.is_keyed() {
            return Ok(bytes.clone());
        }
        let (frame, tag) = bytes.split_last_chunk::<TAG_LEN>().ok_or(Unauthenticated)?;
        // In constant time for each key.
        if self.keyed.iter().any(|keyed| mac_over(keyed, subject, frame).verify_slice(tag).is_ok()) {
            Ok(bytes.slice_ref(frame))
        } else {
            Err(Unauthenticated)
        }
    }
}

fn mac_over(keyed: &Blake2bMac<U16>, subject: &str, frame: &[u8]) -> Blake2bMac<U16> {
    let len = u32::try_from(subject.len()).unwrap_or(u32::MAX).to_be_bytes();
    keyed.clone().chain_update(len).chain_update(subject).chain_update(frame)
}

impl fmt::Debug for FrameMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameMac").field("keys", &self.keyed.len()).finish()
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
    fn what_is_closed_opens_with_the_key_on_its_subject_and_nowhere_else() {
        let closed = frame_mac(&[1]).append("dm.user.a", b"frame".to_vec());
        assert_eq!(closed.len(), 5 + TAG_LEN);
        assert_eq!(frame_mac(&[1]).verify("dm.user.a", &closed), Ok(Bytes::from_static(b"frame")));
        assert_eq!(frame_mac(&[1]).verify("dm.user.b", &closed), Err(Unauthenticated), "another subject");
        assert_eq!(frame_mac(&[2]).verify("dm.user.a", &closed), Err(Unauthenticated), "another key");
        // The border between subject and frame is part of what is tagged.
        let moved = frame_mac(&[1]).append("dm.user.af", b"rame".to_vec());
        assert_eq!(frame_mac(&[1]).verify("dm.user.a", &moved), Err(Unauthenticated));
        for at in 0..closed.len() {
            let mut changed = closed.to_vec();
            changed[at] ^= 1;
            assert_eq!(frame_mac(&[1]).verify("dm.user.a", &changed.into()), Err(Unauthenticated), "byte {at}");
            assert_eq!(frame_mac(&[1]).verify("dm.user.a", &closed.slice(..at)), Err(Unauthenticated), "cut {at}");
        }
    }

    #[test]
    fn a_key_is_changed_without_a_pause_by_accepting_both() {
        let (old, both, new) = (frame_mac(&[1]), frame_mac(&[2, 1]), frame_mac(&[2]));
        let frame = || b"frame".to_vec();
        assert!(both.verify("s", &old.append("s", frame())).is_ok());
        assert!(new.verify("s", &both.append("s", frame())).is_ok());
        assert!(new.verify("s", &old.append("s", frame())).is_err());
    }

    #[test]
    fn a_tag_is_the_same_on_every_machine() {
        let closed = frame_mac(&[7]).append("dm.user.a", b"frame".to_vec());
        let tag: String = closed[5..].iter().map(|byte| format!("{byte:02x}")).collect();
        // As Python's hashlib computes it.
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
