//! Sign-in challenges: 32 random bytes that one user may sign, once, within a minute.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::{StoreError, Timestamp, UserId};
use ed25519_dalek::{Signature, VerifyingKey};
use lru::LruCache;

use crate::accounts::{Accounts, SharedAccounts, no_randomness};

/// How long a challenge may be answered.
pub const VALID_FOR: Duration = Duration::from_secs(60);

/// Challenges waiting for an answer, before the oldest goes: at most about eight megabytes. Who floods the host with
/// requests can push others' challenges out, and then needs a thousand a second to do so within the minute.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

const PURPOSE: &[u8] = b"dm-chat-host auth v1\0";

/// The challenges that wait for an answer.
#[derive(Debug)]
pub struct Challenges(Kept);

#[derive(Debug)]
enum Kept {
    // Nothing is ever looked up without being taken out, so the least recently used is the oldest.
    Here(Mutex<LruCache<[u8; 32], Waiting>>),
    /// With the accounts: the answer may come to another host.
    Shared(SharedAccounts),
}

/// A challenge that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The bytes to sign.
    pub bytes: [u8; 32],
    /// When they stop being valid.
    pub expires_at: Timestamp,
}

#[derive(Debug)]
struct Waiting {
    user: UserId,
    expires_at: Timestamp,
}

impl Challenges {
    /// None waiting; they are kept in memory, or beside accounts that several hosts share.
    #[must_use]
    pub fn beside(accounts: &Accounts) -> Self {
        match accounts.shared() {
            None => Self::with_capacity(CAPACITY),
            Some(shared) => Self(Kept::Shared(shared.clone())),
        }
    }

    fn with_capacity(capacity: NonZeroUsize) -> Self {
        Self(Kept::Here(Mutex::new(LruCache::new(capacity))))
    }

    /// Gives a user a challenge. Whoever asks may ask in anyone's name; only the owner of the key can answer.
    ///
    /// # Errors
    /// When the operating system gives no random bytes, or shared accounts cannot be reached.
    pub async fn issue(&self, user: UserId, now: Timestamp) -> Result<Challenge, StoreError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(no_randomness)?;
        let challenge = Challenge { bytes, expires_at: now.after(VALID_FOR) };
        match &self.0 {
            Kept::Here(waiting) => {
                _ = lock(waiting).put(bytes, Waiting { user, expires_at: challenge.expires_at });
            }
            Kept::Shared(shared) => shared.keep(user, &challenge, now).await?,
        }
        Ok(challenge)
    }

    /// Takes a challenge out, and says whether this user could answer it now. Whatever the answer, it is used up:
    /// of any number of attempts at once, one at most is told `true`.
    ///
    /// # Errors
    /// When shared accounts cannot be reached.
    pub async fn redeem(
        &self,
        user: UserId,
        challenge: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let taken = match &self.0 {
            Kept::Here(waiting) => lock(waiting).pop(challenge),
            Kept::Shared(shared) => {
                shared.take(challenge).await?.map(|(user, expires_at)| Waiting { user, expires_at })
            }
        };
        Ok(taken.is_some_and(|waiting| waiting.user == user && now < waiting.expires_at))
    }
}

fn lock(waiting: &Mutex<LruCache<[u8; 32], Waiting>>) -> MutexGuard<'_, LruCache<[u8; 32], Waiting>> {
    // Nothing panics while this is locked.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a user signed a challenge of this host, strictly (no small-order or non-canonical parts; RFC 8032, 5.1.7).
#[must_use]
pub fn is_signed(user: UserId, server_id: &str, challenge: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(user.as_bytes()) else { return false };
    key.verify_strict(&statement(server_id, challenge), &Signature::from_bytes(signature)).is_ok()
}

/// What is signed: the purpose, the host and the challenge, apart by zero bytes, so that a signature made for one of
/// them is good for no other.
#[must_use]
pub fn statement(server_id: &str, challenge: &[u8; 32]) -> Vec<u8> {
    [PURPOSE, server_id.as_bytes(), b"\0", challenge].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn key(seed: u8) -> (SigningKey, UserId) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let user = UserId::from_bytes(key.verifying_key().to_bytes()).unwrap();
        (key, user)
    }

    fn here() -> Challenges {
        Challenges::with_capacity(CAPACITY)
    }

    #[tokio::test]
    async fn a_challenge_works_once() {
        let (challenges, (_, ana)) = (here(), key(1));
        let challenge = challenges.issue(ana, NOW).await.unwrap();
        assert!(challenges.redeem(ana, &challenge.bytes, NOW).await.unwrap());
        assert!(!challenges.redeem(ana, &challenge.bytes, NOW).await.unwrap());
    }

    #[tokio::test]
    async fn a_challenge_works_for_its_user_only() {
        let (challenges, (_, ana), (_, bo)) = (here(), key(1), key(2));
        let challenge = challenges.issue(ana, NOW).await.unwrap();
        assert!(!challenges.redeem(bo, &challenge.bytes, NOW).await.unwrap());
    }

    #[tokio::test]
    async fn a_challenge_ends_after_its_minute() {
        let (challenges, (_, ana)) = (here(), key(1));
        let kept = challenges.issue(ana, NOW).await.unwrap();
        let late = challenges.issue(ana, NOW).await.unwrap();
        let just_before = NOW.after(VALID_FOR - Duration::from_millis(1));
        assert!(challenges.redeem(ana, &kept.bytes, just_before).await.unwrap());
        assert!(!challenges.redeem(ana, &late.bytes, NOW.after(VALID_FOR)).await.unwrap());
    }

    #[tokio::test]
    async fn when_too_many_wait_the_oldest_goes() {
        let (challenges, (_, ana)) = (Challenges::with_capacity(NonZeroUsize::new(100).unwrap()), key(1));
        let mut issued = Vec::new();
        for _ in 0..1_000 {
            issued.push(challenges.issue(ana, NOW).await.unwrap());
        }
        assert!(!challenges.redeem(ana, &issued[899].bytes, NOW).await.unwrap());
        assert!(challenges.redeem(ana, &issued[900].bytes, NOW).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn of_many_attempts_at_once_one_succeeds() {
        let (challenges, (_, ana)) = (std::sync::Arc::new(here()), key(1));
        let challenge = challenges.issue(ana, NOW).await.unwrap();
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(8));
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (challenges, start) = (challenges.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    challenges.redeem(ana, &challenge.bytes, NOW).await.unwrap()
                })
            })
            .collect();
        let mut successes = 0;
        for attempt in attempts {
            successes += usize::from(attempt.await.unwrap());
        }
        assert_eq!(successes, 1);
    }

    #[test]
    fn a_signature_counts_for_its_user_host_challenge_and_purpose_only() {
        let ((ana_key, ana), (_, bo)) = (key(1), key(2));
        let signed = |bytes: &[u8]| ana_key.sign(bytes).to_bytes();
        let good = signed(&statement("host", &[7; 32]));
        assert!(is_signed(ana, "host", &[7; 32], &good));
        assert!(!is_signed(bo, "host", &[7; 32], &good));
        assert!(!is_signed(ana, "other", &[7; 32], &good));
        assert!(!is_signed(ana, "host", &[8; 32], &good));
        assert!(!is_signed(ana, "host", &[7; 32], &signed(&[7; 32])), "the bare challenge");
        let other_purpose = [b"dm-chat-host auth v2\0host\0".as_slice(), &[7; 32]].concat();
        assert!(!is_signed(ana, "host", &[7; 32], &signed(&other_purpose)));
    }

    #[test]
    fn small_order_and_non_canonical_signatures_do_not_count() {
        let (ana_key, ana) = key(1);
        let good = ana_key.sign(&statement("host", &[7; 32])).to_bytes();
        // R of small order.
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let mut signature = good;
            signature[..32].copy_from_slice(torsion.compress().as_bytes());
            assert!(!is_signed(ana, "host", &[7; 32], &signature));
        }
        // s + L, the same scalar written a second way (little-endian addition of the group's order).
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
        assert!(!is_signed(ana, "host", &[7; 32], &second));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // With the neutral element as key and R, and s = 0, the plain equation holds for every message.
        let neutral = curve25519_dalek::constants::EIGHT_TORSION[0].compress().to_bytes();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&neutral);
        assert!(!is_signed(UserId::from_stored(neutral), "host", &[7; 32], &signature));
        assert!(UserId::from_bytes(neutral).is_err(), "and it is no user in the first place");
    }
}
