//! Notes of newest numbers, and the sessions that tell which of them are right.
//!
//! Memory is ahead of the notes in the tables, and a process that is killed leaves them behind. So
//! each note says in which session it was written, and the tables say which sessions were closed,
//! with everything noted. A note is right if no session was lost since it was written, because then
//! either the number did not move, or memory has it.

use crate::codec::Fields;
use crate::codec::Note;
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};

/// The row of the last session in the table `schema`.
const KEY: &[u8] = b"notes";

/// The time in which one memory wrote to the tables, from its first batch until it was closed or
/// lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    number: u32,
    /// The first one since which none was lost.
    trusted: u32,
}

impl Session {
    /// Begins the next session, as a part of its first batch.
    pub(crate) fn begin(schema: &mut impl Changes) -> Result<Self, Failure> {
        let last = schema.find(KEY, |mut row| {
            Ok((Self { number: row.u32()?, trusted: row.u32()? }, row.last(Fields::u8)? != 0))
        })?;
        let (last, is_closed) = last.unwrap_or((Self { number: 0, trusted: 0 }, true));
        let number = last.number.checked_add(1).ok_or(Failure::Exhausted)?;
        let session = Self { number, trusted: if is_closed { last.trusted } else { number } };
        session.write(schema, false)?;
        Ok(session)
    }

    /// Ends a session whose numbers are all noted.
    pub(crate) fn close(self, schema: &mut impl Changes) -> Result<(), Failure> {
        self.write(schema, true)
    }

    /// A note that is written now.
    pub(crate) const fn note(self, number: u64) -> Note {
        Note { session: self.number, number }
    }

    /// Whether a note is right, of somebody who is not in memory.
    pub(crate) const fn trusts(self, note: Note) -> bool {
        self.trusted <= note.session && note.session <= self.number
    }

    /// Its number 4, that of the first to trust 4, whether it is closed 1.
    fn write(self, schema: &mut impl Changes, is_closed: bool) -> Result<(), Failure> {
        let Self { number, trusted } = self;
        let numbers = [number.to_be_bytes(), trusted.to_be_bytes()];
        schema.insert(KEY, &[numbers.as_flattened(), &[is_closed.into()]].concat())
    }
}
