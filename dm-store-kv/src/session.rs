//! Sessions, by which a valid note of a newest number is distinguished from an outdated one.
//!
//! The numbers in memory are newer than the notes in the tables, and a process that is killed loses
//! them. So each note names the session in which it was written, and the tables say which sessions
//! were closed after all numbers were noted. A note is valid if no session was lost since it was
//! written: the number has not changed since then, or it is in memory.

use crate::codec::{Fields, Note};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};

/// The key of the row of the last session in the table `schema`.
const KEY: &[u8] = b"notes";

/// The time in which the same heads were used, from their first batch until they were closed or
/// lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    number: u32,
    /// The number of the first session since which none was lost.
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

    /// A note of a number in this session.
    pub(crate) const fn note(self, number: u64) -> Note {
        Note { session: self.number, number }
    }

    /// Whether the note of a user or conversation that is not in memory is valid.
    pub(crate) const fn trusts(self, note: Note) -> bool {
        self.trusted <= note.session && note.session <= self.number
    }

    /// Writes the row: number 4, number of the first trusted session 4, whether it is closed 1.
    fn write(self, schema: &mut impl Changes, is_closed: bool) -> Result<(), Failure> {
        let Self { number, trusted } = self;
        let numbers = [number.to_be_bytes(), trusted.to_be_bytes()];
        schema.insert(KEY, &[numbers.as_flattened(), &[is_closed.into()]].concat())
    }
}
