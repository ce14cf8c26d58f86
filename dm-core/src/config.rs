//! [`Config`], the limits and modes of a service. The crate's front page explains the
//! [terms](crate#terms), such as window, batch and lane.

use std::time::Duration;

use crate::invalid::Invalid;
use crate::store::Write;

/// The limits and modes of a service. Start from [`Config::default`] and change fields;
/// [`ServiceBuilder::start`](crate::ServiceBuilder::start) checks all fields.
///
/// ```
/// let mut config = dm_core::Config::default();
/// config.max_payload = 16 * 1024;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Maximum size of an encrypted payload in bytes. Default 64 KiB.
    ///
    /// 64 KiB are enough for text and thumbnails. Files should be stored elsewhere.
    pub max_payload: usize,
    /// Maximum number of messages in a page of history. Default 100.
    pub history_page: usize,
    /// Maximum number of bytes in a page of history, by [`Message::cost`](crate::Message::cost). A
    /// single message may exceed it. Default 1 MiB.
    pub history_bytes: usize,
    /// Maximum number of entries in one fetch of pending entries. Default 1,000, because
    /// [seed clients](crate#terms) ask for one page only.
    pub pending_page: usize,
    /// Maximum number of bytes in one fetch of pending entries, by
    /// [`InboxEntry::cost`](crate::InboxEntry::cost). A single entry may exceed it. Default 8 MiB.
    pub pending_bytes: usize,
    /// Maximum number of conversations in a page of a list. Default 1,000.
    ///
    /// The larger of this and [`pending_page`](Self::pending_page) is also the maximum number of
    /// entries or messages that one acknowledgement names.
    pub list_page: usize,
    /// Maximum number of devices of a user. Default 8.
    pub devices_per_user: usize,
    /// Maximum number of deliveries of a session that are not acknowledged. Default 256.
    ///
    /// - The window limits the memory for a client that never acknowledges.
    /// - 256 are enough for a client that acknowledges: its acknowledgements are committed before
    ///   the window is full.
    pub window: usize,
    /// The time after which a waiting session asks the store for the number of the newest entry, in
    /// case every hint was lost. Default 30 s.
    ///
    /// An interval of 10 s or more is lengthened by up to 0.1 s, so that many sessions ask at the
    /// same time and share one read.
    pub poll_interval: Duration,
    /// The time for which an inbox entry is kept after it was appended, delivered or not. Default
    /// 30 days. Messages stay in the history of their conversation.
    pub inbox_retention: Duration,
    /// The time between two searches for expired entries. Default 1 min.
    pub expiry_interval: Duration,
    /// Maximum number of entries that one commit expires. Default 500: such a commit does not
    /// noticeably delay sends.
    pub expiry_step: usize,
    /// Maximum number of peers that one commit tells of a new key, at most 1,024. Default 500: such a
    /// commit does not noticeably delay sends.
    pub announce_step: usize,
    /// Maximum number of writes that wait in the queue of one lane (see
    /// [`Store::lanes`](crate::store::Store::lanes)). Default 4,096. Further callers wait until the
    /// queue has room.
    pub queue: usize,
    /// Maximum number of bytes that wait in the queues of all lanes together. Default 64 MiB.
    /// Further callers wait until bytes are free.
    ///
    /// A write counts 64 bytes. A send also counts its ciphertext, and an acknowledgement counts 8
    /// bytes for each entry, or 16 for each message, that it names. Each condition and each change
    /// of a record counts 256 bytes and its value, and each posted notice 512. A write that counts
    /// more than the maximum waits until the queues are empty. Jobs have a queue of their own, with
    /// the same maximum.
    pub queue_bytes: usize,
    /// Maximum number of writes in one commit. Default 512. A larger batch saves little, because
    /// 512 writes already share the time of one fsync.
    pub batch: usize,
    /// Maximum number of bytes in one commit, counted as in [`queue_bytes`](Self::queue_bytes). A
    /// single write may exceed it. Default 4 MiB.
    pub batch_bytes: usize,
    /// The age of a running commit above which the service is not ready (see
    /// [`Service::health`](crate::Service::health)). Default 10 s. A commit usually takes some
    /// milliseconds, so an older one means that the store hangs.
    pub commit_bound: Duration,
    /// The age of a running read above which the service is not ready (see
    /// [`Service::health`](crate::Service::health)). Default 10 s.
    pub read_bound: Duration,
    /// Whether clients acknowledge entries, or each fetch does. Default [`AckMode::Explicit`].
    pub ack_mode: AckMode,
    /// The keys that may be published. Default [`KeyPolicy::Derived`].
    pub key_policy: KeyPolicy,
}

/// The event that acknowledges an entry of an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// An acknowledgement by the client, and nothing else.
    #[default]
    Explicit,
    /// A fetch of pending entries acknowledges the entries in its answer, as the
    /// [seed](crate#terms) did.
    ///
    /// **Lossy**: entries of an answer that does not reach the client are no longer pending. Their
    /// messages stay in history.
    OnFetch,
}

/// The X25519 keys that a user may publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Only the key that is derived from the [`UserId`](crate::UserId). The service checks this, so
    /// the key is proven to be the user's own.
    #[default]
    Derived,
    /// Any key from the authenticated user. Without a proof it is recorded as
    /// [`KeyBinding::Unproven`](crate::KeyBinding::Unproven).
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
    /// Checks that every limit is in its allowed range.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is out of bounds.
    pub fn validate(&self) -> Result<(), Invalid> {
        // The name, the value and the largest allowed value of each limit.
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
            ("announce_step", self.announce_step, Write::MAX_POSTS),
            ("queue", self.queue, 1 << 20),
            // The semaphore that counts these bytes takes amounts of 32 bits.
            ("queue_bytes", self.queue_bytes, 1 << 30),
            ("batch", self.batch, 65_536),
            ("batch_bytes", self.batch_bytes, 256 * 1024 * 1024),
        ];
        for (field, value, max) in counts {
            if value == 0 {
                return Err(Invalid::new(field, "must not be zero"));
            }
            if value > max {
                return Err(Invalid::new(field, "larger than the largest allowed value"));
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
    fn the_defaults_are_valid_and_as_documented() {
        let config = Config::default();
        assert!(config.validate().is_ok());
        let sizes = [config.max_payload, config.history_bytes, config.pending_bytes];
        assert_eq!(sizes, [64 << 10, 1 << 20, 8 << 20]);
        assert_eq!([config.queue_bytes, config.batch_bytes], [64 << 20, 4 << 20]);
        assert_eq!(config.inbox_retention.as_secs(), 2_592_000);
    }

    #[test]
    fn the_error_of_a_limit_out_of_range_names_the_field() {
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
            (1_024, |c| &mut c.announce_step),
            (1 << 20, |c| &mut c.queue),
            (1 << 30, |c| &mut c.queue_bytes),
            (65_536, |c| &mut c.batch),
            (256 << 20, |c| &mut c.batch_bytes),
        ];
        for (max, field) in limits {
            let mut config = Config::default();
            for (value, is_valid) in [(max, true), (max + 1, false), (0, false)] {
                *field(&mut config) = value;
                assert_eq!(config.validate().is_ok(), is_valid, "{value} of {max}");
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
