//! [`Entropy`], the source of random bytes for ids. It is passed to the service, so that tests can
//! replace it.

use std::sync::Mutex;
use std::sync::PoisonError;

use uuid::Uuid;

use crate::time::Timestamp;

/// A source of random bytes. The library uses them for ids only, never for keys.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Ids must be unique, not secret, so a weaker source is enough if this one fails.
            SeededEntropy::from_process().fill(buffer);
        }
    }
}

/// Bytes from a seed (SplitMix64): the same seed gives the same bytes. For tests and simulations.
/// [`OsEntropy`] uses it only if the operating system's source fails.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// A source whose bytes depend on the seed only.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A source with a seed that differs between processes, and between calls in one process.
    fn from_process() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self::new(RandomState::new().hash_one(std::process::id()))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // The state is a single number, so even a poisoned one is consistent.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (to, from) in chunk.iter_mut().zip((z ^ (z >> 31)).to_le_bytes()) {
                *to = from;
            }
        }
    }
}

/// A UUIDv7 (RFC 9562) that starts with a time. Such ids sort by their times, so a store adds new
/// ids at the end of its indexes.
pub(crate) fn uuid_v7(at: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let ids = |seed| {
            let entropy = SeededEntropy::new(seed);
            [uuid_v7(Timestamp::from_millis(1), &entropy), uuid_v7(Timestamp::from_millis(1), &entropy)]
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        assert_ne!(ids(1)[0], ids(1)[1]);
    }

    #[test]
    fn a_seed_gives_the_numbers_of_splitmix64() {
        let entropy = SeededEntropy::new(1_234_567);
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes);
        let mut expected = [0; 24];
        // The first outputs of the reference implementation (splitmix64.c at prng.di.unimi.it).
        let numbers = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (chunk, number) in expected.chunks_mut(8).zip(numbers) {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        assert_eq!(bytes, expected[..20]);
    }

    #[test]
    fn ids_are_version_seven_and_sort_by_time() {
        let early = uuid_v7(Timestamp::from_millis(1_000), &OsEntropy);
        let late = uuid_v7(Timestamp::from_millis(2_000), &OsEntropy);
        assert_eq!(early.get_version_num(), 7);
        assert!(early < late);
    }
}
