//! The files of a SQLite database as bytes, and what a power cut may leave of them.

use std::path::Path;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The database and its write-ahead log. The log's index (`-shm`) is not kept: it lives in memory, and is made anew by
/// whoever opens the files first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) database: Vec<u8>,
    pub(crate) log: Vec<u8>,
}

impl Files {
    /// The log first: what a checkpoint takes out of it afterwards is then in the database, too. Closing the database
    /// here gives up this process's POSIX locks on it; nobody else wants them in these tests.
    pub(crate) fn read(folder: &Path) -> Self {
        let read = |name| std::fs::read(folder.join(name)).unwrap_or_default();
        let log = read("dm.db-wal");
        Self { database: read("dm.db"), log }
    }

    pub(crate) fn write(&self, folder: &Path) {
        std::fs::write(folder.join("dm.db"), &self.database).unwrap();
        if !self.log.is_empty() {
            std::fs::write(folder.join("dm.db-wal"), &self.log).unwrap();
        }
    }

    /// Changes when the log is begun anew.
    pub(crate) fn log_header(&self) -> &[u8] {
        self.log.get(..LOG_HEADER).unwrap_or_default()
    }

    /// What a power cut may leave of a commit that was about to lead from these files to others. All of these is there,
    /// for it was synced; of what was written since, any part.
    pub(crate) fn cuts(&self, written: &Self, dice: &mut Dice) -> Vec<(String, Self)> {
        let mut cuts = vec![("nothing written".to_owned(), self.clone())];
        let log = |log| Self { database: self.database.clone(), log };
        // Until its last frame is synced, a commit writes the log only.
        for end in self.new_frames(written) {
            cuts.push((format!("cut at frame boundary {end}"), log(overlay(&self.log, &written.log[..end]))));
        }
        for _ in 0..2 {
            let end = dice.below(written.log.len() + 1);
            cuts.push((format!("cut at {end}"), log(overlay(&self.log, &written.log[..end]))));
            let (torn, whole) = (sectors(&self.log, &written.log, dice), written.log.len());
            cuts.push((format!("some sectors of {whole} bytes"), log(torn)));
            let end = self.log.len().min(written.log.len());
            let mut zeros = written.log.clone();
            for sector in zeros[end..].chunks_mut(SECTOR).filter(|_| dice.below(4) == 0) {
                sector.fill(0);
            }
            cuts.push((format!("some sectors zero after {end}"), log(zeros)));
        }
        // Then a checkpoint may write the database, and syncs it before the log is begun anew.
        for _ in 0..2 {
            let database = sectors(&self.database, &written.database, dice);
            // A log begun anew is one of the next commit's; this commit's checkpoint read the log as it is now.
            cuts.push((
                "some sectors of a checkpoint".to_owned(),
                Self { database, log: written.log.clone() },
            ));
        }
        cuts.push(("all written".to_owned(), written.clone()));
        cuts
    }

    /// The ends of the frames that were written since.
    fn new_frames(&self, written: &Self) -> Vec<usize> {
        let page = written
            .log
            .get(8..12)
            .map_or(0, |size| size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)));
        let begun_anew = self.log_header() != written.log_header();
        let ends = (LOG_HEADER..=written.log.len()).step_by(FRAME_HEADER + page);
        ends.filter(|end| begun_anew || *end > self.log.len()).collect()
    }
}

/// Bytes written over the beginning of a file.
fn overlay(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut file = new.to_vec();
    file.extend(old.iter().skip(new.len()));
    file
}

/// A file of which some sectors were written and some not, in no order; those never written read as zeros.
fn sectors(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut file = old.to_vec();
    file.resize(old.len().max(new.len()), 0);
    for (old, new) in file.chunks_mut(SECTOR).zip(new.chunks(SECTOR)) {
        if dice.below(2) == 0 {
            old[..new.len()].copy_from_slice(new);
        }
    }
    file
}

/// Pseudo-random numbers (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}
