//! The heartbeat: pings, and what their answers prove.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::close::Close;
use crate::api::Api;

/// A wait by the service's clock.
pub(super) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) fn timer(api: &Arc<Api>, span: Duration) -> Timer {
    let api = Arc::clone(api);
    Box::pin(async move { api.service.clock().sleep(span).await })
}

/// Pings a client now and then; one that does not answer is not there any more, whatever TCP says.
pub(super) struct Heartbeat {
    api: Arc<Api>,
    state: State,
    timer: Timer,
    /// What the last ping carried. Its answer repeats it, so that an old answer proves nothing.
    nonce: u64,
    /// Pings the client sent since a time.
    client_pings_since: (Timestamp, u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until the next ping; whether sooner than usual.
    Idle { soon: bool },
    /// For the answer.
    Waiting,
}

/// What is to be done when the timer is over.
pub(super) enum Beat {
    /// Send a ping with this payload.
    Ping(Bytes),
    /// The last one was not answered in time.
    Silence,
}

impl Heartbeat {
    pub(super) fn new(api: &Arc<Api>) -> Self {
        Self {
            api: Arc::clone(api),
            state: State::Idle { soon: false },
            timer: timer(api, api.service.clock().now().grouped(api.options.ping_interval)),
            nonce: 0,
            client_pings_since: (api.service.clock().now(), 0),
        }
    }

    /// Resolves when something is to be done: ask [`beat`](Self::beat). Cancel safe.
    pub(super) async fn due(&mut self) {
        (&mut self.timer).await;
    }

    pub(super) fn beat(&mut self) -> Beat {
        if self.state == State::Waiting {
            return Beat::Silence;
        }
        self.nonce += 1;
        self.wait();
        Beat::Ping(Bytes::copy_from_slice(&self.nonce.to_be_bytes()))
    }

    /// Waits for the answer from now on.
    pub(super) fn wait(&mut self) {
        self.state = State::Waiting;
        self.timer = timer(&self.api, self.api.options.patience);
    }

    /// Takes a pong; whether it answers the last ping.
    pub(super) fn pong(&mut self, payload: &[u8]) -> bool {
        let answers = self.state == State::Waiting && payload == self.nonce.to_be_bytes();
        if answers {
            self.idle_for(self.api.options.ping_interval, false);
        }
        answers
    }

    /// Pings sooner than usual, because something waits for an answer.
    pub(super) fn ping_soon(&mut self) {
        if self.state == (State::Idle { soon: false }) {
            self.idle_for(self.api.options.confirm_interval, true);
        }
    }

    /// Takes a ping of the client's, which the socket answers by itself.
    pub(super) fn ping(&mut self) -> Result<(), Close> {
        let now = self.api.service.clock().now();
        let (since, count) = &mut self.client_pings_since;
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
