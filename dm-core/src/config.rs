//! Limits and modes, validated once.

use std::time::Duration;

use crate::invalid::Invalid;

/// What the service allows and how it behaves. Start from [`Config::default`] and change fields;
/// [`ServiceBuilder::start`](crate::ServiceBuilder::start) validates the whole.
///
/// ```
/// let mut config = dm_core::Config::default();
/// config.max_payload = 16 * 1024;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Largest encrypted payload in bytes. Default 64 KiB: text and thumbnails; files belong elsewhere.
    pub max_payload: usize,
    /// Most messages in a page of history. Default 100.
    pub history_page: usize,
    /// Bytes at which a page of history ends early. Default 1 MiB.
    pub history_bytes: usize,
    /// Most entries in one fetch of what is pending. Default 1,000, because the seed's client asks once.
    pub pending_page: usize,
    /// Bytes at which such a fetch ends early. Default 8 MiB.
    pub pending_bytes: usize,
    /// Most conversations in one listing, and most ids in one acknowledgement. Default 1,000.
    pub list_page: usize,
    /// Devices a user may have. Default 8.
    pub devices_per_user: usize,
    /// Deliveries a session sends ahead of acknowledgements. Default 256: the memory a client that never
    /// acknowledges can cost, and enough to hide a commit's latency from one that does.
    pub window: usize,
    /// How long a live session waits before it looks into the store on its own, in case every hint was lost.
    /// Default 30 s.
    pub poll_interval: Duration,
    /// How long an inbox entry is held after it was queued, delivered or not. Default 30 days. Messages stay in
    /// their conversation's history.
    pub inbox_retention: Duration,
    /// How often the service looks for expired entries. Default 1 min.
    pub expiry_interval: Duration,
    /// Entries expired in one commit. Default 500: small enough not to show in the latency of sends.
    pub expiry_step: usize,
    /// Peers told of a new key in one commit. Default 500, for the same reason.
    pub announce_step: usize,
    /// Writes waiting to be committed, before callers wait for room. Default 4,096.
    pub queue: usize,
    /// Bytes of payload waiting to be committed, before callers wait for room. A write of more than
    /// that waits until the queue is empty, and takes all of it. Default 64 MiB.
    pub queue_bytes: usize,
    /// Most writes in one commit. Default 512: past that the fsync is already spread thin.
    pub batch: usize,
    /// Bytes of payload at which a batch ends early. Default 4 MiB.
    pub batch_bytes: usize,
    /// How old a commit that is under way may be before [`Service::health`](crate::Service::health)
    /// is not ready. Default 10 s: a batch takes some milliseconds.
    pub commit_bound: Duration,
    /// The same for a read. Default 10 s.
    pub read_bound: Duration,
    /// What acknowledges an entry. Default [`AckMode::Explicit`].
    pub ack_mode: AckMode,
    /// Which keys may be published. Default [`KeyPolicy::Derived`].
    pub key_policy: KeyPolicy,
}

/// What acknowledges an inbox entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// Only the client's word.
    #[default]
    Explicit,
    /// Fetching what is pending acknowledges what the answer holds, as the seed's server did. **Lossy**: an answer
    /// that does not reach the client is gone from what is pending, and stays in history only.
    OnFetch,
}

/// Which X25519 keys a user may publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Only keys whose binding to the identity the service can check.
    #[default]
    Derived,
    /// Any key, on the authenticated caller's word; recorded as unproven.
    AcceptUnproven,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_payload: 64 * 1024,
            history_page: 100,
            history_bytes: 1024 * 1024,
            pending_page: 1_000,
            pending_bytes: 8 * 1024 * 1024,
            list_page: 1_000,
            devices_per_user: 8,
            window: 256,
            poll_interval: Duration::from_secs(30),
            inbox_retention: Duration::from_secs(30 * 24 * 60 * 60),
            expiry_interval: Duration::from_secs(60),
            expiry_step: 500,
            announce_step: 500,
            queue: 4_096,
            queue_bytes: 64 * 1024 * 1024,
            batch: 512,
            batch_bytes: 4 * 1024 * 1024,
            commit_bound: Duration::from_secs(10),
            read_bound: Duration::from_secs(10),
            ack_mode: AckMode::Explicit,
            key_policy: KeyPolicy::Derived,
        }
    }
}

impl Config {
    /// Checks that every limit is one under which the service can work.
    ///
    /// # Errors
    /// [`Invalid`] naming the first field that is not.
    pub fn validate(&self) -> Result<(), Invalid> {
        let counts = [
            ("max_payload", self.max_payload, 16 * 1024 * 1024),
            ("history_page", self.history_page, 10_000),
            ("history_bytes", self.history_bytes, 64 * 1024 * 1024),
            ("pending_page", self.pending_page, 10_000),
            ("pending_bytes", self.pending_bytes, 64 * 1024 * 1024),
            ("list_page", self.list_page, 10_000),
            ("devices_per_user", self.devices_per_user, 1_000),
            ("window", self.window, 65_536),
            ("expiry_step", self.expiry_step, 100_000),
            ("announce_step", self.announce_step, 100_000),
            ("queue", self.queue, 1 << 20),
            // The semaphore that counts these bytes takes 32-bit amounts.
            ("queue_bytes", self.queue_bytes, 1 << 30),
            ("batch", self.batch, 65_536),
            ("batch_bytes", self.batch_bytes, 256 * 1024 * 1024),
        ];
        for (field, value, most) in counts {
            if value == 0 {
                return Err(Invalid::new(field, "must not be zero"));
            }
            if value > most {
                return Err(Invalid::new(field, "beyond any sensible limit"));
            }
        }
        for (field, span) in [
            ("poll_interval", self.poll_interval),
            ("expiry_interval", self.expiry_interval),
            ("commit_bound", self.commit_bound),
            ("read_bound", self.read_bound),
        ] {
            if span < Duration::from_millis(1) {
                return Err(Invalid::new(field, "shorter than a millisecond"));
            }
        }
        if self.queue_bytes < self.max_payload {
            return Err(Invalid::new("queue_bytes", "smaller than max_payload"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_those_that_are_documented() {
        let config = Config::default();
        assert!(config.validate().is_ok());
        let sizes = [config.max_payload, config.history_bytes, config.pending_bytes];
        assert_eq!(sizes, [64 << 10, 1 << 20, 8 << 20]);
        assert_eq!([config.queue_bytes, config.batch_bytes], [64 << 20, 4 << 20]);
        assert_eq!(config.inbox_retention.as_secs(), 2_592_000);
    }

    #[test]
    fn a_zero_or_absurd_limit_is_refused_by_name() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().unwrap_err().field()
        };
        assert_eq!(refused(|c| c.window = 0), "window");
        assert_eq!(refused(|c| c.batch = usize::MAX), "batch");
        assert_eq!(refused(|c| c.poll_interval = Duration::ZERO), "poll_interval");
        assert_eq!(refused(|c| c.queue_bytes = 1), "queue_bytes");
    }

    #[test]
    fn the_largest_limit_is_accepted_and_one_more_is_refused() {
        type Limit = (usize, fn(&mut Config) -> &mut usize);
        let limits: [Limit; 14] = [
            (16 << 20, |c| &mut c.max_payload),
            (10_000, |c| &mut c.history_page),
            (64 << 20, |c| &mut c.history_bytes),
            (10_000, |c| &mut c.pending_page),
            (64 << 20, |c| &mut c.pending_bytes),
            (10_000, |c| &mut c.list_page),
            (1_000, |c| &mut c.devices_per_user),
            (65_536, |c| &mut c.window),
            (100_000, |c| &mut c.expiry_step),
            (100_000, |c| &mut c.announce_step),
            (1 << 20, |c| &mut c.queue),
            (1 << 30, |c| &mut c.queue_bytes),
            (65_536, |c| &mut c.batch),
            (256 << 20, |c| &mut c.batch_bytes),
        ];
        for (most, field) in limits {
            let mut config = Config::default();
            for (value, is_valid) in [(most, true), (most + 1, false), (0, false)] {
                *field(&mut config) = value;
                assert_eq!(config.validate().is_ok(), is_valid, "{value} of {most}");
            }
        }
    }

    #[test]
    fn a_span_of_a_millisecond_is_accepted_and_a_shorter_one_refused() {
        let spans: [fn(&mut Config) -> &mut Duration; 4] = [
            |c| &mut c.poll_interval,
            |c| &mut c.expiry_interval,
            |c| &mut c.commit_bound,
            |c| &mut c.read_bound,
        ];
        for field in spans {
            let mut config = Config::default();
            *field(&mut config) = Duration::from_millis(1);
            assert!(config.validate().is_ok());
            *field(&mut config) = Duration::from_micros(999);
            assert!(config.validate().is_err());
        }
    }
}
