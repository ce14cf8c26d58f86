//! [`Heartbeat`] decides when a connection sends a ping, waits for the answer, and limits the
//! client's own pings.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use dm_core::Timestamp;

use super::close::Close;
use crate::api::Api;

/// A future that resolves after some time on the service's clock.
pub(super) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A timer that expires after `span`.
pub(super) fn timer(api: &Arc<Api>, span: Duration) -> Timer {
    let api = Arc::clone(api);
    Box::pin(async move { api.service.clock().sleep(span).await })
}

/// The pings of one connection. A client that does not answer a ping is gone, even if TCP reports
/// the connection as open.
pub(super) struct Heartbeat {
    api: Arc<Api>,
    state: State,
    /// Resolves when the next ping is due, or when the wait for an answer ends.
    timer: Timer,
    /// The number of the last ping, which is its payload. The answer to a ping repeats the payload,
    /// so the answer to an older ping is recognized and ignored.
    nonce: u64,
    /// The start of the current interval of
    /// [`Options::ping_interval`](crate::Options::ping_interval), and the number of pings that the
    /// client sent in this interval.
    client_pings: (Timestamp, u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The timer runs until the next ping. `is_early` is true if
    /// [`schedule_early_ping`](Heartbeat::schedule_early_ping) has set the timer.
    Idle { is_early: bool },
    /// The last ping is not answered yet. The timer limits the wait for the answer.
    AwaitingPong,
}

/// The action that is due when the timer has expired.
pub(super) enum HeartbeatAction {
    /// Send a ping with this payload.
    SendPing(Bytes),
    /// The last ping was not answered in time.
    AnswerMissing,
}

impl Heartbeat {
    pub(super) fn new(api: &Arc<Api>) -> Self {
        Self {
            api: Arc::clone(api),
            state: State::Idle { is_early: false },
            // As in `schedule_ping`.
            timer: timer(api, api.service.clock().now().grouped(api.options.ping_interval)),
            nonce: 0,
            client_pings: (api.service.clock().now(), 0),
        }
    }

    /// Resolves when the timer expires. [`handle_expiry`](Self::handle_expiry) must then be called.
    /// Cancel safe.
    pub(super) async fn expired(&mut self) {
        (&mut self.timer).await;
    }

    /// Handles the expiry of the timer. If a ping is due, also starts the wait for its answer.
    pub(super) fn handle_expiry(&mut self) -> HeartbeatAction {
        if self.state == State::AwaitingPong {
            return HeartbeatAction::AnswerMissing;
        }
        self.nonce += 1;
        self.start_answer_timeout();
        HeartbeatAction::SendPing(Bytes::copy_from_slice(&self.nonce.to_be_bytes()))
    }

    /// Starts the timer that limits the wait for the answer to
    /// [`Options::patience`](crate::Options::patience).
    pub(super) fn start_answer_timeout(&mut self) {
        self.state = State::AwaitingPong;
        self.timer = timer(&self.api, self.api.options.patience);
    }

    /// Handles a pong of the client. Returns whether it answers the last ping.
    pub(super) fn handle_pong(&mut self, payload: &[u8]) -> bool {
        let answers = self.state == State::AwaitingPong && payload == self.nonce.to_be_bytes();
        if answers {
            self.schedule_ping(self.api.options.ping_interval, false);
        }
        answers
    }

    /// Makes the next ping due after
    /// [`Options::confirm_interval`](crate::Options::confirm_interval). Does nothing while a ping
    /// is not answered, or if this was called since the last answer.
    pub(super) fn schedule_early_ping(&mut self) {
        if self.state == (State::Idle { is_early: false }) {
            self.schedule_ping(self.api.options.confirm_interval, true);
        }
    }

    /// Counts a ping of the client. Fails if the client sends more pings than
    /// [`Options::client_pings`](crate::Options::client_pings) in an interval. The WebSocket
    /// library answers the ping.
    pub(super) fn count_client_ping(&mut self) -> Result<(), Close> {
        let now = self.api.service.clock().now();
        let (since, count) = &mut self.client_pings;
        // After the clock was set back, the start of the interval may be in the future. A new
        // interval starts at once.
        if now >= since.after(self.api.options.ping_interval) || now < *since {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > self.api.options.client_pings { Err(Close::Policy("too many pings")) } else { Ok(()) }
    }

    /// Starts the timer for the next ping. A long `span` is lengthened a little (`grouped`), so
    /// that the timers of many connections expire together and wake the threads less often.
    fn schedule_ping(&mut self, span: Duration, is_early: bool) {
        self.state = State::Idle { is_early };
        self.timer = timer(&self.api, self.api.service.clock().now().grouped(span));
    }
}
