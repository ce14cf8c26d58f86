//! [`RetryPolicy`]: the number of attempts, and the waits between them.

use std::time::Duration;

use crate::entropy::Entropy;

/// The number of attempts, and the waits between attempts.
///
/// The wait after attempt *n* is a random time between *w* / 2 and *w*, where *w* is `first · 2ⁿ⁻¹`
/// but at most `longest`. The wait is random so that clients that failed at the same time do not
/// retry at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Number of attempts, including the first one; 0 has the effect of 1.
    pub attempts: u32,
    /// Maximum wait after the first failed attempt.
    pub first: Duration,
    /// Maximum wait after any failed attempt. If the server asks for a longer wait, a send fails
    /// with an error that contains the wait of the server.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    /// Six attempts within about eight seconds.
    fn default() -> Self {
        Self { attempts: 6, first: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// The wait after `failures` (at least 1) failed attempts in a row. If `entropy` fails, the
    /// wait is not random but the longest possible one.
    pub(crate) fn delay_after(&self, failures: u32, entropy: &mut dyn Entropy) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        let mut random = [0; 4];
        let share = match entropy.fill(&mut random) {
            Ok(()) => f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX),
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
        let delay = |failures| POLICY.delay_after(failures, &mut Fixed(Some(0xff))).as_millis();
        let delays = [1, 2, 3, 4, 5, 99, u32::MAX].map(delay);
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn a_wait_is_shortened_by_at_most_half_and_not_at_all_without_randomness() {
        assert_eq!(POLICY.delay_after(1, &mut Fixed(Some(0))).as_millis(), 50);
        assert_eq!(POLICY.delay_after(1, &mut Fixed(None)).as_millis(), 100);
        for failures in 0..40 {
            let wait = POLICY.delay_after(failures, &mut OsEntropy);
            assert!((Duration::from_millis(50)..=POLICY.longest).contains(&wait), "{wait:?}");
        }
    }
}
