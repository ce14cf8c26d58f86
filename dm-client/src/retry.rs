//! How long to wait between attempts.

use std::time::Duration;

use crate::entropy::Entropy;

/// How often and at what distance something is tried again.
///
/// The wait before attempt *n* + 1 lies between half and all of `first · 2ⁿ⁻¹`, at most `longest`; where in
/// between is random, so that clients that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least one is made.
    pub attempts: u32,
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait. If a server asks for a longer one, the call gives up and says how long.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    /// Six attempts over about eight seconds.
    fn default() -> Self {
        Self { attempts: 6, first: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// The wait after `failures` failures in a row, from 1. If `entropy` fails, it is the whole of it.
    pub(crate) fn wait(&self, failures: u32, entropy: &mut dyn Entropy) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        let mut drawn = [0; 4];
        let share = match entropy.fill(&mut drawn) {
            Ok(()) => f64::from(u32::from_be_bytes(drawn)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        };
        let half = whole / 2;
        half + (whole - half).mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{EntropyError, OsEntropy};

    struct Fixed(Option<u8>);

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            out.fill(self.0.ok_or_else(|| EntropyError::new("broken"))?);
            Ok(())
        }
    }

    const POLICY: RetryPolicy =
        RetryPolicy { attempts: 6, first: Duration::from_millis(100), longest: Duration::from_secs(1) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = [1, 2, 3, 4, 5, 99, u32::MAX].map(|n| POLICY.wait(n, &mut Fixed(Some(0xff))).as_millis());
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn chance_takes_at_most_half_and_its_failure_takes_nothing() {
        assert_eq!(POLICY.wait(1, &mut Fixed(Some(0))).as_millis(), 50);
        assert_eq!(POLICY.wait(1, &mut Fixed(None)).as_millis(), 100);
        for failures in 0..40 {
            let wait = POLICY.wait(failures, &mut OsEntropy);
            assert!((Duration::from_millis(50)..=POLICY.longest).contains(&wait), "{wait:?}");
        }
    }
}
