//! One connection, from its upgrade to its end: one task, one loop. The files below handle the
//! events: `frames` begins the work on requests, `work` is its results, `done` answers them,
//! `deliveries` writes what the session delivers, and `ends` waits for the end.

mod deliveries;
mod done;
mod ends;
mod frames;
mod work;

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use dm_core::{Delivery, Principal, Session, SessionEnd};
use dm_proto::Envelope;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use self::ends::Ends;
use self::work::Done;
use super::close::Close;
use super::dialect::Dialect;
use super::heartbeat::{Beat, Heartbeat, timer};
use super::lifetime::Lifetime;
use super::socket::{Received, Socket};
use crate::api::Api;
use crate::session::Terms;

/// One connection.
pub(super) struct Connection {
    api: Arc<Api>,
    who: Principal,
    socket: Socket,
    session: Session,
    dialect: Dialect,
    heartbeat: Heartbeat,
    ends: Ends,
    /// Requests and acknowledgements that are worked on.
    work: FuturesUnordered<BoxFuture<'static, Done>>,
}

enum Event {
    Beat,
    Over(Close),
    Done(Done),
    Delivery(Result<Delivery, SessionEnd>),
    Received(Result<Received, Close>),
}

impl Connection {
    /// Serves a connection until it is over and closed. Its beginning, its end and the handling of
    /// events are boxed: a connection waits for most of its life, and a future that waits is as
    /// large as its largest part that is not boxed.
    pub(super) async fn serve(api: Arc<Api>, who: Principal, terms: Terms, socket: WebSocket) {
        match Box::pin(Self::begin(api, who, terms, socket)).await {
            Ok(mut connection) => {
                let close = connection.run().await;
                Box::pin(async move { end(connection.leave(close).await, close).await }).await;
            }
            Err((socket, close)) => Box::pin(end(*socket, close)).await,
        }
    }

    async fn begin(
        api: Arc<Api>,
        who: Principal,
        terms: Terms,
        socket: WebSocket,
    ) -> Result<Box<Self>, (Box<Socket>, Close)> {
        let socket = Socket::new(Arc::clone(&api), socket);
        let session = match api.service.follow(&who).await {
            Ok(session) => session,
            Err(error) => return Err((Box::new(socket), Close::from_error(&error))),
        };
        let heartbeat = Heartbeat::new(&api);
        let ends = Ends::new(Lifetime::new(&api, terms), &session);
        let (dialect, work) = (Dialect::seed(), FuturesUnordered::new());
        Ok(Box::new(Self { api, who, socket, session, dialect, heartbeat, ends, work }))
    }

    async fn run(&mut self) -> Close {
        loop {
            let event = self.next().await;
            if let Err(close) = self.handle(event).await {
                return close;
            }
        }
    }

    /// Waits for the next event. No frame is read while too many requests are worked on, and no
    /// delivery is taken while too many are unconfirmed: this bounds the memory of a connection.
    async fn next(&mut self) -> Event {
        let (reads, delivers) = (self.reads(), self.dialect.takes_deliveries());
        tokio::select! {
            biased;
            () = self.heartbeat.due() => Event::Beat,
            close = self.ends.over() => Event::Over(close),
            Some(done) = self.work.next(), if !self.work.is_empty() => Event::Done(done),
            delivery = self.session.next(), if delivers => Event::Delivery(delivery),
            received = self.socket.read(), if reads => Event::Received(received),
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Close> {
        match event {
            Event::Beat => Box::pin(self.beat()).await,
            Event::Over(close) => Err(close),
            Event::Done(done) => Box::pin(self.done(done)).await,
            Event::Delivery(delivery) => Box::pin(self.deliver(delivery)).await,
            Event::Received(received) => match received? {
                Received::Frame(frame) => Box::pin(self.frame(frame)).await,
                Received::Ping => self.heartbeat.ping(),
                Received::Pong(payload) => {
                    self.pong(&payload);
                    Ok(())
                }
            },
        }
    }

    /// Whether another frame may be read.
    fn reads(&self) -> bool {
        self.work.len() + self.dialect.waiting_acks() < self.api.options.in_flight
    }

    /// Writes frames, unless the connection has to end first.
    async fn write(&mut self, frames: Vec<Envelope>) -> Result<(), Close> {
        if frames.is_empty() {
            return Ok(());
        }
        self.ends.or(self.socket.write(frames)).await
    }

    async fn beat(&mut self) -> Result<(), Close> {
        match self.heartbeat.beat() {
            Beat::Ping(payload) => {
                self.dialect.ping_sent();
                self.ends.beat();
                self.ends.or(self.socket.ping(payload)).await
            }
            // The answer may be in the buffers, unread while too many requests are worked on.
            Beat::Silence if !self.reads() => {
                self.heartbeat.wait();
                Ok(())
            }
            Beat::Silence => Err(Close::Unresponsive("a ping was not answered")),
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        if self.heartbeat.pong(payload) {
            self.dialect.ping_answered();
            self.ping_if_wanted();
            self.acknowledge();
        }
    }

    /// Pings sooner than usual if the answer would acknowledge deliveries.
    fn ping_if_wanted(&mut self) {
        if self.dialect.wants_ping() {
            self.heartbeat.ping_soon();
        }
    }

    /// Drops everything but the socket. A client that may connect again is first sent the answers
    /// to its requests.
    async fn leave(mut self, close: Close) -> Socket {
        if let Close::Reconnect(reason) = close
            && self.finish_work(reason).await.is_err()
        {
            tracing::debug!("the client did not take its last answers");
        }
        self.socket
    }

    async fn finish_work(&mut self, reason: &str) -> Result<(), Close> {
        self.ends.clear();
        self.write(self.dialect.going_away(reason).into_iter().collect()).await?;
        let mut patience = timer(&self.api, self.api.options.patience);
        while !self.work.is_empty() {
            let done = tokio::select! {
                Some(done) = self.work.next() => done,
                () = &mut patience => break,
            };
            self.done(done).await?;
        }
        Ok(())
    }
}

/// Logs and counts the end of a connection, and closes its socket.
async fn end(socket: Socket, close: Close) {
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

    /// Every open connection holds one of each, most of them idle.
    #[test]
    fn an_idle_connection_takes_little_memory() {
        let sizes = (size_of_future(Connection::serve), size_of::<Connection>());
        assert!(sizes.0 <= 2_048 && sizes.1 <= 1_536, "{sizes:?}");
    }
}
