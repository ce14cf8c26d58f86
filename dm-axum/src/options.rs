//! Limits and settings of the API. [`dm_core::Config`] has those of the service.

use std::time::Duration;

/// Limits and settings of the REST and WebSocket API. Start from [`Options::default`] and change
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
    /// The origins of the web pages that may open a WebSocket. Default: the API's own host.
    pub origins: Origins,
    /// Maximum size in bytes of a WebSocket message or frame from a client. Default 256 KiB: four
    /// payloads of the default size.
    ///
    /// It also limits the frames with a page of history or a list of conversations that the server
    /// sends. Such a frame has as many elements as fit. If the first element alone exceeds the
    /// limit, the frame has only this element.
    pub max_message: usize,
    /// Time between the answer to a ping and the next ping. Default 30 s.
    pub ping_interval: Duration,
    /// Time that a client has to answer a ping, to read the frames that are written to it, or to
    /// answer a closing frame. The WebSocket closes after this time. Default 10 s.
    ///
    /// It also limits the time for which a request waits for bytes of the budget, and the time for
    /// which an unread answer is kept; see [`answer_bytes`](Self::answer_bytes).
    pub patience: Duration,
    /// Time between a delivery and the next ping to a client that sent no hello. The client's
    /// answer to that ping acknowledges the delivery. Default 1 s.
    pub confirm_interval: Duration,
    /// Maximum number of pings that a client may send within a
    /// [`ping_interval`](Self::ping_interval). Default 60.
    pub client_pings: u32,
    /// Maximum number of requests of one WebSocket in progress at a time. At the maximum, no
    /// further frame is read from the WebSocket until a request is answered. Default 32.
    pub in_flight: usize,
    /// Maximum number of WebSockets that a user may have open at a time. It is also the number that
    /// a user may open in a row without a wait. Default 32.
    pub sockets_per_user: usize,
    /// Time after which a user who has opened [`sockets_per_user`](Self::sockets_per_user) in a row
    /// may open another one. Default 0.5 s. With zero, only the number of open WebSockets is
    /// limited.
    pub socket_interval: Duration,
    /// Maximum total size in bytes of the answers to all users that are being built or are not read
    /// yet: the budget. Default 256 MiB.
    ///
    /// - Lists of conversations, pages of history and pages of pending messages count. Other
    ///   answers do not count, because none is larger than a message.
    /// - While an answer is being built, the page from the store counts as well.
    /// - A REST answer counts until the HTTP server has taken it. An answer on a WebSocket counts
    ///   until it is written.
    /// - A request for which too few bytes are free waits for at most
    ///   [`patience`](Self::patience) plus one second. A REST request is then refused with 503 and
    ///   `Retry-After`. A request on a WebSocket gets the same problem in a frame, but if the
    ///   client sent no hello, the WebSocket closes with 1012.
    /// - A waiting request drops unread answers, once per second:
    ///   - an answer of which nothing was read for [`patience`](Self::patience);
    ///   - an answer that is older than `patience` and is read more slowly than 32 KiB per second;
    ///   - if the request waits for bytes that all users share, also the answers of one user of
    ///     which nothing was read for two seconds. It is the user with the most bytes in such
    ///     answers.
    pub answer_bytes: usize,
    /// Maximum size in bytes of the answers to one user. They also count for
    /// [`answer_bytes`](Self::answer_bytes). Default 32 MiB: enough to build one page of pending
    /// messages with the default limits of [`dm_core::Config`], or to keep two such pages unread.
    ///
    /// A request for which too few bytes of the user are free also waits for at most
    /// [`patience`](Self::patience) plus one second. It is then refused with 429 instead of 503.
    pub answer_bytes_per_user: usize,
    /// Time within which the body of a request has to arrive. After this time the request is
    /// refused with 408. Default 30 s.
    pub body_timeout: Duration,
    /// Time for which a one-time ticket for a WebSocket is valid. Default 30 s.
    pub ticket_life: Duration,
    /// Maximum number of tickets of all users that are valid and unused at a time. Each takes about
    /// 250 bytes. Default 65,536.
    pub tickets: usize,
    /// Maximum number of valid and unused tickets of one user. Default 32.
    pub tickets_per_user: usize,
}

/// The `Origin` headers with which a WebSocket may be opened.
///
/// A request with another origin is refused with 403. A request without the header is accepted:
/// browsers always send the header, and only browsers add a user's credentials to the request of a
/// foreign page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Origins whose host and port are the same as in the `Host` header.
    SameHost,
    /// These origins, as browsers write them: `https://chat.example`, `http://localhost:8080`.
    List(Vec<String>),
}

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
