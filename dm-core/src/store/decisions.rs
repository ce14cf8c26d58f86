//! The decisions that every store makes alike: a store finds and writes rows, and asks here what they
//! mean.

use std::sync::Arc;

use super::write::{
    AckTarget, Acknowledge, Acknowledged, AppendMessage, Appended, DeviceStart, Outcome, PublishKey, Refusal,
    RegisterDevice,
};
use crate::ids::MessageId;
use crate::key::{KeyRecord, KeyVersion};
use crate::message::Message;
use crate::numbers::InboxSeq;

impl PublishKey {
    /// The user's key after this write, by the one before, and whether it is another one, which is
    /// to be stored.
    ///
    /// ```
    /// # use dm_core::store::{KeyBinding, PublishKey, Timestamp, UserId, X25519Key};
    /// # let user = UserId::from_stored([1; 32]);
    /// # let (key, other) = (X25519Key::from_stored([2; 32]), X25519Key::from_stored([3; 32]));
    /// # let (binding, at) = (KeyBinding::Unproven, Timestamp::from_millis(1));
    /// # let publish = |key| PublishKey { user, key, binding, at };
    /// let (first, is_new) = publish(key).record_after(None);
    /// assert!(is_new && first.version.get() == 1);
    /// assert_eq!(publish(key).record_after(Some(first)), (first, false));
    /// assert_eq!(publish(other).record_after(Some(first)).0.version.get(), 2);
    /// ```
    #[must_use]
    pub fn record_after(&self, current: Option<KeyRecord>) -> (KeyRecord, bool) {
        if let Some(same) = current.filter(|current| current.key == self.key) {
            return (same, false);
        }
        let version = current.map_or(KeyVersion::FIRST, |current| current.version.next());
        let Self { user, key, binding, at } = *self;
        (KeyRecord { user, key, version, published_at: at, binding }, true)
    }
}

impl AppendMessage {
    /// The answer to a send under a client id that stands for a stored message of the sender, which
    /// is at a place in their inbox: the first message again, if this is a repeat of it. It comes
    /// before [`check_key`](Self::check_key), and nothing is stored in either case.
    ///
    /// # Errors
    /// [`Refusal::ClientIdReused`] when it is not.
    pub fn answer_again(&self, stored: Arc<Message>, sender_seq: InboxSeq) -> Result<Outcome, Refusal> {
        if !self.repeats(&stored) {
            return Err(Refusal::ClientIdReused);
        }
        let appended = Appended { message: stored, sender_seq, repeated: true, appended: Vec::new() };
        Ok(Outcome::MessageAppended(appended))
    }

    /// Checks the key version that the write names, if it names one, by the recipient's current
    /// key. Without a name that key need not be read.
    ///
    /// # Errors
    /// [`Refusal::StaleKey`] when it is another version.
    pub fn check_key(&self, current: Option<KeyRecord>) -> Result<(), Refusal> {
        match self.recipient_key_version {
            Some(named) if current.is_none_or(|current| current.version != named) => {
                Err(Refusal::StaleKey { current })
            }
            _ => Ok(()),
        }
    }
}

impl RegisterDevice {
    /// The cursor at which a new device starts, beside so many that the user has, by the inbox's
    /// newest number that expired and its newest.
    ///
    /// # Errors
    /// [`Refusal::TooManyDevices`] when there is no room for one more.
    pub fn cursor_of_new(
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

/// A registered device as an acknowledgement finds it: for [`Acknowledge::decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckState {
    /// Everything up to here is acknowledged.
    pub cursor: InboxSeq,
    /// The newest entry of the user's inbox.
    pub head: InboxSeq,
    /// The newest one that expired.
    pub floor: InboxSeq,
}

/// The changes of an acknowledgement, before the cursor moves on over what is acknowledged behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckDecision {
    /// The answer, unless the cursor moves on.
    pub done: Acknowledged,
    /// Entries to mark as acknowledged one by one: all are above the cursor that the device had, and
    /// held.
    pub marks: Vec<InboxSeq>,
}

impl Acknowledge {
    /// Checks the acknowledgement and says what it changes. `entry_about` finds the entry of the
    /// user about a message, zero when there is none; it is asked for messages that are named.
    ///
    /// # Errors
    /// [`Refusal::BeyondHead`], and what `entry_about` fails with.
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
        // Below the cursor an entry is acknowledged already; below the floor there is nothing to
        // remember it for.
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
    use crate::key::{KeyBinding, X25519Key};
    use crate::message::Ciphertext;
    use crate::numbers::ServerSequence;
    use crate::testing::user;
    use crate::time::Timestamp;

    fn seq(n: u64) -> InboxSeq {
        InboxSeq::new(n)
    }

    fn send(payload: &'static [u8], named: Option<KeyVersion>) -> AppendMessage {
        AppendMessage {
            id: MessageId::from_bytes([1; 16]),
            conversation: ConversationId::from_bytes([2; 16]),
            sender: user(1).into(),
            client_id: Some(ClientMessageId::from_bytes([3; 16])),
            recipient_key_version: named,
            sent_at: Timestamp::from_millis(1),
            at: Timestamp::from_millis(2),
            ciphertext: Ciphertext::new(Bytes::from_static(payload), &[0; 24], None, None).unwrap(),
        }
    }

    fn record(version: KeyVersion) -> KeyRecord {
        KeyRecord {
            user: user(2),
            key: X25519Key::from_stored([9; 32]),
            version,
            published_at: Timestamp::from_millis(3),
            binding: KeyBinding::Unproven,
        }
    }

    #[test]
    fn a_repeat_is_answered_with_the_first_message_and_other_content_is_refused() {
        let first = Arc::new(send(b"one", None).into_message(ServerSequence::new(5)));
        let again = AppendMessage { id: MessageId::from_bytes([9; 16]), ..send(b"one", None) };
        let Ok(Outcome::MessageAppended(answer)) = again.answer_again(Arc::clone(&first), seq(7)) else {
            panic!("it is a repeat");
        };
        assert_eq!((answer.message, answer.sender_seq), (Arc::clone(&first), seq(7)));
        assert!(answer.repeated && answer.appended.is_empty());
        let refused = send(b"two", None).answer_again(first, seq(7)).unwrap_err();
        assert_eq!(refused, Refusal::ClientIdReused);
    }

    #[test]
    fn only_a_named_version_is_checked_and_only_the_current_one_is_good() {
        let (first, second) = (KeyVersion::FIRST, KeyVersion::FIRST.next());
        let current = Some(record(second));
        assert_eq!(send(b"x", None).check_key(current), Ok(()));
        assert_eq!(send(b"x", Some(second)).check_key(current), Ok(()));
        assert_eq!(send(b"x", Some(first)).check_key(current), Err(Refusal::StaleKey { current }));
        assert_eq!(send(b"x", Some(first)).check_key(None), Err(Refusal::StaleKey { current: None }));
    }

    #[test]
    fn a_new_device_starts_where_it_was_asked_to_if_there_is_room() {
        let register =
            |start| RegisterDevice { who: user(1).into(), start, limit: 2, at: Timestamp::from_millis(1) };
        let cursor = |start, devices| register(start).cursor_of_new(devices, seq(3), seq(8));
        assert_eq!(cursor(DeviceStart::Oldest, 1), Ok(seq(3)));
        assert_eq!(cursor(DeviceStart::Now, 1), Ok(seq(8)));
        assert_eq!(cursor(DeviceStart::Now, 2), Err(Refusal::TooManyDevices));
    }

    #[test]
    fn an_acknowledgement_counts_what_it_names_and_marks_what_is_above_the_cursor_and_held() {
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
