//! What the API allows, beside the limits of the service's own configuration.

use std::time::Duration;

use dm_core::Timestamp;

/// Limits and modes of the REST and WebSocket API. Start from [`Options::default`] and change fields.
///
/// ```
/// use dm_axum::{Options, Origins};
///
/// let mut options = Options::default();
/// options.origins = Origins::List(vec!["https://chat.example".into()]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Which web pages may open a WebSocket. Default: those of the same host.
    pub origins: Origins,
    /// Largest WebSocket message and frame taken from a client, and largest page of history put into one frame, in
    /// bytes. Default 256 KiB: a payload of the default size four times over.
    pub max_message: usize,
    /// How long after the last answered ping the next one is sent. Default 30 s.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping, to take what is written to it, and to answer a
    /// close; an answer over REST that is not taken for longer is dropped once another waits for
    /// its room. Default 10 s.
    pub patience: Duration,
    /// How soon after a delivery a client that says no hello is pinged, since its answer acknowledges the delivery.
    /// Default 1 s.
    pub confirm_interval: Duration,
    /// Pings a client may send within a [`ping_interval`](Self::ping_interval). Default 60.
    pub client_pings: u32,
    /// Requests of one WebSocket that are worked on at a time; with as many, nothing more is read. Default 32.
    pub in_flight: usize,
    /// WebSockets a user may have open, and may open at once. Default 32.
    pub sockets_per_user: usize,
    /// How long after that until the user may open one more: each that was opened is paid for with
    /// this time. Default 0.5 s. With zero, only those that are open count.
    pub socket_interval: Duration,
    /// Bytes of answers to all users that wait to be read: lists, history and what is pending, and
    /// while one is made the page that it is made of. An answer counts until its connection has
    /// taken it, and one of a WebSocket until it is written. Default 256 MiB. While a request waits
    /// for it, answers that nobody has taken anything of for two seconds are dropped. A request
    /// without room waits for [`patience`](Self::patience) and a second, and is then refused with
    /// 503 and `Retry-After`, or with the same problem in a frame (a WebSocket without a hello
    /// closes with 1012). Answers of other calls, each no larger than a message, do not count, nor
    /// does what the HTTP server below has taken over to write.
    pub answer_bytes: usize,
    /// Of these, how many for one user. Default 32 MiB: one answer of the default size while it is
    /// made, or two that are not read. Past that, requests wait likewise and are refused with 429.
    pub answer_bytes_per_user: usize,
    /// How long a request's body may take to arrive. Default 30 s.
    pub body_timeout: Duration,
    /// How long a one-time ticket for a WebSocket is good. Default 30 s.
    pub ticket_life: Duration,
    /// Tickets that may be out at a time; each costs about 250 bytes. Default 65,536.
    pub tickets: usize,
    /// Of these, how many for one user. Default 32.
    pub tickets_per_user: usize,
}

/// Which `Origin` a WebSocket upgrade may come from. Browsers always send one; without one a request is let through,
/// because nothing but a browser attaches somebody's credentials to a request that a foreign page makes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Those whose host and port are those of the `Host` header.
    SameHost,
    /// These, as browsers write them: `https://chat.example`, `http://localhost:8080`.
    List(Vec<String>),
}

/// When the caller's session ends: a WebSocket closes with 4001 at that time. A request extension that the host's
/// middleware may insert beside the [`Principal`](dm_core::Principal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpiry(pub Timestamp);

impl Default for Options {
    fn default() -> Self {
        Self {
            origins: Origins::SameHost,
            max_message: 256 * 1024,
            ping_interval: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            confirm_interval: Duration::from_secs(1),
            client_pings: 60,
            in_flight: 32,
            sockets_per_user: 32,
            socket_interval: Duration::from_millis(500),
            answer_bytes: 256 * 1024 * 1024,
            answer_bytes_per_user: 32 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            ticket_life: Duration::from_secs(30),
            tickets: 65_536,
            tickets_per_user: 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sizes_are_those_that_are_documented() {
        let options = Options::default();
        let sizes = [options.max_message, options.answer_bytes, options.answer_bytes_per_user];
        assert_eq!(sizes, [256 << 10, 256 << 20, 32 << 20]);
    }
}
