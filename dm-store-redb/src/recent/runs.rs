//! [`Runs`]: the state of a log's runs, stored in one row of `dm_schema`. [`recent`](crate::recent)
//! defines the terms.

use dm_store_kv::Failure;

/// The number of runs in a full generation.
pub(crate) const RUNS_PER_GENERATION: u64 = 8;

/// The progress of merging the merging generation into the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MergeProgress {
    /// Rows up to this key are merged. The empty key is below all keys: no row is merged.
    Through(Vec<u8>),
    /// All rows are merged.
    Everything,
}

/// The runs of a log, and the progress of merging them. Runs are numbered in the order in which
/// they are created. The runs `oldest..first_growing` are the merging generation, and the runs
/// `first_growing..end` are the growing generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) oldest: u64,
    pub(crate) first_growing: u64,
    pub(crate) end: u64,
    /// The number of rows written to the newest run.
    pub(crate) rows_in_newest_run: u64,
    /// The number of rows written to runs since the last merge.
    pub(crate) rows_since_merge: u64,
    pub(crate) progress: MergeProgress,
}

impl Runs {
    /// The state of a log without runs.
    pub(crate) const NONE: Self = Self {
        oldest: 0,
        first_growing: 0,
        end: 0,
        rows_in_newest_run: 0,
        rows_since_merge: 0,
        progress: MergeProgress::Everything,
    };

    /// Whether the growing generation has all its runs and the newest run has at least
    /// `rows_per_run` rows.
    pub(crate) const fn is_full(&self, rows_per_run: u64) -> bool {
        self.end - self.first_growing >= RUNS_PER_GENERATION && self.rows_in_newest_run >= rows_per_run
    }

    /// Makes the growing generation the merging one. The next row begins a new generation.
    pub(crate) fn next_generation(&mut self) {
        self.first_growing = self.end;
        self.progress = MergeProgress::Through(Vec::new());
    }

    /// Encodes the state for its row in `dm_schema`:
    ///
    /// - the integers `oldest`, `first_growing`, `end`, `rows_in_newest_run` and
    ///   `rows_since_merge`, big-endian in 8 bytes each;
    /// - then the byte 1 when all rows are merged, or the byte 0 and the key up to which rows are
    ///   merged.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let numbers =
            [self.oldest, self.first_growing, self.end, self.rows_in_newest_run, self.rows_since_merge];
        let mut row: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
        match &self.progress {
            MergeProgress::Everything => row.push(1),
            MergeProgress::Through(key) => {
                row.push(0);
                row.extend(key);
            }
        }
        row
    }

    /// Decodes the value that [`encode`](Self::encode) returned.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, Failure> {
        let damaged = || Failure::Damaged("a row of `dm_schema` with the state of runs is damaged");
        let (numbers, rest) = row.split_first_chunk::<40>().ok_or_else(damaged)?;
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_be_bytes(*number));
        let mut number = || numbers.next().ok_or_else(damaged);
        let [oldest, first_growing, end, rows_in_newest_run, rows_since_merge] =
            [number()?, number()?, number()?, number()?, number()?];
        let progress = match rest.split_first() {
            Some((1, [])) => MergeProgress::Everything,
            Some((0, key)) => MergeProgress::Through(key.to_vec()),
            _ => return Err(damaged()),
        };
        // Each read looks into all runs, so the number of runs must have a limit.
        if oldest > first_growing || first_growing > end || end - oldest > 2 * RUNS_PER_GENERATION {
            return Err(damaged());
        }
        Ok(Self { oldest, first_growing, end, rows_in_newest_run, rows_since_merge, progress })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(progress: MergeProgress) -> Runs {
        Runs { oldest: 3, first_growing: 8, end: 16, rows_in_newest_run: 20, rows_since_merge: 7, progress }
    }

    #[test]
    fn an_encoded_state_of_runs_is_decoded() {
        for progress in [
            MergeProgress::Everything,
            MergeProgress::Through(Vec::new()),
            MergeProgress::Through(vec![0, 1]),
        ] {
            assert_eq!(Runs::decode(&runs(progress.clone()).encode()).unwrap(), runs(progress));
        }
        assert_eq!(Runs::decode(&Runs::NONE.encode()).unwrap(), Runs::NONE);
    }

    #[test]
    fn decoding_a_damaged_state_of_runs_fails() {
        let good = runs(MergeProgress::Everything).encode();
        for end in 0..good.len() {
            assert!(Runs::decode(&good[..end]).is_err(), "{end}");
        }
        assert!(Runs::decode(&[good.as_slice(), &[0]].concat()).is_err());
        for wrong in [
            Runs { oldest: 9, ..runs(MergeProgress::Everything) },
            Runs { end: 7, ..runs(MergeProgress::Everything) },
            Runs { end: 20, ..runs(MergeProgress::Everything) },
        ] {
            assert!(Runs::decode(&wrong.encode()).is_err(), "{wrong:?}");
        }
    }
}
