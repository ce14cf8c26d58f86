//! A file on a disk that may lose power.

use crate::chance::Chance;

/// The bytes that an operating system writes back at once, and those that a disk writes at once.
const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// A file, with the content that a program sees and the content that is certainly on the disk.
///
/// A power cut keeps all synced bytes. Of the pages written since then it keeps any subset, in any
/// order, and of each page any sectors. Bytes that a failed sync should have written are lost in
/// every cut, unless the program writes them again.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The content that the program sees.
    bytes: Vec<u8>,
    /// The content that is certainly on the disk.
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    /// A page, with its content after a write.
    Page(usize, Vec<u8>),
}

impl Image {
    /// A file that is on the disk as a whole.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.clone(), bytes, since: Vec::new() }
    }

    /// Writes bytes at an offset.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.bytes, at, bytes);
        let mut page = at - at % PAGE;
        while page < at + bytes.len() {
            let end = self.bytes.len().min(page + PAGE);
            self.since.push(Change::Page(page, self.bytes[page..end].to_vec()));
            page += PAGE;
        }
    }

    /// Sets the length, in bytes; new bytes are zero.
    pub fn set_len(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.since.push(Change::Length(length));
    }

    /// Makes all written bytes durable.
    pub fn sync(&mut self) {
        self.since.drain(..).for_each(|change| change.apply(&mut self.synced));
    }

    /// A sync failed: the operating system forgets that the pages still have to be written.
    pub fn sync_failed(&mut self) {
        self.since.clear();
    }

    /// The content that the program sees.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A content that the disk may have if the power is cut now.
    #[must_use]
    pub fn cut(&self, chance: &mut Chance) -> Vec<u8> {
        let mut left: Vec<_> = self.since.iter().collect();
        for n in (1..left.len()).rev() {
            left.swap(n, chance.place(n + 1));
        }
        // Between none and all of the changes.
        left.truncate(chance.place(left.len() + 1));
        let mut held = self.synced.clone();
        for change in left {
            match change {
                Change::Page(at, bytes) if chance.below(4) == 0 => {
                    for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                        if chance.below(2) == 0 {
                            put(&mut held, at + n * SECTOR, sector);
                        }
                    }
                }
                change => change.apply(&mut held),
            }
        }
        held
    }
}

impl Change {
    fn apply(&self, held: &mut Vec<u8>) {
        match self {
            Self::Length(length) => held.resize(*length, 0),
            Self::Page(at, bytes) => put(held, *at, bytes),
        }
    }
}

fn put(held: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if held.len() < at + bytes.len() {
        held.resize(at + bytes.len(), 0);
    }
    held[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn cuts(image: &Image) -> BTreeSet<Vec<u8>> {
        let mut chance = Chance::new(1, 0);
        (0..400).map(|_| image.cut(&mut chance)).collect()
    }

    #[test]
    fn synced_bytes_are_in_every_cut_and_others_in_some() {
        let mut image = Image::of(vec![1; 2 * PAGE]);
        image.write(0, &[2; PAGE]);
        image.sync();
        image.write(PAGE, &[3; PAGE]);
        assert_eq!(image.bytes(), [[2; PAGE], [3; PAGE]].concat());
        let cuts = cuts(&image);
        assert!(cuts.iter().all(|cut| cut[..PAGE] == [2; PAGE]));
        for last in [[1; PAGE], [3; PAGE]] {
            assert!(cuts.iter().any(|cut| cut[PAGE..] == last));
        }
        assert!(cuts.len() > 2, "a page is torn");
    }

    #[test]
    fn pages_are_kept_in_any_order() {
        let mut image = Image::of(vec![0; 2 * PAGE]);
        image.write(0, &[1; PAGE]);
        image.write(PAGE, &[2; PAGE]);
        let cuts = cuts(&image);
        for cut in [[[1; PAGE], [0; PAGE]], [[0; PAGE], [2; PAGE]]] {
            assert!(cuts.contains(&cut.concat()));
        }
    }

    #[test]
    fn a_file_grows_with_what_is_written_behind_its_end_and_is_cut_to_a_length() {
        let mut image = Image::default();
        image.write(PAGE + 1, &[1; 2]);
        let grown = [&[0; PAGE + 1][..], &[1; 2]].concat();
        assert_eq!(image.bytes(), grown);
        assert_eq!(cuts(&image).first().map(Vec::len), Some(0), "nothing of it was synced");
        image.sync();
        assert_eq!(cuts(&image), BTreeSet::from([grown.clone()]));
        image.set_len(PAGE);
        assert_eq!(cuts(&image), BTreeSet::from([vec![0; PAGE], grown]));
        image.set_len(PAGE + 2);
        image.sync();
        assert_eq!(cuts(&image), BTreeSet::from([vec![0; PAGE + 2]]));
    }

    #[test]
    fn a_failed_sync_loses_what_is_not_written_again() {
        let mut image = Image::of(vec![0; PAGE]);
        image.write(0, &[1; PAGE]);
        image.sync_failed();
        image.sync();
        assert_eq!(image.bytes(), [1; PAGE]);
        assert_eq!(cuts(&image), BTreeSet::from([vec![0; PAGE]]));
        image.write(0, &[1; PAGE]);
        image.sync();
        assert_eq!(cuts(&image), BTreeSet::from([vec![1; PAGE]]));
    }
}
