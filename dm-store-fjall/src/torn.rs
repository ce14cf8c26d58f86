//! Finding a torn batch at the end of a journal. A *torn* batch has its end, but a power cut left
//! wrong bytes before the end.
//!
//! fjall itself drops a last batch without an end. If the disk wrote the pages of a batch in
//! another order, a power cut may leave the end of the batch without a part before it. fjall then
//! refuses to open the journal, because the checksum is wrong. Each batch is synced before the next
//! one is written. So a torn batch in the newest journal was never answered, unless a whole batch
//! follows it. The store drops a torn batch that was never answered. SQLite and redb also use
//! checksums to decide this.
//!
//! A batch in a journal of fjall 3, with all numbers little-endian:
//!
//! ```text
//! start: 1, number of entries u32, sequence number u64
//! entry: 2, kind of value u8, compression u8, keyspace u64, length of the key u16, length of the
//!        value u32, length of the value as stored u32, key, value as stored
//!    or: 4, keyspace u64                                       (this keyspace is cleared)
//! end:   3, XXH3 of all entries u64, "FJL" 3
//! ```

use xxhash_rust::xxh3::xxh3_64;

const START: u8 = 1;
const ENTRY: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: &[u8] = b"FJL\x03";

/// The offset of a torn last batch, at which the journal must be cut so that fjall can open it.
/// `None` if there is no torn batch, or if a whole batch follows it. In the latter case something
/// other than a power cut damaged the journal.
pub(crate) fn torn_batch_offset(journal: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let batch = Batch::parse(journal.get(at..)?)?;
        if !batch.is_whole {
            let following = journal.get(at + batch.length..)?;
            let is_last = !Batch::parse(following).is_some_and(|next| next.is_whole);
            return is_last.then_some(at);
        }
        at += batch.length;
    }
}

/// A batch with a start and an end, whole or torn.
struct Batch {
    /// The length of the batch, in bytes.
    length: usize,
    /// Whether the number of entries and their checksum are right. If not, the batch is torn.
    is_whole: bool,
}

impl Batch {
    /// Parses the batch at the beginning of `bytes`; `None` if there is no start or no end.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut unread = Unread(bytes);
        if unread.u8()? != START {
            return None;
        }
        let entry_count = unread.u32()?;
        // The sequence number.
        unread.take(8)?;
        let entries = unread.0;
        let mut parsed = 0_u32;
        loop {
            let length = entries.len() - unread.0.len();
            match unread.u8()? {
                ENTRY => {
                    // The kind of value and the compression, and the keyspace.
                    unread.take(2 + 8)?;
                    let key = unread.u16()?;
                    // The length of the value before it was compressed.
                    unread.take(4)?;
                    let value = unread.u32()?;
                    unread.take(usize::from(key))?;
                    unread.take(usize::try_from(value).ok()?)?;
                }
                CLEAR => _ = unread.take(8)?,
                END => {
                    let checksum = u64::from_le_bytes(unread.array()?);
                    if unread.take(MAGIC.len())? != MAGIC {
                        return None;
                    }
                    let is_whole = parsed == entry_count && xxh3_64(entries.get(..length)?) == checksum;
                    return Some(Self { length: bytes.len() - unread.0.len(), is_whole });
                }
                _ => return None,
            }
            parsed = parsed.checked_add(1)?;
        }
    }
}

/// The bytes that are not read yet. Each method returns `None` if too few bytes remain.
struct Unread<'a>(&'a [u8]);

impl<'a> Unread<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of entries with these values.
    fn batch(values: &[&[u8]]) -> Vec<u8> {
        let mut entries = Vec::new();
        for value in values {
            let length = u32::try_from(value.len()).unwrap().to_le_bytes();
            entries
                .extend([&[ENTRY, 0, 0], [7; 8].as_slice(), &3_u16.to_le_bytes(), &length, &length].concat());
            entries.extend([b"key", *value].concat());
        }
        let count = u32::try_from(values.len()).unwrap().to_le_bytes();
        let checksum = xxh3_64(&entries).to_le_bytes();
        [[START].as_slice(), &count, &[9; 8], &entries, &[END], &checksum, MAGIC].concat()
    }

    fn with(mut journal: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
        journal[at] = byte;
        journal
    }

    #[test]
    fn whole_batches_followed_by_zeros_are_not_torn() {
        let journal = [batch(&[b"one", b"two"]), batch(&[])].concat();
        assert_eq!(torn_batch_offset(&journal), None);
        assert_eq!(torn_batch_offset(&[journal, vec![0; 100]].concat()), None);
        assert_eq!(torn_batch_offset(&[]), None);
    }

    #[test]
    fn a_last_batch_with_a_wrong_byte_is_torn() {
        let (first, last) = (batch(&[b"one"]), batch(&[b"value", b"other"]));
        let begins = first.len();
        // In a value, in the number of entries, and in the checksum.
        for at in [begins + 13 + 24, begins + 1, begins + last.len() - 5] {
            let journal = [first.clone(), last.clone(), vec![0; 50]].concat();
            let torn = with(journal.clone(), at, journal[at] ^ 1);
            assert_eq!(torn_batch_offset(&torn), Some(begins), "{at}");
        }
    }

    #[test]
    fn an_incomplete_last_batch_is_left_to_fjall() {
        let journal = [batch(&[b"one"]), batch(&[b"value"])].concat();
        let begins = batch(&[b"one"]).len();
        for end in begins..journal.len() {
            assert_eq!(torn_batch_offset(&journal[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_damaged_batch_before_a_whole_batch_is_not_torn() {
        let journal = [batch(&[b"one"]), batch(&[b"two"])].concat();
        assert_eq!(torn_batch_offset(&with(journal, 13 + 24, 0)), None);
    }
}
