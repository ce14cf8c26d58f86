//! [`SeedDialect`]: the protocol of a connection before a hello, which the clients of the first
//! protocol version (seed clients) use until they disconnect. Events have no positions, and the
//! client sends no acknowledgements.
//!
//! The server acknowledges an entry for the client once the client has answered a ping that was
//! written after the entry. TCP keeps the order, so the client has read the entry before the ping.

use dm_core::{AckTarget, Acknowledged, Delivery, Error, InboxEntry, InboxSeq};
use dm_proto::dm_client_frame::Frame;
use dm_proto::{Envelope, envelope::Payload};

use super::acknowledgement::Acknowledgement;
use super::request::Request;
use crate::names::Names;
use crate::render::{self, EventVariants};
use crate::ws::close::Close;

/// Number of unconfirmed entries from which on no delivery is taken from the session. This limits
/// the memory of a connection whose client answers no ping. An entry is unconfirmed from its write
/// until its acknowledgement starts to be stored. The number can become a little larger, because
/// several deliveries are taken together.
const MAX_UNCONFIRMED: usize = 512;
/// Maximum number of entries that are acknowledged in one write to the store.
const MAX_PER_WRITE: usize = 256;

/// The constructors that wrap an event as the payload of an envelope.
const EVENT: EventVariants<Payload> = EventVariants {
    message: Payload::DmMessageEvent,
    conversation_created: Payload::DmConversationCreatedEvent,
    key_rotated: Payload::DmKeyRotatedEvent,
};

/// The state of the dialect: the entries of one connection that are not acknowledged yet. Each list
/// is ordered from old to new.
#[derive(Debug, Default)]
pub(crate) struct SeedDialect {
    /// Entries written after the last ping.
    after_ping: Vec<InboxSeq>,
    /// Entries written before the last ping. The ping is not answered yet.
    before_ping: Vec<InboxSeq>,
    /// Entries written before an answered ping. Their acknowledgement is not being stored yet.
    received: Vec<InboxSeq>,
    /// Whether an acknowledgement is being stored.
    storing: bool,
}

impl SeedDialect {
    /// Returns the frames of deliveries. A gap (a range of expired entries) and the end of the
    /// backlog have no frame in this dialect.
    pub(super) fn delivery_frames(&mut self, deliveries: &[Delivery], names: &Names) -> Vec<Envelope> {
        let entries = || deliveries.iter().filter_map(entry);
        self.after_ping.extend(entries().map(|entry| entry.seq));
        let events = entries().filter_map(|entry| render::event(entry, names, &EVENT));
        events.map(|event| Envelope::new("", event)).collect()
    }

    pub(super) fn ping_sent(&mut self) {
        self.before_ping.append(&mut self.after_ping);
        // An empty list without capacity: most connections are idle, and should take little memory.
        self.after_ping = Vec::new();
    }

    pub(super) fn ping_answered(&mut self) {
        self.received.append(&mut self.before_ping);
        // As in `ping_sent`.
        self.before_ping = Vec::new();
    }

    /// Returns an acknowledgement of the oldest entries that were written before an answered ping;
    /// `None` while another one is being stored or if there are no such entries.
    pub(super) fn next_ack(&mut self) -> Option<Acknowledgement> {
        if self.storing || self.received.is_empty() {
            return None;
        }
        self.storing = true;
        let rest = self.received.split_off(self.received.len().min(MAX_PER_WRITE));
        let seqs = std::mem::replace(&mut self.received, rest);
        Some(Acknowledgement { request_ids: Vec::new(), targets: vec![AckTarget::Entries(seqs)] })
    }

    pub(super) fn finish_ack(&mut self, result: &Result<Acknowledged, Error>) {
        self.storing = false;
        log_failure(result);
    }

    /// Whether fewer than [`MAX_UNCONFIRMED`] entries are unconfirmed.
    pub(super) const fn accepts_deliveries(&self) -> bool {
        self.after_ping.len() + self.before_ping.len() + self.received.len() < MAX_UNCONFIRMED
    }

    pub(super) const fn wants_ping(&self) -> bool {
        !self.after_ping.is_empty()
    }
}

/// Returns the request in a client's frame. Refuses every frame except a hello.
pub(super) fn parse_request(frame: Option<Frame>) -> Result<Request, Close> {
    match frame {
        Some(Frame::Hello(hello)) => Ok(Request::Hello(hello)),
        _ => Err(Close::Policy("hello comes first")),
    }
}

/// Logs that an acknowledgement failed. There is no request to answer. The entries stay pending,
/// and the client gets them when it fetches pending messages.
pub(super) fn log_failure(result: &Result<Acknowledged, Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, "deliveries could not be acknowledged");
    }
}

/// The entry in a delivery; `None` for a gap or the end of the backlog.
const fn entry(delivery: &Delivery) -> Option<&InboxEntry> {
    match delivery {
        Delivery::Entry(entry) => Some(entry),
        Delivery::Gap(_) | Delivery::CaughtUp { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(seed: &mut SeedDialect, seqs: std::ops::RangeInclusive<u64>) {
        seed.after_ping.extend(seqs.map(InboxSeq::new));
    }

    /// The positions in the next acknowledgement.
    fn next(seed: &mut SeedDialect) -> Option<Vec<u64>> {
        match &seed.next_ack()?.targets[..] {
            [AckTarget::Entries(seqs)] => Some(seqs.iter().map(|seq| seq.get()).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_entries_written_before_an_answered_ping_are_acknowledged() {
        let mut seed = SeedDialect::default();
        write(&mut seed, 1..=2);
        seed.ping_sent();
        write(&mut seed, 3..=3);
        assert_eq!(next(&mut seed), None);
        seed.ping_answered();
        assert_eq!(next(&mut seed), Some(vec![1, 2]));
        assert!(seed.wants_ping());
        seed.ping_sent();
        seed.ping_answered();
        assert_eq!(next(&mut seed), None, "one write at a time");
        seed.finish_ack(&Err(Error::ShuttingDown));
        assert_eq!(next(&mut seed), Some(vec![3]));
    }

    #[test]
    fn deliveries_stop_at_512_unconfirmed_entries() {
        let mut seed = SeedDialect::default();
        for seq in 1..=512 {
            assert!(seed.accepts_deliveries());
            write(&mut seed, seq..=seq);
        }
        assert!(!seed.accepts_deliveries());
        seed.ping_sent();
        seed.ping_answered();
        assert_eq!(next(&mut seed).unwrap().len(), 256);
        assert!(seed.accepts_deliveries());
    }
}
