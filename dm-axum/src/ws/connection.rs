//! One connection, from its upgrade to its end: one task, one loop.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::WebSocket;
use dm_core::{AckTarget, Acknowledged, Delivery, Error, InboxEntry, Principal, Session, SessionEnd};
use dm_proto::{
    DmAck, DmAcknowledged, DmClientFrame, DmHello, DmPong, DmSend, Envelope, dm_client_frame,
    dm_server_frame, envelope::Payload,
};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::acks::{Acks, Ask};
use super::close::Close;
use super::heart::{Beat, Heart, timer};
use super::hello::{self, Refused, Welcomed};
use super::lifetime::Lifetime;
use super::requests;
use super::seed::Unconfirmed;
use super::socket::{Heard, Socket};
use crate::answers::{self, HeldFrame};
use crate::convert;
use crate::names::Names;
use crate::problem::{Kind, Problem};
use crate::router::Api;
use crate::session::Terms;

/// Deliveries written together, with one look-up of names.
const BATCH: usize = 32;

/// One connection.
pub(super) struct Connection {
    api: Arc<Api>,
    who: Principal,
    socket: Socket,
    session: Session,
    dialect: Dialect,
    heart: Heart,
    lifetime: Lifetime,
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

/// A request that is done.
enum Done {
    Answer(Box<Envelope>),
    /// A page that was asked for is encoded and waits in the budget of answers, or is refused.
    Page(Box<Page>),
    /// Deliveries to a client without hello are acknowledged, or not.
    Confirmed(Result<Acknowledged, Error>),
    Acknowledged(Vec<String>, Result<Acknowledged, Error>),
}

/// The answer to a request for a page.
struct Page {
    request_id: String,
    said_hello: bool,
    answer: Result<HeldFrame, Problem>,
}

enum Event {
    Beat,
    Over(Close),
    Done(Done),
    Delivery(Result<Delivery, SessionEnd>),
    Heard(Result<Heard, Close>),
}

impl Connection {
    /// Serves a connection until it is over and closed.
    pub(super) async fn serve(api: Arc<Api>, who: Principal, terms: Terms, socket: WebSocket) {
        let mut socket = Socket::new(Arc::clone(&api), socket);
        let close = match api.hub.follow(&api.service, &who).await {
            Ok(session) => {
                let heart = Heart::new(&api);
                let lifetime = Lifetime::new(&api, terms);
                let (dialect, work) = (Dialect::Seed(Unconfirmed::default()), FuturesUnordered::new());
                let mut connection = Self { api, who, socket, session, dialect, heart, lifetime, work };
                let close = connection.run().await;
                socket = Box::pin(connection.leave(close)).await;
                close
            }
            Err(error) => Close::of(&error),
        };
        tracing::debug!(code = close.code(), reason = close.reason(), "a WebSocket is closed");
        metrics::counter!("dm_websockets_closed_total", "code" => close.code().to_string()).increment(1);
        socket.close(close).await;
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
        // The end of the session is heard of in any case.
        let session = &mut self.session;
        let delivery = async move {
            if delivers {
                return session.next().await;
            }
            let ended = session.ended();
            Err(ended.await)
        };
        tokio::select! {
            biased;
            () = self.heart.due() => Event::Beat,
            close = self.lifetime.over() => Event::Over(close),
            Some(done) = self.work.next(), if !self.work.is_empty() => Event::Done(done),
            delivery = delivery => Event::Delivery(delivery),
            heard = self.socket.hear(), if reads => Event::Heard(heard),
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Close> {
        match event {
            Event::Beat => self.beat().await,
            Event::Over(close) => Err(close),
            Event::Done(done) => self.done(done).await,
            Event::Delivery(delivery) => Box::pin(self.deliver(delivery)).await,
            Event::Heard(heard) => match heard? {
                Heard::Frame(frame) => self.frame(frame).await,
                Heard::Ping => self.heart.ping(),
                Heard::Pong(payload) => {
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

    async fn beat(&mut self) -> Result<(), Close> {
        match self.heart.beat() {
            Beat::Ping(payload) => {
                if let Dialect::Seed(unconfirmed) = &mut self.dialect {
                    unconfirmed.pinged();
                }
                self.lifetime.beat();
                self.socket.ping(payload).await
            }
            // The answer may be there, unread, behind the requests that are worked on.
            Beat::Silence if !self.reads() => {
                self.heart.wait();
                Ok(())
            }
            Beat::Silence => Err(Close::Silent("a ping was not answered")),
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        if !self.heart.pong(payload) {
            return;
        }
        if let Dialect::Seed(unconfirmed) = &mut self.dialect {
            unconfirmed.answered();
            if unconfirmed.wants_ping() {
                self.heart.hurry();
            }
            self.confirm();
        }
    }

    /// Writes a delivery, and with it those that are there already.
    async fn deliver(&mut self, first: Result<Delivery, SessionEnd>) -> Result<(), Close> {
        let mut batch = Vec::new();
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(Ok(delivery)) => batch.push(delivery),
                Some(Err(end)) => break Some(Close::from(&end)),
                None => break None,
            }
            next = if batch.len() < BATCH { self.session.next().now_or_never() } else { None };
        };
        let named = batch.iter().filter_map(entry).flat_map(convert::named).collect();
        let names = Names::look_up(&self.api.service, named).await;
        match &mut self.dialect {
            Dialect::Seed(unconfirmed) => {
                let events = batch.iter().filter_map(entry).filter_map(|entry| convert::event(entry, &names));
                self.socket.say(events.map(|event| Envelope::new("", event)).collect()).await?;
                batch.iter().filter_map(entry).for_each(|entry| unconfirmed.wrote(entry.seq));
                if unconfirmed.wants_ping() {
                    self.heart.hurry();
                }
            }
            Dialect::Hello(acks) => {
                batch.iter().map(hello::position).for_each(|position| acks.knows(position));
                let deliveries = batch.iter().map(|delivery| hello::delivery(delivery, &names));
                self.socket.say(deliveries.collect()).await?;
            }
        }
        end.map_or(Ok(()), Err)
    }

    async fn frame(&mut self, frame: Bytes) -> Result<(), Close> {
        let Some((request_id, payload)) = super::frames::decode(frame)? else { return Ok(()) };
        metrics::counter!("dm_frames_received_total").increment(1);
        let (api, who) = (Arc::clone(&self.api), self.who.clone());
        match payload {
            Payload::DmHistoryRequest(request) => {
                let room = requests::room_of_history(&api, &request);
                self.page(request_id, room, Payload::DmHistoryResponse, async move {
                    requests::history(&api, &who, &request).await
                });
            }
            Payload::DmConversationListRequest(_) => {
                let room = requests::room_of_conversations(&api);
                self.page(request_id, room, Payload::DmConversationListResponse, async move {
                    requests::conversations(&api, &who).await.map_err(Problem::from)
                });
            }
            Payload::DmClientFrame(DmClientFrame { frame }) => self.client_frame(request_id, frame).await?,
            // What only a server says was refused before it was decoded.
            _ => {}
        }
        Ok(())
    }

    /// Starts the work on a page, which takes at most so many bytes of the budget of answers.
    fn page<T: Default + Send + 'static>(
        &mut self,
        request_id: String,
        room: usize,
        payload: fn(T) -> Payload,
        read: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) {
        let said_hello = matches!(self.dialect, Dialect::Hello(_));
        let (api, user, id) = (Arc::clone(&self.api), self.who.user, request_id.clone());
        let encode = async move { envelope(id, read.await, said_hello, payload) };
        self.work.push(Box::pin(async move {
            let answer = answers::frame(&api, user, room, encode).await;
            Done::Page(Box::new(Page { request_id, said_hello, answer }))
        }));
    }

    /// Says a page. Without one, those who said hello are told the problem; the others know of none
    /// and are to come again, because an empty page would be a lie.
    async fn say_page(&mut self, page: Page) -> Result<(), Close> {
        match page.answer.and_then(HeldFrame::take) {
            Ok(said) => self.socket.say_held(said).await,
            Err(problem) if page.said_hello => self.refuse(page.request_id, &problem).await,
            Err(problem) if problem.kind() == Kind::TooManyAnswers => {
                Err(Close::ComeAgain("too many answers are not read"))
            }
            Err(_) => Err(Close::ComeAgain("unavailable")),
        }
    }

    async fn client_frame(
        &mut self,
        request_id: String,
        frame: Option<dm_client_frame::Frame>,
    ) -> Result<(), Close> {
        use dm_client_frame::Frame;
        match (&self.dialect, frame) {
            (Dialect::Seed(_), Some(Frame::Hello(hello))) => Box::pin(self.hello(request_id, hello)).await,
            (Dialect::Seed(_), _) => Err(Close::Policy("hello comes first")),
            (Dialect::Hello(_), Some(Frame::Send(send))) => {
                self.send(request_id, send);
                Ok(())
            }
            (Dialect::Hello(_), Some(Frame::Ack(ack))) => self.ack(request_id, &ack).await,
            (Dialect::Hello(_), Some(Frame::Ping(ping))) => {
                let pong = dm_server_frame::Frame::Pong(DmPong { nonce: ping.nonce });
                self.socket.say(vec![Envelope::server(request_id, pong)]).await
            }
            (Dialect::Hello(_), Some(Frame::Hello(_))) => {
                self.refuse(request_id, &Problem::not_acceptable("hello", "was said before")).await
            }
            (Dialect::Hello(_), None) => {
                self.refuse(request_id, &Problem::not_acceptable("frame", "not known to this version")).await
            }
        }
    }

    async fn hello(&mut self, request_id: String, hello: DmHello) -> Result<(), Close> {
        match hello::greet(&self.api, &self.who, &hello).await {
            Ok(Welcomed { who, session, welcome }) => {
                tracing::debug!(device = %who.device, "a client said hello");
                self.who = who;
                self.session = session;
                // What was delivered without positions comes again with them.
                self.dialect = Dialect::Hello(Acks::default());
                let frame = dm_server_frame::Frame::Welcome(welcome);
                self.socket.say(vec![Envelope::server(request_id, frame)]).await
            }
            Err(Refused { problem, close }) => {
                self.refuse(request_id, &problem).await?;
                Err(close)
            }
        }
    }

    fn send(&mut self, request_id: String, send: DmSend) {
        let (api, who) = (Arc::clone(&self.api), self.who.clone());
        // Polled in the order in which they are pushed, and so stored in that order.
        self.work.push(Box::pin(async move {
            Done::Answer(Box::new(requests::send(api, who, request_id, send).await))
        }));
    }

    async fn ack(&mut self, request_id: String, ack: &DmAck) -> Result<(), Close> {
        let most = self.api.service.config().list_page;
        let ask = match Ask::new(request_id.clone(), ack, most) {
            Ok(ask) => ask,
            Err(problem) => return self.refuse(request_id, &problem).await,
        };
        if let Dialect::Hello(acks) = &mut self.dialect {
            acks.push(ask);
        }
        self.acknowledge();
        Ok(())
    }

    /// Starts the next acknowledgement of a client that said hello.
    fn acknowledge(&mut self) {
        if let Dialect::Hello(acks) = &mut self.dialect
            && let Some(batch) = acks.take()
        {
            let handle = self.session.handle();
            self.work.push(Box::pin(async move {
                let (request_ids, result) = batch.run(handle).await;
                Done::Acknowledged(request_ids, result)
            }));
        }
    }

    /// Starts the next acknowledgement on behalf of a client that knows none.
    fn confirm(&mut self) {
        if let Dialect::Seed(unconfirmed) = &mut self.dialect
            && let Some(seqs) = unconfirmed.take()
        {
            let (api, who) = (Arc::clone(&self.api), self.who.clone());
            self.work.push(Box::pin(async move {
                Done::Confirmed(api.service.acknowledge(&who, AckTarget::Entries(seqs)).await)
            }));
        }
    }

    async fn done(&mut self, done: Done) -> Result<(), Close> {
        match done {
            Done::Answer(envelope) => self.socket.say(vec![*envelope]).await,
            Done::Page(page) => self.say_page(*page).await,
            Done::Confirmed(result) => {
                if let Err(error) = result {
                    // They stay pending, and come again when the client fetches.
                    tracing::warn!(%error, "deliveries could not be acknowledged");
                }
                if let Dialect::Seed(unconfirmed) = &mut self.dialect {
                    unconfirmed.acknowledged();
                }
                self.confirm();
                Ok(())
            }
            Done::Acknowledged(request_ids, result) => {
                if let Dialect::Hello(acks) = &mut self.dialect {
                    acks.done();
                }
                self.acknowledge();
                self.socket.say(acknowledged(request_ids, result)).await
            }
        }
    }

    async fn refuse(&mut self, request_id: String, problem: &Problem) -> Result<(), Close> {
        let frame = dm_server_frame::Frame::Problem(problem.to_frame());
        self.socket.say(vec![Envelope::server(request_id, frame)]).await
    }

    /// Answers what is worked on, if the client is to come again, and lets go of everything but the socket.
    async fn leave(mut self, close: Close) -> Socket {
        if let Close::ComeAgain(reason) = close
            && self.say_farewell(reason).await.is_err()
        {
            tracing::debug!("the client did not take its last answers");
        }
        self.socket
    }

    async fn say_farewell(&mut self, reason: &str) -> Result<(), Close> {
        if let Dialect::Hello(_) = self.dialect {
            self.socket.say(vec![hello::going_away(reason)]).await?;
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

const fn entry(delivery: &Delivery) -> Option<&InboxEntry> {
    match delivery {
        Delivery::Entry(entry) => Some(entry),
        Delivery::Gap(_) | Delivery::CaughtUp { .. } => None,
    }
}

/// The answer to a request of both dialects: to those who did not say hello, and know of no
/// problem, a page that is not theirs to see is an empty one.
fn envelope<T: Default>(
    request_id: String,
    result: Result<T, Problem>,
    said_hello: bool,
    payload: fn(T) -> Payload,
) -> Result<Envelope, Problem> {
    let page = match result {
        Err(problem) if !said_hello && problem.kind() != Kind::Unavailable => T::default(),
        result => result?,
    };
    Ok(Envelope::new(request_id, payload(page)))
}

/// Answers to acknowledgements that were done together: all say where the cursor is, the last one what it took.
fn acknowledged(request_ids: Vec<String>, result: Result<Acknowledged, Error>) -> Vec<Envelope> {
    let frame = match result {
        Ok(done) => dm_server_frame::Frame::Acknowledged(DmAcknowledged {
            up_to: done.cursor.get(),
            acknowledged: count(done.acknowledged),
            unknown: count(done.unknown),
        }),
        Err(error) => dm_server_frame::Frame::Problem(Problem::of_write(error).to_frame()),
    };
    let mut envelopes = Vec::with_capacity(request_ids.len());
    let last = request_ids.len().saturating_sub(1);
    for (n, request_id) in request_ids.into_iter().enumerate() {
        let frame = match &frame {
            dm_server_frame::Frame::Acknowledged(done) if n < last => {
                dm_server_frame::Frame::Acknowledged(DmAcknowledged {
                    up_to: done.up_to,
                    acknowledged: 0,
                    unknown: 0,
                })
            }
            frame => frame.clone(),
        };
        envelopes.push(Envelope::server(request_id, frame));
    }
    envelopes
}

fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
