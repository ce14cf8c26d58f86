//! The stream of what happens to the user: WebSocket, resumed where the acknowledgements end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use lru::LruCache;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{entropy::SharedEntropy, http::Http, time::Clock};

mod config;
mod driver;
mod event;
mod ledger;
mod link;
mod over;
mod reconnect;
mod socket;
mod state;

pub use config::{ConnectionConfig, Start};
pub use event::{Content, Delivery, Event, Receipt};
pub use state::{ConnectionState, End, Lost};

use ledger::Ledger;

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
