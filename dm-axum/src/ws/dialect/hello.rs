//! [`HelloDialect`]: the protocol of a connection after a hello. Deliveries have positions, clients
//! send acknowledgements and messages, and refusals are problems.

use dm_core::{Acknowledged, Delivery, Error, GapReason, InboxSeq};
use dm_proto::{
    DmAcknowledged, DmCaughtUp, DmDelivery, DmGap, DmGoingAway, DmPong, Envelope, dm_client_frame,
    dm_delivery, dm_gap::Reason, dm_server_frame::Frame,
};

use super::ack_queue::{AckQueue, AckRequest};
use super::acknowledgement::Acknowledgement;
use super::request::Request;
use crate::names::Names;
use crate::problem::Problem;
use crate::render::{self, EventVariants};

/// The time in ms that a client is asked to wait before it connects again.
const RECONNECT_AFTER_MS: u64 = 1_000;

/// The constructors that wrap an event for a [`DmDelivery`].
const EVENT: EventVariants<dm_delivery::Event> = EventVariants {
    message: dm_delivery::Event::Message,
    conversation_created: dm_delivery::Event::ConversationCreated,
    key_rotated: dm_delivery::Event::KeyRotated,
};

/// The state of the dialect: the acknowledgements of one connection that are not stored yet.
#[derive(Debug, Default)]
pub(crate) struct HelloDialect {
    acks: AckQueue,
}

impl HelloDialect {
    /// Returns the request in a client's frame. A frame that is not acceptable becomes a
    /// [`Request::Answer`] with a problem, and the connection stays open. An acknowledgement also
    /// joins the queue.
    pub(super) fn parse_request(
        &mut self,
        request_id: &str,
        frame: Option<dm_client_frame::Frame>,
        max_ids: usize,
    ) -> Request {
        use dm_client_frame::Frame as Client;
        match frame {
            Some(Client::Send(send)) => Request::Send(send),
            Some(Client::Ack(ack)) => match AckRequest::new(request_id.to_owned(), &ack, max_ids) {
                Ok(request) => {
                    self.acks.push(request);
                    Request::Acknowledge
                }
                Err(problem) => refuse(&problem),
            },
            Some(Client::Ping(ping)) => Request::Answer(Frame::Pong(DmPong { nonce: ping.nonce })),
            Some(Client::Hello(_)) => {
                refuse(&Problem::not_acceptable("hello", "a hello was accepted before"))
            }
            None => refuse(&Problem::not_acceptable("frame", "the server does not know this frame")),
        }
    }

    /// Returns the frames of deliveries, in the same order.
    pub(super) fn delivery_frames(&mut self, deliveries: &[Delivery], names: &Names) -> Vec<Envelope> {
        deliveries.iter().map(position).for_each(|position| self.acks.record_delivered(position));
        deliveries.iter().map(|delivery| Envelope::server("", frame(delivery, names))).collect()
    }

    /// Returns the next acknowledgement to store; `None` while another one is being stored or if no
    /// request waits.
    pub(super) fn next_ack(&mut self) -> Option<Acknowledgement> {
        self.acks.next()
    }

    /// Returns the answers to requests that were stored as one acknowledgement. Each answer has the
    /// cursor. Only the last answer has the counts, and the others have zeros, so that a client can
    /// add the counts of all answers.
    pub(super) fn finish_ack(
        &mut self,
        mut request_ids: Vec<String>,
        result: Result<Acknowledged, Error>,
    ) -> Vec<Envelope> {
        self.acks.record_stored();
        let last_id = request_ids.pop();
        let (others, last) = match result {
            Ok(done) => {
                let others = DmAcknowledged { up_to: done.cursor.get(), acknowledged: 0, unknown: 0 };
                let (acknowledged, unknown) = (count(done.acknowledged), count(done.unknown));
                let last = DmAcknowledged { acknowledged, unknown, ..others };
                (Frame::Acknowledged(others), Frame::Acknowledged(last))
            }
            Err(error) => {
                let problem = Frame::Problem(Problem::from_write_error(error).to_frame());
                (problem.clone(), problem)
            }
        };
        let others = request_ids.into_iter().map(|id| Envelope::server(id, others.clone()));
        others.chain(last_id.map(|id| Envelope::server(id, last))).collect()
    }

    /// The number of acknowledgement requests that wait to be stored.
    pub(super) fn waiting_acks(&self) -> usize {
        self.acks.len()
    }
}

/// Returns the frame that announces the end of a connection.
pub(super) fn going_away(reason: &str) -> Envelope {
    let going = DmGoingAway { reason: reason.to_owned(), reconnect_after_ms: RECONNECT_AFTER_MS };
    Envelope::server("", Frame::GoingAway(going))
}

/// Returns the request that writes a problem as the answer.
fn refuse(problem: &Problem) -> Request {
    Request::Answer(Frame::Problem(problem.to_frame()))
}

/// Returns the newest position that a client knows after it has received a delivery.
const fn position(delivery: &Delivery) -> InboxSeq {
    match delivery {
        Delivery::Entry(entry) => entry.seq,
        Delivery::Gap(gap) => gap.to,
        Delivery::CaughtUp { position } => *position,
    }
}

/// Returns the frame of a delivery.
fn frame(delivery: &Delivery, names: &Names) -> Frame {
    match delivery {
        Delivery::Entry(entry) => Frame::Delivery(DmDelivery {
            position: entry.seq.get(),
            at: entry.at.as_millis(),
            event: render::event(entry, names, &EVENT),
        }),
        Delivery::Gap(gap) => {
            let reason = match gap.reason {
                GapReason::Expired => Reason::Expired,
                _ => Reason::Unspecified,
            };
            Frame::Gap(DmGap { from: gap.from.get(), to: gap.to.get(), reason: reason.into() })
        }
        Delivery::CaughtUp { position } => Frame::CaughtUp(DmCaughtUp { position: position.get() }),
    }
}

fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
