//! Sign-in challenges: 32 bytes that one user can sign once, within a minute.
//!
//! The host does not store a challenge that it issues. The challenge contains its expiry, and a
//! message authentication code over the expiry and the user. Only the host, or the hosts on one
//! database, have the key of this code. Requests for challenges therefore take no storage, and
//! cannot evict the challenge of another user. The host stores the used challenges, in the same
//! transaction as the token ([`Accounts::sign_in`](crate::accounts::Accounts::sign_in)).

use std::fmt;
use std::time::Duration;

use dm_core::{Timestamp, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The time in which a challenge can be answered.
pub const VALID_FOR: Duration = Duration::from_secs(60);

/// Lengths within a challenge, in bytes: of the expiry, and of the body. The body is the expiry and
/// eight random bytes. The code follows the body.
const EXPIRY: usize = 8;
const BODY: usize = EXPIRY + 8;

/// An issued challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The bytes to sign.
    pub bytes: [u8; 32],
    /// The time from which on the challenge is not valid.
    pub expires_at: Timestamp,
}

/// The key of the code in challenges. It has the length of a block of the hash, so that HMAC uses
/// it unchanged.
#[derive(Clone)]
pub struct ChallengeKey([u8; 64]);

impl ChallengeKey {
    /// A new random key.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The key's bytes, for storing.
    pub(crate) const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The key from its stored bytes.
    pub(crate) const fn from_stored(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Issues a challenge for a user. Everybody may request one for any user; only the user can
    /// sign it.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn issue(&self, user: UserId, now: Timestamp) -> Result<Challenge, getrandom::Error> {
        let expires_at = now.after(VALID_FOR);
        let mut bytes = [0; 32];
        let (body, code) = bytes.split_at_mut(BODY);
        let (expiry, random) = body.split_at_mut(EXPIRY);
        expiry.copy_from_slice(&expires_at.as_millis().to_be_bytes());
        getrandom::fill(random)?;
        let whole = self.code(user, body).finalize().into_bytes();
        code.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        Ok(Challenge { bytes, expires_at })
    }

    /// The challenge with these bytes, if it was issued for this user under this key and has not
    /// expired.
    #[must_use]
    pub fn recognize(&self, user: UserId, bytes: &[u8; 32], now: Timestamp) -> Option<Challenge> {
        let (body, code) = bytes.split_at(BODY);
        // The comparison takes constant time.
        self.code(user, body).verify_truncated_left(code).ok()?;
        let millis = body.first_chunk().copied().map(u64::from_be_bytes)?;
        let expires_at = Timestamp::from_millis(millis);
        (now < expires_at).then_some(Challenge { bytes: *bytes, expires_at })
    }

    fn code(&self, user: UserId, body: &[u8]) -> Hmac<Sha256> {
        Hmac::new(&self.0.into()).chain_update(user.as_bytes()).chain_update(body)
    }
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn user(seed: u8) -> UserId {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        UserId::from_bytes(key.verifying_key().to_bytes()).unwrap()
    }

    #[test]
    fn a_challenge_is_recognized_for_its_user_until_it_expires() {
        let (key, ana) = (ChallengeKey::random().unwrap(), user(1));
        let challenge = key.issue(ana, NOW).unwrap();
        let just_before = NOW.after(VALID_FOR - Duration::from_millis(1));
        for now in [NOW, just_before] {
            assert_eq!(key.recognize(ana, &challenge.bytes, now), Some(challenge));
        }
        assert_eq!(key.recognize(ana, &challenge.bytes, NOW.after(VALID_FOR)), None);
        assert_eq!(key.recognize(user(2), &challenge.bytes, NOW), None);
    }

    #[test]
    fn a_challenge_under_another_key_or_with_a_changed_bit_is_not_recognized() {
        let (key, ana) = (ChallengeKey::random().unwrap(), user(1));
        let challenge = key.issue(ana, NOW).unwrap();
        assert_eq!(ChallengeKey::random().unwrap().recognize(ana, &challenge.bytes, NOW), None);
        for bit in 0..256 {
            let mut bytes = challenge.bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.recognize(ana, &bytes, NOW), None, "bit {bit}");
        }
    }

    #[test]
    fn challenges_are_distinct() {
        let (key, ana) = (ChallengeKey::random().unwrap(), user(1));
        let challenges: std::collections::HashSet<_> =
            (0..1_000).map(|_| key.issue(ana, NOW).unwrap().bytes).collect();
        assert_eq!(challenges.len(), 1_000);
    }
}
