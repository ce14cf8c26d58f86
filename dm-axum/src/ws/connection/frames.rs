//! Requests of the client: frames are decoded, and the work on them begins.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use dm_proto::{
    DmAck, DmClientFrame, DmHello, DmPong, DmSend, Envelope, dm_client_frame, dm_server_frame,
    envelope::Payload,
};

use super::work::{Done, Page};
use super::{Connection, Dialect};
use crate::answers;
use crate::problem::{Kind, Problem};
use crate::ws::acks::{Acks, Ask};
use crate::ws::close::Close;
use crate::ws::hello::{self, Refused, Welcomed};
use crate::ws::{frames, requests};

impl Connection {
    pub(super) async fn frame(&mut self, frame: Bytes) -> Result<(), Close> {
        let Some((request_id, payload)) = frames::decode(frame)? else { return Ok(()) };
        metrics::counter!("dm_frames_received_total").increment(1);
        let (api, who) = (Arc::clone(&self.api), self.who.clone());
        match payload {
            Payload::DmHistoryRequest(request) => {
                let cost = requests::cost_of_history(&api, &request);
                self.page(request_id, cost, Payload::DmHistoryResponse, async move {
                    requests::history(&api, &who, &request).await
                });
            }
            Payload::DmConversationListRequest(_) => {
                let cost = requests::cost_of_conversations(&api);
                self.page(request_id, cost, Payload::DmConversationListResponse, async move {
                    requests::conversations(&api, &who).await.map_err(Problem::from)
                });
            }
            Payload::DmClientFrame(DmClientFrame { frame }) => self.client_frame(request_id, frame).await?,
            // Frames that only a server says were refused before they were decoded.
            _ => {}
        }
        Ok(())
    }

    /// Starts the work on a page, which takes at most so many bytes of the budget of answers.
    fn page<T: Default + Send + 'static>(
        &mut self,
        request_id: String,
        cost: usize,
        payload: fn(T) -> Payload,
        read: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) {
        let said_hello = matches!(self.dialect, Dialect::Hello(_));
        let (api, user, id) = (Arc::clone(&self.api), self.who.user, request_id.clone());
        let encode = async move { envelope(id, read.await, said_hello, payload) };
        self.work.push(Box::pin(async move {
            let answer = answers::frame(&api.answers, user, cost, encode).await;
            Done::Page(Box::new(Page { request_id, said_hello, answer }))
        }));
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
                self.write(vec![Envelope::server(request_id, pong)]).await
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
                self.ends.follow(&session);
                self.session = session;
                // Entries that were delivered without positions come again with them.
                self.dialect = Dialect::Hello(Acks::default());
                let frame = dm_server_frame::Frame::Welcome(welcome);
                self.write(vec![Envelope::server(request_id, frame)]).await
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
