//! Where randomness comes from: one seam, so that a run can be repeated.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A source of unpredictable bytes.
///
/// To ensure correctness, an implementation used outside of tests
///
/// 1. fills the whole of `out` with bytes from a cryptographically secure generator, or returns an error;
/// 2. never repeats its output, not after a fork, a restart or the restoring of a virtual machine.
///
/// Nonces and identities come from here. [`OsEntropy`] is the one to use.
pub trait Entropy {
    /// Fills `out`, of any length, with random bytes.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if the source has failed; what `out` then holds must not be used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(out)
    }
}

/// The operating system's generator (`getrandom(2)` and its like).
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(EntropyError::new)
    }
}

/// The source of randomness failed. On a working system it does not.
#[derive(Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct EntropyError(#[source] Box<dyn Error + Send + Sync>);

impl EntropyError {
    /// Wraps what an [`Entropy`] failed with.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Randomness that clones of a client share.
#[derive(Clone)]
pub(crate) struct SharedEntropy(Arc<Mutex<dyn Entropy + Send>>);

impl SharedEntropy {
    pub(crate) fn new(entropy: impl Entropy + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(entropy)))
    }

    /// Never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, dyn Entropy + Send + 'static> {
        // A source that panicked in mid-draw has given nothing that is used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_from_the_system_differ() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        OsEntropy.fill(&mut first).unwrap();
        OsEntropy.fill(&mut second).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn the_cause_of_a_failure_is_kept() {
        let error = EntropyError::new("no device");
        assert_eq!(error.source().unwrap().to_string(), "no device");
    }
}
