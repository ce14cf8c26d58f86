//! The dialect of seed clients (the crate's documentation defines the term). Events have no
//! positions, and the client sends no acknowledgements.
//!
//! An entry that was written to the socket counts as acknowledged once the client answers a ping
//! that was written after it. TCP keeps the order, so the client has read everything before the
//! ping.

use dm_core::{AckTarget, Acknowledged, Delivery, Error, InboxEntry, InboxSeq};
use dm_proto::dm_client_frame::Frame;
use dm_proto::{Envelope, envelope::Payload};

use super::acknowledgement::Acknowledgement;
use super::request::Request;
use crate::names::Names;
use crate::render::{self, EventVariants};
use crate::ws::close::Close;

/// Number of unconfirmed entries from which on no more deliveries are taken from the session. An
/// entry is unconfirmed from its write until its acknowledgement starts to be stored.
const MAX_UNCONFIRMED: usize = 512;
/// Maximum number of entries that are acknowledged in one write.
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
pub(crate) struct Seed {
    /// Entries written after the last ping.
    written: Vec<InboxSeq>,
    /// Entries written before the last ping, which is not answered yet.
    pinged: Vec<InboxSeq>,
    /// Entries written before an answered ping. They wait for an acknowledgement to be stored.
    arrived: Vec<InboxSeq>,
    /// Whether an acknowledgement is being stored.
    acknowledging: bool,
}

impl Seed {
    /// Returns the frames of some deliveries. A gap and the end of the backlog have no frame.
    pub(super) fn deliver(&mut self, deliveries: &[Delivery], names: &Names) -> Vec<Envelope> {
        let entries = || deliveries.iter().filter_map(entry);
        self.written.extend(entries().map(|entry| entry.seq));
        let events = entries().filter_map(|entry| render::event(entry, names, &EVENT));
        events.map(|event| Envelope::new("", event)).collect()
    }

    pub(super) fn ping_sent(&mut self) {
        self.pinged.append(&mut self.written);
        self.written = Vec::new();
    }

    pub(super) fn ping_answered(&mut self) {
        self.arrived.append(&mut self.pinged);
        self.pinged = Vec::new();
    }

    /// Returns an acknowledgement of the oldest entries before an answered ping; `None` while one
    /// is being stored or if there are no such entries.
    pub(super) fn next_ack(&mut self) -> Option<Acknowledgement> {
        if self.acknowledging || self.arrived.is_empty() {
            return None;
        }
        self.acknowledging = true;
        let rest = self.arrived.split_off(self.arrived.len().min(MAX_PER_WRITE));
        let seqs = std::mem::replace(&mut self.arrived, rest);
        Some(Acknowledgement { request_ids: Vec::new(), targets: vec![AckTarget::Entries(seqs)] })
    }

    pub(super) fn acknowledged(&mut self, result: &Result<Acknowledged, Error>) {
        self.acknowledging = false;
        log_failure(result);
    }

    /// Whether fewer than [`MAX_UNCONFIRMED`] entries are unconfirmed.
    pub(super) const fn has_room(&self) -> bool {
        self.written.len() + self.pinged.len() + self.arrived.len() < MAX_UNCONFIRMED
    }

    pub(super) const fn wants_ping(&self) -> bool {
        !self.written.is_empty()
    }
}

/// Returns the request in a client's frame, which can only be a hello.
pub(super) fn request(frame: Option<Frame>) -> Result<Request, Close> {
    match frame {
        Some(Frame::Hello(hello)) => Ok(Request::Hello(hello)),
        _ => Err(Close::Policy("hello comes first")),
    }
}

/// Logs that an acknowledgement failed. No client waits for an answer. The entries stay pending,
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

    fn write(seed: &mut Seed, seqs: std::ops::RangeInclusive<u64>) {
        seed.written.extend(seqs.map(InboxSeq::new));
    }

    /// The positions in the next acknowledgement.
    fn next(seed: &mut Seed) -> Option<Vec<u64>> {
        match &seed.next_ack()?.targets[..] {
            [AckTarget::Entries(seqs)] => Some(seqs.iter().map(|seq| seq.get()).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_entries_written_before_an_answered_ping_are_acknowledged() {
        let mut seed = Seed::default();
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
        seed.acknowledged(&Err(Error::ShuttingDown));
        assert_eq!(next(&mut seed), Some(vec![3]));
    }

    #[test]
    fn a_client_that_answers_no_ping_is_sent_no_more() {
        let mut seed = Seed::default();
        for seq in 1..=512 {
            assert!(seed.has_room());
            write(&mut seed, seq..=seq);
        }
        assert!(!seed.has_room());
        seed.ping_sent();
        seed.ping_answered();
        assert_eq!(next(&mut seed).unwrap().len(), 256);
        assert!(seed.has_room());
    }
}
