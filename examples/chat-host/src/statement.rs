//! What a sign-in signs: the statement, and whether a signature over it holds.

use dm_core::UserId;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::origin::{Origin, Origins};

const V2: &[u8] = b"dm-chat-host auth v2\0";
const V1: &[u8] = b"dm-chat-host auth v1\0";

/// The statements that a host accepts.
#[derive(Clone, Debug)]
pub struct Statements {
    /// The origins that version 2 may name.
    pub origins: Origins,
    /// Whether version 1, which names no origin, is accepted too.
    pub older: Older,
}

/// Whether the statement of version 1 is accepted: another host can get it signed and pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// It is refused.
    Refused,
    /// It is accepted.
    Accepted,
}

impl Statements {
    /// Whether a user signed one of these statements about a challenge, strictly (no small-order or
    /// non-canonical parts; RFC 8032, 5.1.7). Costs one verification per origin.
    #[must_use]
    pub fn are_signed(
        &self,
        user: UserId,
        server_id: &str,
        challenge: &[u8; 32],
        signature: &[u8; 64],
    ) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(user.as_bytes()) else { return false };
        let signature = Signature::from_bytes(signature);
        let holds = |statement: Vec<u8>| key.verify_strict(&statement, &signature).is_ok();
        self.origins.iter().any(|origin| holds(v2(origin, server_id, challenge)))
            || (self.older == Older::Accepted && holds(v1(server_id, challenge)))
    }
}

/// The statement: its purpose and version, the origin that the client dialled, the host and the
/// challenge, apart by zero bytes, so that a signature made for one of them is good for no other.
#[must_use]
pub fn v2(origin: &Origin, server_id: &str, challenge: &[u8; 32]) -> Vec<u8> {
    [V2, origin.as_str().as_bytes(), b"\0", server_id.as_bytes(), b"\0", challenge].concat()
}

/// The statement before origins were in it.
#[must_use]
pub fn v1(server_id: &str, challenge: &[u8; 32]) -> Vec<u8> {
    [V1, server_id.as_bytes(), b"\0", challenge].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    fn key(seed: u8) -> (SigningKey, UserId) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let user = UserId::from_bytes(key.verifying_key().to_bytes()).unwrap();
        (key, user)
    }

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    fn statements(older: Older) -> Statements {
        let named = vec![origin("https://chat.example"), origin("http://10.0.0.5:8080")];
        Statements { origins: Origins::known(named, "0.0.0.0:80".parse().unwrap()).unwrap(), older }
    }

    #[test]
    fn a_signature_counts_for_its_user_origin_host_challenge_and_purpose_only() {
        let ((ana_key, ana), (_, bo)) = (key(1), key(2));
        let known = statements(Older::Refused);
        let signed = |bytes: &[u8]| ana_key.sign(bytes).to_bytes();
        for named in ["https://chat.example", "http://10.0.0.5:8080"] {
            let good = signed(&v2(&origin(named), "host", &[7; 32]));
            assert!(known.are_signed(ana, "host", &[7; 32], &good));
            assert!(!known.are_signed(bo, "host", &[7; 32], &good));
            assert!(!known.are_signed(ana, "other", &[7; 32], &good));
            assert!(!known.are_signed(ana, "host", &[8; 32], &good));
        }
        let foreign = ["http://chat.example", "https://chat.example:8443", "https://evil.example"];
        for relayed in foreign.map(origin) {
            assert!(!known.are_signed(ana, "host", &[7; 32], &signed(&v2(&relayed, "host", &[7; 32]))));
        }
        assert!(!known.are_signed(ana, "host", &[7; 32], &signed(&[7; 32])), "the bare challenge");
        let other = [b"dm-chat-host auth v3\0https://chat.example\0host\0".as_slice(), &[7; 32]].concat();
        assert!(!known.are_signed(ana, "host", &[7; 32], &signed(&other)));
    }

    #[test]
    fn the_older_statement_counts_where_it_is_allowed() {
        let (ana_key, ana) = key(1);
        let signature = ana_key.sign(&v1("host", &[7; 32])).to_bytes();
        for (older, counts) in [(Older::Refused, false), (Older::Accepted, true)] {
            assert_eq!(statements(older).are_signed(ana, "host", &[7; 32], &signature), counts);
        }
    }

    #[test]
    fn small_order_and_non_canonical_signatures_do_not_count() {
        let ((ana_key, ana), known) = (key(1), statements(Older::Refused));
        let good = ana_key.sign(&v2(&origin("https://chat.example"), "host", &[7; 32])).to_bytes();
        // R of small order.
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let mut signature = good;
            signature[..32].copy_from_slice(torsion.compress().as_bytes());
            assert!(!known.are_signed(ana, "host", &[7; 32], &signature));
        }
        // s + L, the same scalar written a second way (little-endian addition of the group's
        // order).
        let order: [u8; 32] = {
            let mut bytes = (-curve25519_dalek::Scalar::ONE).to_bytes();
            bytes[0] += 1;
            bytes
        };
        let (mut second, mut carry) = (good, 0u16);
        for (byte, add) in second[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_ne!(second, good);
        assert!(!known.are_signed(ana, "host", &[7; 32], &second));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // With the neutral element as key and R, and s = 0, the plain equation holds for every
        // message.
        let neutral = curve25519_dalek::constants::EIGHT_TORSION[0].compress().to_bytes();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&neutral);
        let known = statements(Older::Accepted);
        assert!(!known.are_signed(UserId::from_stored(neutral), "host", &[7; 32], &signature));
        assert!(UserId::from_bytes(neutral).is_err(), "and it is no user in the first place");
    }
}
