//! [`Dialect`]: the two dialects of the WebSocket protocol, and everything that differs between
//! them.
//!
//! A connection starts in the `seed` dialect, in which deliveries have no positions and clients
//! send no acknowledgements. A hello changes the connection to the `hello` dialect, which has
//! positions and acknowledgements.
//!
//! A dialect has no access to the socket, the clock or the store. Its inputs are frames,
//! deliveries, answered pings and results of acknowledgements. Its outputs are frames, requests and
//! acknowledgements. The connection writes the frames, handles the requests and stores the
//! acknowledgements.

mod ack_queue;
mod acknowledgement;
mod hello;
mod refusal_style;
mod request;
mod seed;

use dm_core::Delivery;
use dm_proto::{DmClientFrame, Envelope, envelope::Payload};

pub(super) use self::acknowledgement::AckOutcome;
use self::acknowledgement::Acknowledgement;
use self::hello::HelloDialect;
pub(super) use self::refusal_style::RefusalStyle;
pub(super) use self::request::Request;
use self::seed::SeedDialect;
use super::close::Close;
use crate::names::Names;

/// The dialect of one connection, with the deliveries that are not acknowledged and the
/// acknowledgements that are not stored.
#[derive(Debug)]
pub(super) enum Dialect {
    /// The dialect before a hello.
    Seed(SeedDialect),
    /// The dialect after a hello.
    Hello(HelloDialect),
}

impl Dialect {
    /// The dialect in which every connection starts.
    pub(super) fn before_hello() -> Self {
        Self::Seed(SeedDialect::default())
    }

    /// The dialect after a hello, without the state of the dialect before the hello. Entries that
    /// were delivered before the hello and are not acknowledged are delivered again, with
    /// positions.
    pub(super) fn after_hello() -> Self {
        Self::Hello(HelloDialect::default())
    }

    /// Returns the request in a client's payload, or `None` if the payload is not a request. Fails
    /// if the connection has to end. An acknowledgement may name at most `max_ids` messages.
    pub(super) fn parse_request(
        &mut self,
        request_id: &str,
        payload: Payload,
        max_ids: usize,
    ) -> Result<Option<Request>, Close> {
        let request = match (payload, self) {
            (Payload::DmHistoryRequest(request), _) => Request::History(request),
            (Payload::DmConversationListRequest(_), _) => Request::Conversations,
            (Payload::DmClientFrame(DmClientFrame { frame }), Self::Seed(_)) => seed::parse_request(frame)?,
            (Payload::DmClientFrame(DmClientFrame { frame }), Self::Hello(hello)) => {
                hello.parse_request(request_id, frame, max_ids)
            }
            // `client_frame::decode` refuses the payloads that only a server sends.
            _ => return Ok(None),
        };
        Ok(Some(request))
    }

    /// The way to refuse a page that is requested in this dialect.
    pub(super) const fn refusal_style(&self) -> RefusalStyle {
        match self {
            Self::Seed(_) => RefusalStyle::EmptyPage,
            Self::Hello(_) => RefusalStyle::Problem,
        }
    }

    /// Whether another delivery may be written now.
    pub(super) const fn accepts_deliveries(&self) -> bool {
        match self {
            Self::Seed(seed) => seed.accepts_deliveries(),
            // The session returns no delivery while its window is full. The window is the maximum
            // number of unacknowledged deliveries.
            Self::Hello(_) => true,
        }
    }

    /// Returns the frames of deliveries. The caller must write the frames in this order before it
    /// sends another ping, because in the `seed` dialect the answer to that ping acknowledges the
    /// deliveries.
    pub(super) fn delivery_frames(&mut self, deliveries: &[Delivery], names: &Names) -> Vec<Envelope> {
        match self {
            Self::Seed(seed) => seed.delivery_frames(deliveries, names),
            Self::Hello(hello) => hello.delivery_frames(deliveries, names),
        }
    }

    /// Records that the connection sends a ping, after all frames that
    /// [`delivery_frames`](Self::delivery_frames) has returned.
    pub(super) fn ping_sent(&mut self) {
        if let Self::Seed(seed) = self {
            seed.ping_sent();
        }
    }

    /// Records that the client answered the last ping.
    pub(super) fn ping_answered(&mut self) {
        if let Self::Seed(seed) = self {
            seed.ping_answered();
        }
    }

    /// Whether the answer to a ping sent now will acknowledge deliveries.
    pub(super) const fn wants_ping(&self) -> bool {
        match self {
            Self::Seed(seed) => seed.wants_ping(),
            Self::Hello(_) => false,
        }
    }

    /// The number of acknowledgement requests that wait to be stored.
    pub(super) fn waiting_acks(&self) -> usize {
        match self {
            Self::Seed(_) => 0,
            Self::Hello(hello) => hello.waiting_acks(),
        }
    }

    /// Returns the next acknowledgement to store; `None` while another one is being stored or if
    /// there is none.
    pub(super) fn next_ack(&mut self) -> Option<Acknowledgement> {
        match self {
            Self::Seed(seed) => seed.next_ack(),
            Self::Hello(hello) => hello.next_ack(),
        }
    }

    /// Records the result of storing an acknowledgement. Returns the answers to the requests for
    /// this acknowledgement.
    pub(super) fn finish_ack(&mut self, outcome: AckOutcome) -> Vec<Envelope> {
        let AckOutcome { request_ids, result } = outcome;
        match self {
            Self::Seed(seed) => {
                seed.finish_ack(&result);
                Vec::new()
            }
            // Only an acknowledgement from before the hello has no request ids. The queue of this
            // dialect does not contain it.
            Self::Hello(_) if request_ids.is_empty() => {
                seed::log_failure(&result);
                Vec::new()
            }
            Self::Hello(hello) => hello.finish_ack(request_ids, result),
        }
    }

    /// Returns the frame that asks a client to connect again later; `None` in the `seed` dialect,
    /// which has no such frame.
    pub(super) fn going_away(&self, reason: &str) -> Option<Envelope> {
        match self {
            Self::Seed(_) => None,
            Self::Hello(_) => Some(hello::going_away(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use dm_core::Error;
    use dm_proto::{DmAck, dm_client_frame::Frame};

    use super::*;

    fn client(frame: Frame) -> Payload {
        Payload::DmClientFrame(DmClientFrame { frame: Some(frame) })
    }

    #[test]
    fn the_result_of_an_acknowledgement_before_the_hello_does_not_finish_a_later_one() {
        let mut dialect = Dialect::after_hello();
        for request_id in ["a", "b"] {
            let ack = DmAck { up_to: 1, message_ids: vec![] };
            let request = dialect.parse_request(request_id, client(Frame::Ack(ack)), 1).unwrap();
            assert!(matches!(request, Some(Request::Acknowledge)));
        }
        let first = dialect.next_ack().unwrap();
        let before = AckOutcome { request_ids: vec![], result: Err(Error::ShuttingDown) };
        assert_eq!(dialect.finish_ack(before), []);
        assert_eq!(dialect.next_ack(), None, "one write at a time");
        let after = AckOutcome { request_ids: first.request_ids, result: Err(Error::ShuttingDown) };
        assert_eq!(dialect.finish_ack(after).len(), 1);
        assert!(dialect.next_ack().is_some());
    }

    #[test]
    fn only_a_hello_is_allowed_before_a_hello() {
        let mut dialect = Dialect::before_hello();
        let request = dialect.parse_request("", client(Frame::Hello(Default::default())), 1).unwrap();
        assert!(matches!(request, Some(Request::Hello(_))));
        let ping = dialect.parse_request("", client(Frame::Ping(Default::default())), 1);
        assert_eq!(ping.unwrap_err(), Close::Policy("hello comes first"));
    }
}
