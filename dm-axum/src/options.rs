//! Limits and modes of the API, beside those of the service's own configuration.

use std::time::Duration;

use dm_core::Timestamp;

/// Limits and modes of the REST and WebSocket API. Start from [`Options::default`] and change
/// fields.
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
    /// The web pages that may open a WebSocket. Default: pages of the same host.
    pub origins: Origins,
    /// Most bytes of a WebSocket message or frame of a client, and of a page of history in one
    /// frame. Default 256 KiB: four payloads of the default size.
    pub max_message: usize,
    /// Time between the answer to a ping and the next ping. Default 30 s.
    pub ping_interval: Duration,
    /// Time that a client has to answer a ping, to read the frames that are written to it, and to
    /// answer a close. A REST answer of which the client reads nothing for longer is dropped once
    /// another request waits for the budget ([`answer_bytes`](Self::answer_bytes)). Default 10 s.
    pub patience: Duration,
    /// Time between a delivery and the next ping for a client that sent no hello: its answer
    /// acknowledges the delivery. Default 1 s.
    pub confirm_interval: Duration,
    /// Most pings that a client may send within a [`ping_interval`](Self::ping_interval). Default
    /// 60.
    pub client_pings: u32,
    /// Most requests of one WebSocket that are worked on at a time. With that many, no more frames
    /// are read. Default 32.
    pub in_flight: usize,
    /// Most WebSockets that a user may have open, and may open in a row without a wait. Default 32.
    pub sockets_per_user: usize,
    /// Time after which a user who opened [`sockets_per_user`](Self::sockets_per_user) in a row may
    /// open another one. Default 0.5 s. With zero, only open WebSockets count.
    pub socket_interval: Duration,
    /// Most bytes of answers to all users that wait to be read: lists, history and pending
    /// messages, and while an answer is made also the page that it is made of. A REST answer counts
    /// until the HTTP server has taken it, and an answer of a WebSocket until it is written.
    /// Default 256 MiB.
    ///
    /// A request that finds too little left waits for [`patience`](Self::patience) and a second.
    /// Meanwhile, answers of which nothing was taken for two seconds may be dropped, first those of
    /// the user with the most bytes in such answers. After that the request is refused with 503 and
    /// `Retry-After`, or with the same problem in a frame; a WebSocket without a hello closes with
    /// 1012. Answers of other calls do not count: none is larger than a message.
    pub answer_bytes: usize,
    /// Most of these bytes for one user. Default 32 MiB: one answer of the default size while it is
    /// made, or two that are not read. Further requests wait in the same way, and are refused with
    /// 429.
    pub answer_bytes_per_user: usize,
    /// Time within which the body of a request has to arrive. Default 30 s.
    pub body_timeout: Duration,
    /// Time for which a one-time ticket for a WebSocket is valid. Default 30 s.
    pub ticket_life: Duration,
    /// Most tickets that are valid and unused at a time; each takes about 250 bytes. Default
    /// 65,536.
    pub tickets: usize,
    /// Most of these tickets for one user. Default 32.
    pub tickets_per_user: usize,
}

/// The `Origin` headers with which a WebSocket may be opened. A request without one is accepted:
/// browsers always send it, and only a browser adds a user's credentials to a request of a foreign
/// page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Origins whose host and port are the same as in the `Host` header.
    SameHost,
    /// These origins, as browsers write them: `https://chat.example`, `http://localhost:8080`.
    List(Vec<String>),
}

/// The time at which the caller's session with the host expires: a WebSocket closes with 4001 at
/// that time. A request extension that the host's middleware may insert beside the
/// [`Principal`](dm_core::Principal).
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
    fn the_default_sizes_are_the_documented_ones() {
        let options = Options::default();
        let sizes = [options.max_message, options.answer_bytes, options.answer_bytes_per_user];
        assert_eq!(sizes, [256 << 10, 256 << 20, 32 << 20]);
    }
}
