//! Requests that are done are answered.

use std::sync::Arc;

use dm_core::{AckTarget, Acknowledged, Error};
use dm_proto::{DmAcknowledged, Envelope, dm_server_frame};

use super::work::{Done, Page};
use super::{Connection, Dialect};
use crate::answers::HeldFrame;
use crate::problem::{Kind, Problem};
use crate::ws::close::Close;

impl Connection {
    pub(super) async fn done(&mut self, done: Done) -> Result<(), Close> {
        match done {
            Done::Answer(envelope) => self.write(vec![*envelope]).await,
            Done::Page(page) => self.write_page(*page).await,
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
                self.write(acknowledged(request_ids, result)).await
            }
        }
    }

    /// Says a page. Without one, those who said hello are told the problem; the others know of none
    /// and are to come again, because an empty page would be a lie.
    async fn write_page(&mut self, page: Page) -> Result<(), Close> {
        match page.answer.and_then(HeldFrame::take) {
            Ok(taken) => self.ends.or(self.socket.write_held(taken)).await,
            Err(problem) if page.said_hello => self.refuse(page.request_id, &problem).await,
            Err(problem) if problem.kind() == Kind::TooManyAnswers => {
                Err(Close::Reconnect("too many answers are not read"))
            }
            Err(_) => Err(Close::Reconnect("unavailable")),
        }
    }

    /// Starts the next acknowledgement of a client that said hello.
    pub(super) fn acknowledge(&mut self) {
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
    pub(super) fn confirm(&mut self) {
        if let Dialect::Seed(unconfirmed) = &mut self.dialect
            && let Some(seqs) = unconfirmed.take()
        {
            let (api, who) = (Arc::clone(&self.api), self.who.clone());
            self.work.push(Box::pin(async move {
                Done::Confirmed(api.service.acknowledge(&who, AckTarget::Entries(seqs)).await)
            }));
        }
    }

    pub(super) async fn refuse(&mut self, request_id: String, problem: &Problem) -> Result<(), Close> {
        let frame = dm_server_frame::Frame::Problem(problem.to_frame());
        self.write(vec![Envelope::server(request_id, frame)]).await
    }
}

/// Answers to acknowledgements that were done together: all say where the cursor is, the last one
/// what it took.
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
