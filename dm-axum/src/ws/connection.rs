//! [`Connection`]: one WebSocket, from its upgrade to its end. One task serves it, in one loop over
//! events.
//!
//! `received` handles a frame of the client and starts the work on its request. `outcome` defines
//! the result of that work, and `respond` answers the request with the result. `deliveries` writes
//! the deliveries of the [`Session`] (the stream of inbox entries to this client). `end_monitor`
//! waits for reasons to end the connection.

mod deliveries;
mod end_monitor;
mod outcome;
mod received;
mod respond;

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use dm_core::{Delivery, Principal, Session, SessionEnd};
use dm_proto::Envelope;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use self::end_monitor::EndMonitor;
use self::outcome::Outcome;
use super::close::Close;
use super::dialect::Dialect;
use super::heartbeat::{Heartbeat, HeartbeatAction, timer};
use super::login_monitor::LoginMonitor;
use super::socket::{Received, Socket};
use crate::api::Api;
use crate::login::LoginExtensions;

/// The state of one connection.
pub(super) struct Connection {
    api: Arc<Api>,
    /// The user and the device of this connection.
    principal: Principal,
    socket: Socket,
    /// The source of deliveries: the stream of the user's inbox entries.
    session: Session,
    dialect: Dialect,
    heartbeat: Heartbeat,
    end_monitor: EndMonitor,
    /// The work on requests in progress, and on the acknowledgement that is being stored.
    in_progress: FuturesUnordered<BoxFuture<'static, Outcome>>,
}

/// The events of a connection, highest priority first.
enum Event {
    /// The timer of the heartbeat expired: a ping is due, or the answer to a ping is missing.
    HeartbeatDue,
    /// The connection has to end.
    MustEnd(Close),
    /// The work on a request or an acknowledgement is done.
    WorkDone(Outcome),
    /// The session has a delivery, or has ended.
    Delivery(Result<Delivery, SessionEnd>),
    /// The client sent a frame, or the socket failed.
    Received(Result<Received, Close>),
}

impl Connection {
    /// Serves a connection until its socket is closed.
    ///
    /// The futures that start the connection, end it and handle events are boxed to save memory: a
    /// connection is idle most of the time, and an idle future takes as many bytes as the largest
    /// future inside it that is not boxed.
    pub(super) async fn serve(
        api: Arc<Api>,
        principal: Principal,
        login: LoginExtensions,
        socket: WebSocket,
    ) {
        match Box::pin(Self::start(api, principal, login, socket)).await {
            Ok(mut connection) => {
                let close = connection.run().await;
                Box::pin(async move { close_socket(connection.into_socket(close).await, close).await }).await;
            }
            Err((socket, close)) => Box::pin(close_socket(*socket, close)).await,
        }
    }

    /// Starts a connection with a follower, a session that registers no device. A hello replaces
    /// this session. If the session does not start, returns the socket and the reason to close it.
    async fn start(
        api: Arc<Api>,
        principal: Principal,
        login: LoginExtensions,
        socket: WebSocket,
    ) -> Result<Box<Self>, (Box<Socket>, Close)> {
        let socket = Socket::new(Arc::clone(&api), socket);
        let session = match api.service.follow(&principal).await {
            Ok(session) => session,
            Err(error) => return Err((Box::new(socket), Close::from_error(&error))),
        };
        let heartbeat = Heartbeat::new(&api);
        let end_monitor = EndMonitor::new(LoginMonitor::new(&api, login), &session);
        let (dialect, in_progress) = (Dialect::before_hello(), FuturesUnordered::new());
        Ok(Box::new(Self { api, principal, socket, session, dialect, heartbeat, end_monitor, in_progress }))
    }

    /// Handles events until the connection has to end. Returns the reason.
    async fn run(&mut self) -> Close {
        loop {
            let event = self.next_event().await;
            if let Err(close) = self.handle_event(event).await {
                return close;
            }
        }
    }

    /// Waits for the next event. To limit the memory of a connection, no frame is read while too
    /// many requests are in progress, and no delivery is taken from the session while too many
    /// deliveries to a seed client are unconfirmed.
    async fn next_event(&mut self) -> Event {
        let (can_read, can_deliver) = (self.can_read(), self.dialect.accepts_deliveries());
        tokio::select! {
            biased;
            () = self.heartbeat.expired() => Event::HeartbeatDue,
            close = self.end_monitor.ended() => Event::MustEnd(close),
            Some(outcome) = self.in_progress.next(), if !self.in_progress.is_empty() => {
                Event::WorkDone(outcome)
            }
            delivery = self.session.next(), if can_deliver => Event::Delivery(delivery),
            received = self.socket.read(), if can_read => Event::Received(received),
        }
    }

    /// Handles an event. Fails if the connection has to end.
    async fn handle_event(&mut self, event: Event) -> Result<(), Close> {
        match event {
            Event::HeartbeatDue => Box::pin(self.handle_heartbeat()).await,
            Event::MustEnd(close) => Err(close),
            Event::WorkDone(outcome) => Box::pin(self.respond(outcome)).await,
            Event::Delivery(delivery) => Box::pin(self.deliver(delivery)).await,
            Event::Received(received) => match received? {
                Received::Frame(frame) => Box::pin(self.handle_frame(frame)).await,
                Received::Ping => self.heartbeat.count_client_ping(),
                Received::Pong(payload) => {
                    self.handle_pong(&payload);
                    Ok(())
                }
            },
        }
    }

    /// Whether another frame may be read from the socket: fewer than
    /// [`Options::in_flight`](crate::Options::in_flight) requests are in progress or wait.
    fn can_read(&self) -> bool {
        self.in_progress.len() + self.dialect.waiting_acks() < self.api.options.in_flight
    }

    /// Writes frames. Fails if the connection has to end before they are written.
    async fn write(&mut self, frames: Vec<Envelope>) -> Result<(), Close> {
        if frames.is_empty() {
            return Ok(());
        }
        self.end_monitor.unless_ended(self.socket.write(frames)).await
    }

    /// Sends a ping if one is due. Fails if the answer to the last ping is missing.
    async fn handle_heartbeat(&mut self) -> Result<(), Close> {
        match self.heartbeat.handle_expiry() {
            HeartbeatAction::SendPing(payload) => {
                self.dialect.ping_sent();
                self.end_monitor.check_login();
                self.end_monitor.unless_ended(self.socket.ping(payload)).await
            }
            // No frame is read while too many requests are in progress, so the answer may be in the
            // receive buffers. The client gets more time.
            HeartbeatAction::AnswerMissing if !self.can_read() => {
                self.heartbeat.start_answer_timeout();
                Ok(())
            }
            HeartbeatAction::AnswerMissing => Err(Close::Unresponsive("a ping was not answered")),
        }
    }

    /// Handles a pong of the client.
    fn handle_pong(&mut self, payload: &[u8]) {
        if self.heartbeat.handle_pong(payload) {
            self.dialect.ping_answered();
            self.ping_if_wanted();
            self.start_next_ack();
        }
    }

    /// Sends the next ping earlier than usual if its answer will acknowledge deliveries to a seed
    /// client.
    fn ping_if_wanted(&mut self) {
        if self.dialect.wants_ping() {
            self.heartbeat.schedule_early_ping();
        }
    }

    /// Returns the socket and drops the rest of the connection. If `close` is [`Close::Reconnect`],
    /// first writes the answers to the client's requests.
    async fn into_socket(mut self, close: Close) -> Socket {
        if let Close::Reconnect(reason) = close
            && self.write_last_answers(reason).await.is_err()
        {
            tracing::debug!("the client did not take its last answers");
        }
        self.socket
    }

    /// Announces the end of the connection. Then writes the answers to the requests in progress, as
    /// far as they are built within [`Options::patience`](crate::Options::patience).
    async fn write_last_answers(&mut self, reason: &str) -> Result<(), Close> {
        self.end_monitor.stop();
        self.write(self.dialect.going_away(reason).into_iter().collect()).await?;
        let mut patience = timer(&self.api, self.api.options.patience);
        while !self.in_progress.is_empty() {
            let outcome = tokio::select! {
                Some(outcome) = self.in_progress.next() => outcome,
                () = &mut patience => break,
            };
            self.respond(outcome).await?;
        }
        Ok(())
    }
}

/// Logs and counts the end of a connection, and closes its socket.
async fn close_socket(socket: Socket, close: Close) {
    tracing::debug!(code = close.code(), reason = close.reason(), "a WebSocket is closed");
    metrics::counter!("dm_websockets_closed_total", "code" => close.code().to_string()).increment(1);
    socket.close(close).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Every open connection holds one future of `serve` and one `Connection`, which are idle most
    /// of the time.
    #[test]
    fn an_idle_connection_takes_little_memory() {
        let sizes = (size_of_future(Connection::serve), size_of::<Connection>());
        assert!(sizes.0 <= 2_048 && sizes.1 <= 1_536, "{sizes:?}");
    }
}
