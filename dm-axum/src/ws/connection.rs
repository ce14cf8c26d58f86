//! One connection, from its upgrade to its end: one task, one loop. The files below handle the
//! events.

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
use super::acks::Acks;
use super::close::Close;
use super::heartbeat::{Beat, Heartbeat, timer};
use super::hello;
use super::lifetime::Lifetime;
use super::seed::Unconfirmed;
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
    /// Requests that are worked on.
    work: FuturesUnordered<BoxFuture<'static, Done>>,
}

/// How the client speaks.
enum Dialect {
    /// Like the seed's clients, as everybody does until they say hello.
    Seed(Unconfirmed),
    /// With positions and acknowledgements.
    Hello(Acks),
}

enum Event {
    Beat,
    Over(Close),
    Done(Done),
    Delivery(Result<Delivery, SessionEnd>),
    Received(Result<Received, Close>),
}

impl Connection {
    /// Serves a connection until it is over and closed. Its beginning and its end are boxed, and so
    /// are the events in between: it waits for most of its life, and waiting takes little room.
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
            Err(error) => return Err((Box::new(socket), Close::of(&error))),
        };
        let heartbeat = Heartbeat::new(&api);
        let ends = Ends::new(Lifetime::new(&api, terms), &session);
        let (dialect, work) = (Dialect::Seed(Unconfirmed::default()), FuturesUnordered::new());
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

    /// Waits for something to do. Reading stops while too much is worked on, delivering while too little is confirmed:
    /// what is held for a connection is bounded by that.
    async fn next(&mut self) -> Event {
        let reads = self.reads();
        let delivers = match &self.dialect {
            Dialect::Seed(unconfirmed) => unconfirmed.has_room(),
            Dialect::Hello(_) => true,
        };
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

    fn reads(&self) -> bool {
        let asks = match &self.dialect {
            Dialect::Seed(_) => 0,
            Dialect::Hello(acks) => acks.len(),
        };
        self.work.len() + asks < self.api.options.in_flight
    }

    /// Writes frames, as long as the session goes on.
    async fn write(&mut self, envelopes: Vec<Envelope>) -> Result<(), Close> {
        self.ends.or(self.socket.write(envelopes)).await
    }

    async fn beat(&mut self) -> Result<(), Close> {
        match self.heartbeat.beat() {
            Beat::Ping(payload) => {
                if let Dialect::Seed(unconfirmed) = &mut self.dialect {
                    unconfirmed.pinged();
                }
                self.ends.beat();
                self.ends.or(self.socket.ping(payload)).await
            }
            // The answer may be there, unread, behind the requests that are worked on.
            Beat::Silence if !self.reads() => {
                self.heartbeat.wait();
                Ok(())
            }
            Beat::Silence => Err(Close::Unresponsive("a ping was not answered")),
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        if !self.heartbeat.pong(payload) {
            return;
        }
        if let Dialect::Seed(unconfirmed) = &mut self.dialect {
            unconfirmed.answered();
            if unconfirmed.wants_ping() {
                self.heartbeat.ping_soon();
            }
            self.confirm();
        }
    }

    /// Answers what is worked on, if the client is to come again, and lets go of everything but the socket.
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
        if let Dialect::Hello(_) = self.dialect {
            self.write(vec![hello::going_away(reason)]).await?;
        }
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

/// Tells why a connection ended, and closes it.
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

    /// Ten thousand connections that wait hold ten thousand of these.
    #[test]
    fn a_connection_that_waits_takes_little_room() {
        let sizes = (size_of_future(Connection::serve), size_of::<Connection>());
        assert!(sizes.0 <= 2_048 && sizes.1 <= 1_536, "{sizes:?}");
    }
}
