//! Where the rows of a log lie: of the conversations, or of the inboxes.
//!
//! redb copies each page that a batch changes. Rows of a log belong to as many pages as there are
//! people, so a batch of 256 messages would copy some 750 of them. Therefore new rows go into a
//! small tree first, a *run*, whose pages the whole batch shares. Eight runs are a *generation*;
//! while one grows, the one before it is moved into the large tree in the order of the keys, some
//! rows with each batch, so that the rows of one person go there together.
//!
//! Bare redb with 10,000 conversations among 2,000 people, 256 messages per transaction, on two
//! cores: 19,000 messages per second without runs; with 8 runs of 8,192 entries 50,000, with 16 of
//! 4,096 56,000, with one of 8,192 40,000, with one of 32,768 33,000. With a million messages
//! stored 33,000, 38,000, 26,000 and 27,000. Each run costs every reader a look, so there are 8.
//!
//! For a reader this means: the rows of one inbox, or of one conversation, are those of the large
//! tree, then those of each run, the oldest first, but for the rows of the moving generation up to
//! the last that was moved. That is the order of their keys, because a log only grows at its end.

use dm_store_kv::Failure;

/// Runs of a generation.
pub(crate) const RUNS: u64 = 8;

/// How far the moving generation is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Up to a row, in the order of keys; nothing yet when the key is empty.
    Through(Vec<u8>),
    /// All of it.
    All,
}

/// The runs of a log, which are numbered as they are begun. Those from `oldest` up to `growing` are
/// the moving generation, those from `growing` up to `end` the one that grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) oldest: u64,
    pub(crate) growing: u64,
    pub(crate) end: u64,
    /// Rows that were put into the newest run.
    pub(crate) rows: u64,
    /// Rows that were put into runs since rows were last moved.
    pub(crate) unsettled: u64,
    pub(crate) moved: Moved,
}

impl Runs {
    /// Of a log that has none.
    pub(crate) const NONE: Self =
        Self { oldest: 0, growing: 0, end: 0, rows: 0, unsettled: 0, moved: Moved::All };

    /// Whether the generation that grows has all its rows, so many to a run.
    pub(crate) const fn is_full(&self, run: u64) -> bool {
        self.end - self.growing >= RUNS && self.rows >= run
    }

    /// What is left to move becomes what grew, and the next row begins a new generation.
    pub(crate) fn turn(&mut self) {
        self.growing = self.end;
        self.moved = Moved::Through(Vec::new());
    }

    /// Integers of 8 bytes: oldest, growing, end, rows, unsettled; then `1` when all is moved, or
    /// `0` and the key to the end.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let numbers = [self.oldest, self.growing, self.end, self.rows, self.unsettled];
        let mut row: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
        match &self.moved {
            Moved::All => row.push(1),
            Moved::Through(key) => {
                row.push(0);
                row.extend(key);
            }
        }
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, Failure> {
        let damaged = || Failure::Damaged("runs that are none");
        let (numbers, rest) = row.split_first_chunk::<40>().ok_or_else(damaged)?;
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_be_bytes(*number));
        let mut number = || numbers.next().ok_or_else(damaged);
        let [oldest, growing, end, rows, unsettled] = [number()?, number()?, number()?, number()?, number()?];
        let moved = match rest.split_first() {
            Some((1, [])) => Moved::All,
            Some((0, key)) => Moved::Through(key.to_vec()),
            _ => return Err(damaged()),
        };
        // As many as are opened for a look.
        if oldest > growing || growing > end || end - oldest > 2 * RUNS {
            return Err(damaged());
        }
        Ok(Self { oldest, growing, end, rows, unsettled, moved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(moved: Moved) -> Runs {
        Runs { oldest: 3, growing: 8, end: 16, rows: 20, unsettled: 7, moved }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for moved in [Moved::All, Moved::Through(Vec::new()), Moved::Through(vec![0, 1])] {
            assert_eq!(Runs::decode(&runs(moved.clone()).encode()).unwrap(), runs(moved));
        }
        assert_eq!(Runs::decode(&Runs::NONE.encode()).unwrap(), Runs::NONE);
    }

    #[test]
    fn what_the_library_does_not_write_is_damage() {
        let good = runs(Moved::All).encode();
        for end in 0..good.len() {
            assert!(Runs::decode(&good[..end]).is_err(), "{end}");
        }
        assert!(Runs::decode(&[good.as_slice(), &[0]].concat()).is_err());
        for wrong in [
            Runs { oldest: 9, ..runs(Moved::All) },
            Runs { end: 7, ..runs(Moved::All) },
            Runs { end: 20, ..runs(Moved::All) },
        ] {
            assert!(Runs::decode(&wrong.encode()).is_err(), "{wrong:?}");
        }
    }
}
