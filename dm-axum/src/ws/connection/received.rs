//! Handles a frame of the client: decodes it, and starts the work on its request.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use dm_proto::{DmHello, Envelope, dm_server_frame, envelope::Payload};

use super::Connection;
use super::outcome::{Outcome, PageOutcome};
use crate::answers;
use crate::problem::Problem;
use crate::ws::close::Close;
use crate::ws::dialect::{Dialect, Request};
use crate::ws::welcome::{HelloRefused, Welcomed, welcome};
use crate::ws::{client_frame, requests};

impl Connection {
    /// Handles a binary frame of the client. Fails if the connection has to end, for instance
    /// because the client broke a rule.
    pub(super) async fn handle_frame(&mut self, frame: Bytes) -> Result<(), Close> {
        let Some((request_id, payload)) = client_frame::decode(frame)? else { return Ok(()) };
        metrics::counter!("dm_frames_received_total").increment(1);
        let (api, principal) = (Arc::clone(&self.api), self.principal.clone());
        let max_ids = api.service.config().list_page;
        let Some(request) = self.dialect.parse_request(&request_id, payload, max_ids)? else { return Ok(()) };
        match request {
            Request::History(request) => {
                let cost = requests::cost_of_history(&api, &request);
                self.start_page(request_id, cost, Payload::DmHistoryResponse, async move {
                    requests::history(&api, &principal, &request).await
                });
            }
            Request::Conversations => {
                let cost = requests::cost_of_conversations(&api);
                self.start_page(request_id, cost, Payload::DmConversationListResponse, async move {
                    requests::conversations(&api, &principal).await.map_err(Problem::from)
                });
            }
            // The futures of sends are polled for the first time in the order in which they are
            // pushed, and the service stores messages in the order of these polls. So the messages
            // of a client are stored in the order in which it sent them.
            Request::Send(send) => self.in_progress.push(Box::pin(async move {
                Outcome::Answer(Box::new(requests::send(api, principal, request_id, send).await))
            })),
            Request::Acknowledge => self.start_next_ack(),
            Request::Hello(hello) => return Box::pin(self.handle_hello(request_id, hello)).await,
            Request::Answer(frame) => return self.write_answer(request_id, frame).await,
        }
        Ok(())
    }

    /// Starts to read and encode a page: `read` reads it, and `payload` wraps it for the envelope.
    /// `cost` is the maximum memory in bytes that the page takes while it is being built.
    fn start_page<T: Default + Send + 'static>(
        &mut self,
        request_id: String,
        cost: usize,
        payload: fn(T) -> Payload,
        read: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) {
        let refusal_style = self.dialect.refusal_style();
        let (api, user, id) = (Arc::clone(&self.api), self.principal.user, request_id.clone());
        let encode = async move {
            refusal_style.page_or_problem(read.await).map(|page| Envelope::new(id, payload(page)))
        };
        self.in_progress.push(Box::pin(async move {
            let page = answers::websocket_frame(&api.answers, user, cost, encode).await;
            Outcome::Page(Box::new(PageOutcome { request_id, refusal_style, page }))
        }));
    }

    /// Answers a hello. After an accepted hello, the connection uses the session of the device that
    /// the hello names, and the dialect after a hello. A refused hello ends the connection.
    async fn handle_hello(&mut self, request_id: String, hello: DmHello) -> Result<(), Close> {
        match welcome(&self.api, &self.principal, &hello).await {
            Ok(Welcomed { principal, session, welcome }) => {
                tracing::debug!(device = %principal.device, "a client sent a hello");
                self.principal = principal;
                self.end_monitor.watch_session(&session);
                self.session = session;
                self.dialect = Dialect::after_hello();
                self.write_answer(request_id, dm_server_frame::Frame::Welcome(welcome)).await
            }
            Err(HelloRefused { problem, close }) => {
                self.write_answer(request_id, dm_server_frame::Frame::Problem(problem.to_frame())).await?;
                Err(close)
            }
        }
    }
}
