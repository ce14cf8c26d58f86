//! [`Epoch`]: tells valid notes from outdated ones. A *note* is a copy of the newest number of a
//! conversation or of an inbox, in a row of the tables. The heads in memory
//! ([`Heads`](crate::heads::Heads)) have the number itself.
//!
//! A number in memory may be newer than its note, and a process that is killed loses the numbers in
//! memory. So each note has the number of the epoch in which it was written. An epoch is *closed*
//! if all numbers in memory were noted at its end. Otherwise it is *lost*. The row `notes` of the
//! table `schema` has the number of the first epoch since which no epoch was lost.
//!
//! A note is valid if no epoch was lost since it was written. Then the note has the newest number,
//! unless a newer number is in memory. A number in memory is used without a look at its note.

use crate::codec::{Fields, Note};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};

/// The key of the last epoch's row in the table `schema`.
const EPOCH_KEY: &[u8] = b"notes";

/// A numbered period: from the first batch after [`Heads`](crate::heads::Heads) are created or
/// cleared, until they are closed or cleared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    number: u32,
    /// The number of the first epoch since which no epoch was lost. Notes of this epoch and later
    /// ones are valid.
    first_trusted: u32,
}

impl Epoch {
    /// Begins the next epoch. Its row is written with the changes of the current batch.
    pub(crate) fn begin(schema: &mut impl Changes) -> Result<Self, Failure> {
        let last = schema.find(EPOCH_KEY, |mut row| {
            Ok((Self { number: row.u32()?, first_trusted: row.u32()? }, row.last(Fields::u8)? != 0))
        })?;
        let (last, is_closed) = last.unwrap_or((Self { number: 0, first_trusted: 0 }, true));
        let number = last.number.checked_add(1).ok_or(Failure::Exhausted)?;
        let epoch = Self { number, first_trusted: if is_closed { last.first_trusted } else { number } };
        epoch.write(schema, false)?;
        Ok(epoch)
    }

    /// Records in the tables that this epoch is closed. All numbers in memory must have been noted.
    pub(crate) fn close(self, schema: &mut impl Changes) -> Result<(), Failure> {
        self.write(schema, true)
    }

    /// A note of `number` with this epoch's number.
    pub(crate) const fn note(self, number: u64) -> Note {
        Note { epoch: self.number, number }
    }

    /// Whether a note is valid. To be called only if the head of its user or conversation is not in
    /// memory.
    pub(crate) const fn trusts(self, note: Note) -> bool {
        self.first_trusted <= note.epoch && note.epoch <= self.number
    }

    /// Writes the row of this epoch: its number (4 bytes), the number of the first trusted epoch (4
    /// bytes), and whether this epoch is closed (1 byte).
    fn write(self, schema: &mut impl Changes, is_closed: bool) -> Result<(), Failure> {
        let Self { number, first_trusted } = self;
        let numbers = [number.to_be_bytes(), first_trusted.to_be_bytes()];
        schema.insert(EPOCH_KEY, &[numbers.as_flattened(), &[is_closed.into()]].concat())
    }
}
