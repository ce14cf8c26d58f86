//! The stream of what happens to the user: WebSocket, resumed where the acknowledgements end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use lru::LruCache;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    client::SharedEntropy, error::Problem, http::Http, message::Conversation, message::Message,
    record::KeyRecord, retry::RetryPolicy, time::Clock,
};

mod driver;
mod ledger;
mod link;
mod socket;

use ledger::Ledger;

/// How a [`Connection`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Where a device that the server has never seen starts. Default: at the oldest entry still held.
    pub start: Start,
    /// The distance of attempts to connect; `attempts` is not looked at, they never end. Default 500 ms, doubled up
    /// to 30 s.
    pub retry: RetryPolicy,
    /// How long connecting, the greeting and a write may take. Default 10 s.
    pub timeout: Duration,
    /// After how long a silence the server is pinged. It then has `timeout` to say anything. Default 30 s.
    pub ping_interval: Duration,
    /// Largest frame taken from the server, bytes. Default 256 KiB.
    pub max_frame: usize,
    /// Events that wait for the caller, at most; with more, reading pauses. Default 512, twice what a server sends
    /// ahead of acknowledgements.
    pub queue: usize,
}

/// Where a device that the server has never seen starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the oldest entry of the inbox that is still held.
    #[default]
    Oldest,
    /// With what happens from now on.
    Now,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            start: Start::Oldest,
            retry: RetryPolicy {
                attempts: u32::MAX,
                first: Duration::from_millis(500),
                longest: Duration::from_secs(30),
            },
            timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            max_frame: 256 * 1024,
            queue: 512,
        }
    }
}

/// A live connection: [`next`](Self::next) gives what happens, in order, each entry once.
///
/// The server keeps a cursor for the device. Deliveries begin after it, first what waited, then what happens. Each
/// carries a [`Receipt`]; [acknowledge](Delivery::acknowledge) it when the message is safe with you, on disk if it
/// matters. The cursor moves over what is acknowledged without a hole, so a delivery that is dropped holds it back,
/// and comes again after the next start of the program.
///
/// A broken connection is made again, with growing waits, and goes on where it was: what was delivered before is not
/// delivered again. It ends for good, with an [`End`], when trying again would not help. Across restarts of the
/// program, deliveries may repeat those that were not acknowledged in time; know them by
/// [`Message::id`](crate::Message::id).
///
/// It runs in a task of its own, which ends when this is dropped. It is a
/// [`Stream`](futures_util::Stream).
#[derive(Debug)]
pub struct Connection {
    events: mpsc::Receiver<Event>,
    state: watch::Receiver<ConnectionState>,
    close: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Something for the caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The next entry of the user's inbox.
    Delivery(Box<Delivery>),
    /// What waited has been delivered; what follows happens now. Comes once per connection made.
    CaughtUp {
        /// The position up to which it waited.
        position: u64,
    },
}

/// An entry of the user's inbox.
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Delivery {
    /// Its place in the inbox.
    pub position: u64,
    /// When it happened, Unix milliseconds of the server's clock.
    pub at: u64,
    /// What happened.
    pub content: Content,
    receipt: Receipt,
}

/// What a [`Delivery`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A message, received or sent from another of the user's devices.
    Message(Box<Message>),
    /// A conversation was opened.
    ConversationOpened(Box<Conversation>),
    /// A peer published a key, on the server's word.
    PeerKeyChanged(Box<KeyRecord>),
    /// Entries from `from` up to the delivery's position are gone: read the history of the conversations, then
    /// acknowledge.
    Gap {
        /// The first that is gone.
        from: u64,
    },
    /// Something that this version does not know. Acknowledge it.
    Unknown,
}

/// Stands for one delivery until it is handled.
#[derive(Debug)]
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Receipt {
    position: u64,
    ledger: Arc<Ledger>,
}

/// What a [`Connection`] is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Making a connection.
    Connecting,
    /// Connected.
    Online {
        /// Up to where the server has deliveries as acknowledged.
        acknowledged: u64,
    },
    /// Not connected; another attempt follows.
    Waiting {
        /// After this long.
        retry_in: Duration,
        /// Why the last one ended.
        reason: Lost,
    },
    /// Over.
    Ended(End),
}

/// Why a connection was lost, to be made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server could not be reached, or the socket broke.
    #[error("cannot reach the server")]
    Network,
    /// The server said nothing for too long.
    #[error("the server does not answer")]
    Timeout,
    /// The server says that it closes this connection, such as for a restart.
    #[error("the server is going away")]
    GoingAway,
    /// The server is in trouble.
    #[error("the server refused for now: {0}")]
    Refused(Problem),
    /// The server sent what the protocol does not know.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
}

/// Why a connection is over for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The caller closed it.
    #[error("closed")]
    Closed,
    /// Another connection of the same device took over. Connecting again would take it back from there.
    #[error("replaced by a newer connection of the same device")]
    Replaced,
    /// The token is expired or not valid: sign in again.
    #[error("not signed in, or no longer")]
    Unauthorized,
    /// The server refuses the connection.
    #[error("the server refused: {0}")]
    Refused(Problem),
}

impl Connection {
    pub(crate) fn start(
        http: Arc<Http>,
        config: ConnectionConfig,
        clock: Arc<dyn Clock>,
        entropy: SharedEntropy,
    ) -> Self {
        let (events_in, events) = mpsc::channel(config.queue.max(1));
        let (state_in, state) = watch::channel(ConnectionState::Connecting);
        let (close, closing) = watch::channel(false);
        let driver = driver::Driver {
            http,
            config,
            clock,
            entropy,
            ledger: Arc::new(Ledger::default()),
            recent: LruCache::new(driver::RECENT),
            events: events_in,
            state: state_in,
            closing,
        };
        Self { events, state, close, task: tokio::spawn(driver.run()) }
    }

    /// The next event; `None` when the connection is over, and [`state`](Self::state) tells why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Sends the last acknowledgement, says goodbye and waits for both, within the configured timeout each.
    pub async fn close(mut self) {
        self.close.send_replace(true);
        // Whatever still waits was not handled, and comes again. It must not keep the task from ending.
        self.events.close();
        // Neither cancelled nor panicked tells the caller anything that it could act on.
        let _ended = (&mut self.task).await;
    }

    /// What the connection is doing; the receiver sees every change that it is quick enough for.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }
}

impl futures_util::Stream for Connection {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Delivery {
    /// Says that the delivery is handled. The server learns of it soon after.
    pub fn acknowledge(self) {
        self.receipt.acknowledge();
    }

    /// The content, and the receipt to acknowledge when it is handled.
    pub fn into_parts(self) -> (Content, Receipt) {
        (self.content, self.receipt)
    }
}

impl Receipt {
    /// Says that the delivery is handled. The server learns of it soon after.
    pub fn acknowledge(self) {
        self.ledger.handle(self.position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let config = ConnectionConfig::default();
        assert_eq!((config.start, config.max_frame, config.queue), (Start::Oldest, 256 << 10, 512));
        assert_eq!((config.timeout.as_secs(), config.ping_interval.as_secs()), (10, 30));
        assert_eq!((config.retry.first.as_millis(), config.retry.longest.as_secs()), (500, 30));
    }
}
