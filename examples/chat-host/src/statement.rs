//! The statement that a sign-in signs, and the verification of the signature.

use dm_core::UserId;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::origin::{Origin, Origins};

const V2: &[u8] = b"dm-chat-host auth v2\0";
const V1: &[u8] = b"dm-chat-host auth v1\0";

/// The statements that the host accepts.
#[derive(Clone, Debug)]
pub struct Statements {
    /// The origins that a statement of version 2 may contain.
    pub origins: Origins,
    /// Whether statements of version 1, which contain no origin, are accepted.
    pub legacy: LegacyStatements,
}

/// Whether statements of version 1 are accepted. Another host can get such a statement signed and
/// forward it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyStatements {
    /// Statements of version 1 are refused.
    Refused,
    /// Statements of version 1 are accepted.
    Accepted,
}

impl Statements {
    /// Whether `signature` is the user's signature over one of the accepted statements. The check
    /// is strict: no small-order or non-canonical parts (RFC 8032, section 5.1.7). It costs one
    /// verification per origin.
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
            || (self.legacy == LegacyStatements::Accepted && holds(v1(server_id, challenge)))
    }
}

/// The statement of version 2: purpose and version, the origin that the client connected to, the
/// host's id and the challenge, separated by zero bytes. A signature is valid for exactly this
/// combination.
#[must_use]
pub fn v2(origin: &Origin, server_id: &str, challenge: &[u8; 32]) -> Vec<u8> {
    [V2, origin.as_str().as_bytes(), b"\0", server_id.as_bytes(), b"\0", challenge].concat()
}

/// The statement of version 1, without an origin.
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

    fn statements(legacy: LegacyStatements) -> Statements {
        let named = vec![origin("https://chat.example"), origin("http://10.0.0.5:8080")];
        Statements { origins: Origins::known(named, "0.0.0.0:80".parse().unwrap()).unwrap(), legacy }
    }

    #[test]
    fn a_signature_is_valid_for_its_user_origin_host_challenge_and_purpose_only() {
        let ((ana_key, ana), (_, bo)) = (key(1), key(2));
        let known = statements(LegacyStatements::Refused);
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
    fn the_legacy_statement_is_accepted_only_if_configured() {
        let (ana_key, ana) = key(1);
        let signature = ana_key.sign(&v1("host", &[7; 32])).to_bytes();
        for (legacy, accepted) in [(LegacyStatements::Refused, false), (LegacyStatements::Accepted, true)] {
            assert_eq!(statements(legacy).are_signed(ana, "host", &[7; 32], &signature), accepted);
        }
    }

    #[test]
    fn small_order_and_non_canonical_signatures_are_refused() {
        let ((ana_key, ana), known) = (key(1), statements(LegacyStatements::Refused));
        let good = ana_key.sign(&v2(&origin("https://chat.example"), "host", &[7; 32])).to_bytes();
        // The point R has small order.
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let mut signature = good;
            signature[..32].copy_from_slice(torsion.compress().as_bytes());
            assert!(!known.are_signed(ana, "host", &[7; 32], &signature));
        }
        // The scalar s + L is a second encoding of s: the group's order is added, little-endian.
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
    fn a_signature_under_a_key_of_small_order_is_refused() {
        // With the neutral element as key and R, and s = 0, the plain equation holds for every
        // message.
        let neutral = curve25519_dalek::constants::EIGHT_TORSION[0].compress().to_bytes();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&neutral);
        let known = statements(LegacyStatements::Accepted);
        assert!(!known.are_signed(UserId::from_stored(neutral), "host", &[7; 32], &signature));
        assert!(UserId::from_bytes(neutral).is_err(), "the key is not a valid user id either");
    }
}
