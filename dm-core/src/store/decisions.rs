//! The decisions that every store has to make in the same way, as functions. A store reads rows,
//! calls one of these functions, and writes rows. The crate's front page explains the
//! [terms](crate#terms), such as cursor, head and floor.

use std::sync::Arc;

use super::refusal::Refusal;
use super::write::{
    AckTarget, Acknowledge, Acknowledged, Answer, AppendMessage, Appended, DeviceStart, RegisterDevice,
};
use crate::ids::MessageId;
use crate::message::Message;
use crate::numbers::InboxSeq;

impl AppendMessage {
    /// The answer to a send whose client id the sender used before: the stored message, if this
    /// send is its retry. `stored` is the message with that client id, and `sender_seq` the number
    /// of its entry in the sender's inbox. A store calls this before it checks the gates. It then
    /// writes nothing, whatever this returns.
    ///
    /// # Errors
    /// [`Refusal::ClientIdReused`] when this send does not [repeat](Self::repeats) the stored
    /// message.
    pub fn retry_answer(&self, stored: Arc<Message>, sender_seq: InboxSeq) -> Result<Answer, Refusal> {
        if !self.repeats(&stored) {
            return Err(Refusal::ClientIdReused);
        }
        Ok(Answer::MessageAppended(Appended { message: stored, sender_seq }))
    }
}

impl RegisterDevice {
    /// The cursor at which a new device starts. `devices` is the number of the user's registered
    /// devices, `floor` the number of the newest expired entry, and `head` the number of the newest
    /// entry.
    ///
    /// # Errors
    /// [`Refusal::TooManyDevices`] when the user has as many devices as the write's limit.
    pub fn new_device_cursor(
        &self,
        devices: usize,
        floor: InboxSeq,
        head: InboxSeq,
    ) -> Result<InboxSeq, Refusal> {
        if devices >= self.limit {
            return Err(Refusal::TooManyDevices);
        }
        Ok(match self.start {
            DeviceStart::Oldest => floor,
            DeviceStart::Now => head,
        })
    }
}

/// The state before an acknowledgement, for [`Acknowledge::decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckState {
    /// The device's cursor: every entry up to here is acknowledged.
    pub cursor: InboxSeq,
    /// The number of the newest entry in the user's inbox.
    pub head: InboxSeq,
    /// The number of the newest expired entry; zero if none has expired.
    pub floor: InboxSeq,
}

/// The changes of an acknowledgement. After making them, the store advances the cursor over the
/// acknowledged entries that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckDecision {
    /// The answer, with the cursor that the acknowledgement sets. When the store has advanced the
    /// cursor, it puts the new cursor into the answer.
    pub done: Acknowledged,
    /// The numbers of the single entries that the store has to mark as acknowledged. All are above
    /// the device's previous cursor, and none has expired.
    pub marks: Vec<InboxSeq>,
}

impl Acknowledge {
    /// Checks the acknowledgement and decides what it changes. `entry_about` returns the number of
    /// the user's entry about a message; zero when there is none. It is called once for each named
    /// message.
    ///
    /// # Errors
    /// [`Refusal::BeyondHead`] when a named entry is beyond the newest, and any error of
    /// `entry_about`.
    pub fn decide<E: From<Refusal>>(
        &self,
        device: AckState,
        entry_about: impl FnMut(MessageId) -> Result<InboxSeq, E>,
    ) -> Result<AckDecision, E> {
        let AckState { cursor, head, floor } = device;
        let mut done = Acknowledged { cursor, acknowledged: 0, unknown: 0 };
        let refused_beyond = |newest: Option<InboxSeq>| match newest {
            Some(newest) if newest > head => Err(Refusal::BeyondHead { head }),
            _ => Ok(()),
        };
        let named = match &self.target {
            AckTarget::UpTo(seq) => {
                refused_beyond(Some(*seq))?;
                done.acknowledged = seq.get().saturating_sub(cursor.get());
                done.cursor = cursor.max(*seq);
                Vec::new()
            }
            AckTarget::Entries(seqs) => {
                refused_beyond(seqs.iter().max().copied())?;
                seqs.clone()
            }
            AckTarget::Messages(ids) => ids.iter().copied().map(entry_about).collect::<Result<_, _>>()?,
        };
        let known = named.iter().filter(|seq| **seq != InboxSeq::ZERO).count();
        done.unknown = (named.len() - known) as u64;
        done.acknowledged += known as u64;
        // No mark is needed for an entry up to the cursor, which is acknowledged, and for an
        // expired entry, which is never shown.
        let marks = named.into_iter().filter(|seq| *seq > cursor && *seq > floor).collect();
        Ok(AckDecision { done, marks })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::device::Principal;
    use crate::ids::{ClientMessageId, ConversationId};
    use crate::message::Ciphertext;
    use crate::numbers::{SenderSequence, ServerSequence};
    use crate::testing::user;
    use crate::time::Timestamp;

    fn seq(n: u64) -> InboxSeq {
        InboxSeq::new(n)
    }

    fn send(payload: &'static [u8]) -> AppendMessage {
        AppendMessage {
            id: MessageId::from_bytes([1; 16]),
            conversation: ConversationId::from_bytes([2; 16]),
            sender: user(1).into(),
            client_id: Some(ClientMessageId::from_bytes([3; 16])),
            sent_at: Timestamp::from_millis(1),
            at: Timestamp::from_millis(2),
            ciphertext: Ciphertext::new(Bytes::from_static(payload), &[0; 24], None, None).unwrap(),
        }
    }

    #[test]
    fn a_repeat_is_answered_with_the_first_message_and_other_content_is_refused() {
        let first = Arc::new(send(b"one").into_message(ServerSequence::new(5), SenderSequence::new(2)));
        let again = AppendMessage { id: MessageId::from_bytes([9; 16]), ..send(b"one") };
        let Ok(Answer::MessageAppended(answer)) = again.retry_answer(Arc::clone(&first), seq(7)) else {
            panic!("a repeat is refused");
        };
        assert_eq!((answer.message, answer.sender_seq), (Arc::clone(&first), seq(7)));
        let refused = send(b"two").retry_answer(first, seq(7)).unwrap_err();
        assert_eq!(refused, Refusal::ClientIdReused);
    }

    #[test]
    fn a_new_device_starts_at_the_floor_or_at_the_head_unless_there_are_too_many() {
        let register =
            |start| RegisterDevice { who: user(1).into(), start, limit: 2, at: Timestamp::from_millis(1) };
        let cursor = |start, devices| register(start).new_device_cursor(devices, seq(3), seq(8));
        assert_eq!(cursor(DeviceStart::Oldest, 1), Ok(seq(3)));
        assert_eq!(cursor(DeviceStart::Now, 1), Ok(seq(8)));
        assert_eq!(cursor(DeviceStart::Now, 2), Err(Refusal::TooManyDevices));
    }

    #[test]
    fn an_acknowledgement_counts_named_entries_and_marks_those_above_cursor_and_floor() {
        let state = AckState { cursor: seq(3), head: seq(9), floor: seq(4) };
        let who: Principal = user(1).into();
        let decide = |target| {
            let write = Acknowledge { who: who.clone(), target };
            write.decide(state, |id| Ok::<_, Refusal>(seq(id.as_bytes()[0].into())))
        };
        let done =
            |cursor, acknowledged, unknown| Acknowledged { cursor: seq(cursor), acknowledged, unknown };
        let decided =
            |done, marks: &[u64]| Ok(AckDecision { done, marks: marks.iter().copied().map(seq).collect() });
        let beyond = Err(Refusal::BeyondHead { head: seq(9) });
        assert_eq!(decide(AckTarget::UpTo(seq(9))), decided(done(9, 6, 0), &[]));
        assert_eq!(decide(AckTarget::UpTo(seq(1))), decided(done(3, 0, 0), &[]));
        assert_eq!(decide(AckTarget::UpTo(seq(10))), beyond);
        let entries = |seqs: &[u64]| AckTarget::Entries(seqs.iter().copied().map(seq).collect());
        assert_eq!(decide(entries(&[0, 2, 4, 5, 9])), decided(done(3, 4, 1), &[5, 9]));
        assert_eq!(decide(entries(&[5, 10])), beyond);
        let messages = [0, 3, 6].map(|n| MessageId::from_bytes([n; 16])).to_vec();
        assert_eq!(decide(AckTarget::Messages(messages)), decided(done(3, 2, 1), &[6]));
    }
}
