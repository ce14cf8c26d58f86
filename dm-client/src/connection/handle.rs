//! The caller's side of a connection.

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

/// A connection to the user's inbox. [`next`](Self::next) returns its entries in order, each once.
///
/// The server keeps a cursor for the device. Deliveries begin after the cursor: first the backlog
/// (the entries that are pending already), then new entries as they are appended.
///
/// Each delivery carries a [`Receipt`]. [Acknowledge](Delivery::acknowledge) a delivery once its
/// effect is safe: on disk, if it must survive a crash. The cursor stops before the first delivery
/// that is not acknowledged. So a dropped delivery stops the cursor, and is delivered again after
/// the next start of the program.
///
/// After a loss, the background task connects again after growing waits, and resumes: one
/// `Connection` delivers no entry twice. The connection ends with an [`End`] when another attempt
/// cannot succeed. After a restart of the program, the server delivers the entries again whose
/// acknowledgement did not reach it. Recognize these by [`Message::id`](crate::Message::id).
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

    /// Closes the connection: sends the last acknowledgement and waits for its answer, then closes
    /// the WebSocket. Each step takes at most [`ConnectionConfig::timeout`].
    pub async fn close(mut self) {
        self.close.send_replace(true);
        // Events that the caller has not taken are delivered again after the next start. A full
        // queue must not keep the task from ending.
        self.events.close();
        // The caller can do nothing about a task that panicked.
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
