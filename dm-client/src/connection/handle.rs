//! [`Connection`]: the caller's side of a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lru::LruCache;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::ack_tracker::AckTracker;
use super::config::ConnectionConfig;
use super::driver::{Driver, RECENT_MESSAGES};
use super::event::Event;
#[cfg(doc)]
use super::event::{Delivery, Receipt};
use super::state::ConnectionState;
#[cfg(doc)]
use super::state::End;
use crate::entropy::SharedEntropy;
use crate::http::Http;
use crate::time::Clock;

/// A connection to the user's inbox. [`next`](Self::next) returns the entries of the inbox in
/// order, each entry once.
///
/// The server keeps a cursor for the device: the number up to which the device has acknowledged
/// every entry. Deliveries begin after the cursor. The entries that are pending now (the backlog)
/// are first, and new entries follow.
///
/// Each delivery has a [`Receipt`]. [Acknowledge](Delivery::acknowledge) a delivery when its effect
/// is safe, for instance when the message is on disk. The cursor stops before the first delivery
/// that is not acknowledged. So a delivery that is dropped without an acknowledgement stops the
/// cursor, and is delivered again after the next start of the program.
///
/// If the WebSocket is lost, the background task connects again, with growing waits between the
/// attempts. One `Connection` delivers no entry twice. The connection ends with an [`End`] when
/// another attempt cannot succeed. After a restart of the program, the server delivers the entries
/// again for which it received no acknowledgement. Recognize a repeated message by
/// [`Message::id`](crate::Message::id).
///
/// The background task ends when this value is dropped. `Connection` is a
/// [`Stream`](futures_util::Stream).
#[derive(Debug)]
pub struct Connection {
    events: mpsc::Receiver<Event>,
    state: watch::Receiver<ConnectionState>,
    close: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Starts the background task.
    pub(crate) fn start(
        http: Arc<Http>,
        config: ConnectionConfig,
        clock: Arc<dyn Clock>,
        entropy: SharedEntropy,
    ) -> Self {
        let (event_sender, events) = mpsc::channel(config.queue.max(1));
        let (state_sender, state) = watch::channel(ConnectionState::Connecting);
        let (close, closing) = watch::channel(false);
        let driver = Driver {
            http,
            config,
            clock,
            entropy,
            acks: Arc::new(AckTracker::default()),
            recent_messages: LruCache::new(RECENT_MESSAGES),
            events: event_sender,
            state: state_sender,
            closing,
        };
        Self { events, state, close, task: tokio::spawn(driver.run()) }
    }

    /// The next event; `None` when the connection has ended. [`state`](Self::state) then has the
    /// reason.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Closes the connection: sends the last acknowledgement and waits for its answer, and then
    /// closes the WebSocket. Each of the two steps takes at most [`ConnectionConfig::timeout`].
    pub async fn close(mut self) {
        self.close.send_replace(true);
        // Without this, the task could not end while the queue of events is full. The events in the
        // queue are dropped here, and the server delivers them again after the next start.
        self.events.close();
        // The result is an error only if the task panicked, which the caller cannot repair.
        let _ended = (&mut self.task).await;
    }

    /// The state of the connection. The receiver sees the newest state, and may miss earlier ones.
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
