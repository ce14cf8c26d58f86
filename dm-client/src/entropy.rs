//! [`Entropy`]: the source of randomness. A program can replace it, so that a test can repeat a
//! run.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A source of unpredictable bytes.
///
/// To ensure correctness, an implementation that is used outside of tests
///
/// 1. fills the whole of `out` with bytes from a cryptographically secure generator, or returns an
///    error;
/// 2. never repeats its output, even after a fork, a restart or the restore of a virtual machine.
///
/// Nonces, message ids and identities are made from these bytes. Use [`OsEntropy`].
pub trait Entropy {
    /// Fills `out`, of any length, with random bytes.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if the source fails. The content of `out` must not be used then.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(out)
    }
}

/// The operating system's generator (`getrandom(2)` and its equivalents).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(EntropyError::new)
    }
}

/// The source of randomness failed. On a working system this does not happen.
#[derive(Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct EntropyError(#[source] Box<dyn Error + Send + Sync>);

impl EntropyError {
    /// An error that an [`Entropy`] returns, with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A source of randomness that the clones of a client share.
#[derive(Clone)]
pub(crate) struct SharedEntropy(Arc<Mutex<dyn Entropy + Send>>);

impl SharedEntropy {
    pub(crate) fn new(entropy: impl Entropy + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(entropy)))
    }

    /// Locks the source. The guard must not be held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, dyn Entropy + Send + 'static> {
        // After a panic in `fill`, no caller has used its bytes, so a poisoned lock is no problem.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_of_the_system_source_differ() {
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
