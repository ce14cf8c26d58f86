//! The two dialects of the protocol, and everything that differs between them.
//!
//! A connection begins in the dialect of the seed's clients (`seed`), which know nothing of
//! positions and acknowledge nothing. A hello changes it to our own (`hello`), with positions and
//! acknowledgements.
//!
//! A dialect knows no socket, no clock and no store. Frames, deliveries, answered pings and results
//! of acknowledgements go in; frames, requests and acknowledgements come out. The owner of the
//! socket writes the frames, works on the requests and stores the acknowledgements.

mod ack_queue;
mod acknowledgement;
mod hello;
mod page_refusal;
mod request;
mod seed;

use dm_core::Delivery;
use dm_proto::{DmClientFrame, Envelope, envelope::Payload};

pub(super) use self::acknowledgement::AckOutcome;
use self::acknowledgement::Acknowledgement;
use self::hello::Hello;
pub(super) use self::page_refusal::PageRefusal;
pub(super) use self::request::Request;
use self::seed::Seed;
use super::close::Close;
use crate::names::Names;

/// The dialect of one connection, with its deliveries and acknowledgements that are not stored yet.
#[derive(Debug)]
pub(super) enum Dialect {
    /// The seed's, before a hello.
    Seed(Seed),
    /// Ours, after a hello.
    Hello(Hello),
}

impl Dialect {
    /// The dialect in which every connection begins.
    pub(super) fn seed() -> Self {
        Self::Seed(Seed::default())
    }

    /// The dialect after a hello. Entries that were delivered before are delivered again, with
    /// positions.
    pub(super) fn hello() -> Self {
        Self::Hello(Hello::default())
    }

    /// The request in a client's payload; `None` if it holds none. An acknowledgement of more than
    /// `max_ids` messages is refused.
    pub(super) fn request(
        &mut self,
        request_id: &str,
        payload: Payload,
        max_ids: usize,
    ) -> Result<Option<Request>, Close> {
        let request = match (payload, self) {
            (Payload::DmHistoryRequest(request), _) => Request::History(request),
            (Payload::DmConversationListRequest(_), _) => Request::Conversations,
            (Payload::DmClientFrame(DmClientFrame { frame }), Self::Seed(_)) => seed::request(frame)?,
            (Payload::DmClientFrame(DmClientFrame { frame }), Self::Hello(hello)) => {
                hello.request(request_id, frame, max_ids)
            }
            // Payloads that only a server sends are refused before they are decoded.
            _ => return Ok(None),
        };
        Ok(Some(request))
    }

    /// The answer to a request for a page that is refused, if the request arrives now.
    pub(super) const fn page_refusal(&self) -> PageRefusal {
        match self {
            Self::Seed(_) => PageRefusal::EmptyPage,
            Self::Hello(_) => PageRefusal::Problem,
        }
    }

    /// Whether more deliveries may be written now.
    pub(super) const fn takes_deliveries(&self) -> bool {
        match self {
            Self::Seed(seed) => seed.has_room(),
            // The session keeps to the window of a device that acknowledges.
            Self::Hello(_) => true,
        }
    }

    /// The frames of some deliveries, which the caller writes in this order before it sends a ping.
    pub(super) fn deliver(&mut self, deliveries: &[Delivery], names: &Names) -> Vec<Envelope> {
        match self {
            Self::Seed(seed) => seed.deliver(deliveries, names),
            Self::Hello(hello) => hello.deliver(deliveries, names),
        }
    }

    /// Notes that a ping is sent, after all frames so far.
    pub(super) fn ping_sent(&mut self) {
        if let Self::Seed(seed) = self {
            seed.ping_sent();
        }
    }

    /// Notes that the client answered the last ping.
    pub(super) fn ping_answered(&mut self) {
        if let Self::Seed(seed) = self {
            seed.ping_answered();
        }
    }

    /// Whether the answer to a ping would acknowledge deliveries.
    pub(super) const fn wants_ping(&self) -> bool {
        match self {
            Self::Seed(seed) => seed.wants_ping(),
            Self::Hello(_) => false,
        }
    }

    /// Requested acknowledgements that wait to be stored.
    pub(super) fn waiting_acks(&self) -> usize {
        match self {
            Self::Seed(_) => 0,
            Self::Hello(hello) => hello.waiting_acks(),
        }
    }

    /// The next acknowledgement to store; `None` while one is being stored or none is due.
    pub(super) fn next_ack(&mut self) -> Option<Acknowledgement> {
        match self {
            Self::Seed(seed) => seed.next_ack(),
            Self::Hello(hello) => hello.next_ack(),
        }
    }

    /// Takes the result of an acknowledgement. The frames answer the requests for it.
    pub(super) fn acknowledged(&mut self, outcome: AckOutcome) -> Vec<Envelope> {
        let AckOutcome { request_ids, result } = outcome;
        match self {
            Self::Seed(seed) => {
                seed.acknowledged(&result);
                Vec::new()
            }
            // It began before the hello, so the queue of the new dialect does not have it.
            Self::Hello(_) if request_ids.is_empty() => {
                seed::log_failure(&result);
                Vec::new()
            }
            Self::Hello(hello) => hello.acknowledged(request_ids, result),
        }
    }

    /// The frame that announces the end of the connection, to a client that may connect again.
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
    fn an_acknowledgement_from_before_the_hello_does_not_end_one_from_after_it() {
        let mut dialect = Dialect::hello();
        for request_id in ["a", "b"] {
            let ack = DmAck { up_to: 1, message_ids: vec![] };
            let request = dialect.request(request_id, client(Frame::Ack(ack)), 1).unwrap();
            assert!(matches!(request, Some(Request::Acknowledge)));
        }
        let first = dialect.next_ack().unwrap();
        let before = AckOutcome { request_ids: vec![], result: Err(Error::ShuttingDown) };
        assert_eq!(dialect.acknowledged(before), []);
        assert_eq!(dialect.next_ack(), None, "one write at a time");
        let after = AckOutcome { request_ids: first.request_ids, result: Err(Error::ShuttingDown) };
        assert_eq!(dialect.acknowledged(after).len(), 1);
        assert!(dialect.next_ack().is_some());
    }

    #[test]
    fn only_a_hello_is_allowed_before_a_hello() {
        let mut dialect = Dialect::seed();
        let request = dialect.request("", client(Frame::Hello(Default::default())), 1).unwrap();
        assert!(matches!(request, Some(Request::Hello(_))));
        let ping = dialect.request("", client(Frame::Ping(Default::default())), 1);
        assert_eq!(ping.unwrap_err(), Close::Policy("hello comes first"));
    }
}
