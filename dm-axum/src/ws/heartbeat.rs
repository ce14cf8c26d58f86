//! The heartbeat: pings to the client and their answers, and a limit on the client's own pings.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::close::Close;
use crate::api::Api;

/// A future that resolves after a time by the service's clock.
pub(super) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) fn timer(api: &Arc<Api>, span: Duration) -> Timer {
    let api = Arc::clone(api);
    Box::pin(async move { api.service.clock().sleep(span).await })
}

/// Pings a client at intervals. A client that does not answer is gone, even if TCP still has the
/// connection.
pub(super) struct Heartbeat {
    api: Arc<Api>,
    state: State,
    timer: Timer,
    /// The payload of the last ping. Its answer repeats it, so an older answer is told apart.
    nonce: u64,
    /// The beginning of an interval, and the number of pings that the client sent in it.
    client_pings: (Timestamp, u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until the next ping, which comes sooner than usual if `soon`.
    Idle { soon: bool },
    /// Until the answer to the last ping.
    Waiting,
}

/// The event at the end of the timer.
pub(super) enum Beat {
    /// A ping with this payload has to be sent.
    Ping(Bytes),
    /// The last ping was not answered in time.
    Silence,
}

impl Heartbeat {
    pub(super) fn new(api: &Arc<Api>) -> Self {
        Self {
            api: Arc::clone(api),
            state: State::Idle { soon: false },
            timer: timer(api, api.service.clock().now().grouped(api.options.ping_interval)),
            nonce: 0,
            client_pings: (api.service.clock().now(), 0),
        }
    }

    /// Resolves when [`beat`](Self::beat) has to be called. Cancel safe.
    pub(super) async fn due(&mut self) {
        (&mut self.timer).await;
    }

    /// Handles the end of the timer.
    pub(super) fn beat(&mut self) -> Beat {
        if self.state == State::Waiting {
            return Beat::Silence;
        }
        self.nonce += 1;
        self.wait();
        Beat::Ping(Bytes::copy_from_slice(&self.nonce.to_be_bytes()))
    }

    /// Starts to wait for the answer to a ping, for
    /// [`Options::patience`](crate::Options::patience).
    pub(super) fn wait(&mut self) {
        self.state = State::Waiting;
        self.timer = timer(&self.api, self.api.options.patience);
    }

    /// Takes a pong. Returns whether it answers the last ping.
    pub(super) fn pong(&mut self, payload: &[u8]) -> bool {
        let answers = self.state == State::Waiting && payload == self.nonce.to_be_bytes();
        if answers {
            self.idle_for(self.api.options.ping_interval, false);
        }
        answers
    }

    /// Sends the next ping sooner than usual: after
    /// [`Options::confirm_interval`](crate::Options::confirm_interval).
    pub(super) fn ping_soon(&mut self) {
        if self.state == (State::Idle { soon: false }) {
            self.idle_for(self.api.options.confirm_interval, true);
        }
    }

    /// Counts a ping of the client, which the socket answers by itself.
    pub(super) fn ping(&mut self) -> Result<(), Close> {
        let now = self.api.service.clock().now();
        let (since, count) = &mut self.client_pings;
        // A clock that was set back begins a new interval as well.
        if now >= since.after(self.api.options.ping_interval) || now < *since {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > self.api.options.client_pings { Err(Close::Policy("too many pings")) } else { Ok(()) }
    }

    fn idle_for(&mut self, span: Duration, soon: bool) {
        self.state = State::Idle { soon };
        self.timer = timer(&self.api, self.api.service.clock().now().grouped(span));
    }
}
