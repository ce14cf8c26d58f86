//! [`Counts`], the numbers of messages that the two users of a conversation have sent to each
//! other.

use crate::numbers::SenderSequence;
use crate::participants::Side;

/// What the two sides of a conversation have sent and seen. With them, the number of unread
/// messages is a subtraction, and a client notices a message that is missing in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The smaller participant's.
    pub a: SideCounts,
    /// The larger participant's.
    pub b: SideCounts,
}

/// What one side of a conversation has sent and seen, since messages are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideCounts {
    /// The number of messages that the side has sent, which is the number of its newest one.
    pub sent: SenderSequence,
    /// The bytes of these messages, by [`Ciphertext::len`](crate::Ciphertext::len).
    pub bytes: u64,
    /// The number of messages that the other side had sent when this side last sent one. Who sends
    /// has seen what the other sent before.
    pub seen: SenderSequence,
}

/// The bytes are no encoded [`Counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not encoded counts of a conversation")]
pub struct UnknownCounts;

impl Counts {
    /// Maximum length of the encoded form, in bytes.
    pub const MAX_LEN: usize = 6 * 10;

    /// The counts of a side.
    #[must_use]
    pub const fn side(&self, side: Side) -> &SideCounts {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The counts after one more message of a side, with a ciphertext of `bytes`. The message gets
    /// the number [`sent`](SideCounts::sent) of its side.
    #[must_use]
    pub fn after_message(mut self, sender: Side, bytes: u64) -> Self {
        let (own, other) = match sender {
            Side::A => (&mut self.a, &self.b),
            Side::B => (&mut self.b, &self.a),
        };
        own.sent = own.sent.next();
        own.bytes = own.bytes.saturating_add(bytes);
        own.seen = other.sent;
        self
    }

    /// The number of counted messages.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.a.sent.get().saturating_add(self.b.sent.get())
    }

    /// The number of messages that a side has not read: those of the other side after the last one
    /// that it read or had seen when it sent. `read` is the [number](SideCounts::sent) of the
    /// newest message of the other side that it read; zero if it read none.
    #[must_use]
    pub fn unread(&self, reader: Side, read: SenderSequence) -> u64 {
        let seen = self.side(reader).seen.max(read);
        self.side(reader.other()).sent.get().saturating_sub(seen.get())
    }

    /// Appends the encoded form: `sent`, `bytes` and `seen` of the smaller participant, then those
    /// of the larger one, each as an unsigned LEB128 number.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for SideCounts { sent, bytes, seen } in [self.a, self.b] {
            for mut number in [sent.get(), bytes, seen.get()] {
                while number >= 0x80 {
                    out.push((number & 0x7f) as u8 | 0x80);
                    number >>= 7;
                }
                out.push((number & 0x7f) as u8);
            }
        }
    }

    /// Decodes counts from the start of `bytes`. Returns them and the bytes that follow.
    ///
    /// # Errors
    /// [`UnknownCounts`] for bytes that [`encode`](Self::encode) does not make.
    pub fn decode(mut bytes: &[u8]) -> Result<(Self, &[u8]), UnknownCounts> {
        let mut number = || {
            let mut value = 0_u64;
            for shift in (0..64).step_by(7) {
                let (&byte, rest) = bytes.split_first().ok_or(UnknownCounts)?;
                bytes = rest;
                let part = u64::from(byte & 0x7f);
                value |= part << shift;
                if byte < 0x80 {
                    // The tenth byte has room for a single bit. A number of several bytes does not
                    // end with a zero, so each number has one form.
                    let is_canonical = value >> shift == part && (part != 0 || shift == 0);
                    return if is_canonical { Ok(value) } else { Err(UnknownCounts) };
                }
            }
            Err(UnknownCounts)
        };
        let mut side = || {
            let (sent, bytes, seen) = (number()?, number()?, number()?);
            Ok(SideCounts { sent: SenderSequence::new(sent), bytes, seen: SenderSequence::new(seen) })
        };
        let counts = Self { a: side()?, b: side()? };
        Ok((counts, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: [u64; 6]) -> Counts {
        let side = |sent, bytes, seen| SideCounts {
            sent: SenderSequence::new(sent),
            bytes,
            seen: SenderSequence::new(seen),
        };
        let [a, b, c, d, e, f] = numbers;
        Counts { a: side(a, b, c), b: side(d, e, f) }
    }

    #[test]
    fn a_message_counts_for_its_sender_who_has_seen_what_the_other_sent() {
        let sent = Counts::default().after_message(Side::A, 10).after_message(Side::A, 5);
        assert_eq!(sent, counts([2, 15, 0, 0, 0, 0]));
        let answered = sent.after_message(Side::B, 7);
        assert_eq!(answered, counts([2, 15, 0, 1, 7, 2]));
        assert_eq!(answered.total(), 3);
    }

    #[test]
    fn unread_are_the_messages_after_the_last_one_read_or_seen() {
        let state = counts([9, 0, 1, 4, 0, 6]);
        let unread = |side, read| state.unread(side, SenderSequence::new(read));
        assert_eq!(unread(Side::A, 0), 3);
        assert_eq!(unread(Side::A, 3), 1);
        assert_eq!(unread(Side::A, 9), 0, "read beyond the newest");
        assert_eq!(unread(Side::B, 0), 3);
        assert_eq!(unread(Side::B, 2), 3, "less than what it had seen");
    }

    #[test]
    fn counts_are_decoded_from_their_encoded_form_and_what_follows_is_left() {
        for numbers in [[0; 6], [1, 127, 128, 16_383, 16_384, 9], [u64::MAX; 6]] {
            let mut bytes = Vec::new();
            counts(numbers).encode(&mut bytes);
            assert!(bytes.len() <= Counts::MAX_LEN);
            bytes.push(77);
            assert_eq!(Counts::decode(&bytes), Ok((counts(numbers), &[77][..])));
        }
    }

    #[test]
    fn bytes_that_are_no_counts_are_refused() {
        let mut bytes = Vec::new();
        counts([300; 6]).encode(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(Counts::decode(&bytes[..len]), Err(UnknownCounts));
        }
        assert_eq!(Counts::decode(&[0xff; 60]), Err(UnknownCounts));
        assert_eq!(Counts::decode(&[0x80, 0, 0, 0, 0, 0, 0]), Err(UnknownCounts), "a zero of two bytes");
        assert_eq!(
            Counts::decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]),
            Err(UnknownCounts)
        );
    }
}
