//! A disk whose power can be cut: what it may hold is made from what was written down.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::event::Event;

/// The bytes that a system writes back as a whole, if nothing goes wrong, and those that a disk does.
const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// Files as a program sees them, and what of them is on the disk.
///
/// A cut keeps all that was synced. Of what was written since then it keeps any pages, in any order, and of each of them
/// any sectors. Of the changes of names since their folder was synced it keeps a first part, as a file system with a
/// journal does. What a failed sync was to write is kept in no cut, unless it is written again.
#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    /// Which file has an inode now.
    inodes: HashMap<u64, usize>,
    /// Names on the disk.
    names: BTreeMap<PathBuf, Node>,
    /// Changes of names that may be on the disk.
    renames: Vec<Naming>,
    chance: u64,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Folder,
    File(usize),
}

/// A change of names.
#[derive(Clone, Debug)]
enum Naming {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
struct File {
    inode: u64,
    /// As the program sees it.
    image: Vec<u8>,
    /// As it is on the disk at least.
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    /// A page, as it was after a write.
    Page(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Page(at, bytes) => put(image, *at, bytes),
        }
    }
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if image.len() < at + bytes.len() {
        image.resize(at + bytes.len(), 0);
    }
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Disk {
    /// A disk that holds the files below a folder.
    #[must_use]
    pub fn of(root: &Path, seed: u64) -> Self {
        let mut disk = Self { chance: seed, ..Self::default() };
        disk.take(root, root);
        disk
    }

    fn take(&mut self, root: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, inode) = (entry.path(), entry.metadata().unwrap().ino());
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                self.names.insert(name, Node::Folder);
                self.take(root, &path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let file = self.file(File { inode, image: bytes.clone(), synced: bytes, since: Vec::new() });
                self.names.insert(name, Node::File(file));
            }
        }
    }

    fn file(&mut self, file: File) -> usize {
        self.inodes.insert(file.inode, self.files.len());
        self.files.push(file);
        self.files.len() - 1
    }

    fn of_inode(&mut self, inode: u64) -> &mut File {
        let file = *self.inodes.get(&inode).expect("a file that was made before it is written to");
        &mut self.files[file]
    }

    /// Goes on by what was written down next.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Created(inode, path) => {
                let file = self.file(File { inode: *inode, ..File::default() });
                self.renames.push(Naming::Set(path.clone(), Node::File(file)));
            }
            Event::Folder(path) => self.renames.push(Naming::Set(path.clone(), Node::Folder)),
            Event::Removed(path) => self.renames.push(Naming::Remove(path.clone())),
            Event::Renamed(from, to) => self.renames.push(Naming::Move(from.clone(), to.clone())),
            Event::Linked(from, to) => self.renames.push(Naming::Link(from.clone(), to.clone())),
            Event::Written { file, at, bytes } => self.of_inode(*file).write(*at, bytes),
            Event::Length(file, length) => {
                let file = self.of_inode(*file);
                file.image.resize(*length, 0);
                file.since.push(Change::Length(*length));
            }
            Event::Synced(file) => {
                let file = self.of_inode(*file);
                file.since.drain(..).for_each(|change| change.apply(&mut file.synced));
            }
            Event::SyncFailed(file) => self.of_inode(*file).since.clear(),
            Event::FolderSynced(folder, listed) => {
                let last = self.renames.iter().rposition(|naming| naming.is_in(folder));
                for naming in self.renames.drain(..last.map_or(0, |last| last + 1)) {
                    naming.apply(&mut self.names);
                }
                self.settle(folder, listed);
            }
        }
    }

    /// Brings the names in a folder to what was found in it, for renames that nobody saw.
    fn settle(&mut self, folder: &Path, listed: &[(u64, String)]) {
        let is_listed = |name: &Path| {
            name.file_name().is_some_and(|name| listed.iter().any(|(_, listed)| **listed == *name))
        };
        self.names.retain(|name, _| name.parent() != Some(folder) || is_listed(name));
        for (inode, name) in listed {
            if let Some(file) = self.inodes.get(inode) {
                self.names.insert(folder.join(name), Node::File(*file));
            }
        }
    }

    /// Writes into a new folder what the disk may hold if the power is cut now.
    pub fn cut(&mut self, into: &Path) {
        let kept = self.below(self.renames.len() + 1);
        let mut names = self.names.clone();
        self.renames[..kept].iter().for_each(|naming| naming.apply(&mut names));
        std::fs::create_dir(into).unwrap();
        // A folder comes before what is in it.
        for (name, node) in names {
            let path = into.join(name);
            match node {
                Node::Folder => std::fs::create_dir_all(path).unwrap(),
                Node::File(file) => {
                    let image = self.survives(file);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    write(&path, &image);
                }
            }
        }
    }

    fn survives(&mut self, file: usize) -> Vec<u8> {
        let mut left = self.files[file].since.clone();
        for n in (1..left.len()).rev() {
            let other = self.below(n + 1);
            left.swap(n, other);
        }
        let kept = self.below(left.len() + 1);
        let mut image = self.files[file].synced.clone();
        for change in &left[..kept] {
            match change {
                Change::Page(at, bytes) if self.below(4) == 0 => {
                    for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                        if self.below(2) == 0 {
                            put(&mut image, at + n * SECTOR, sector);
                        }
                    }
                }
                change => change.apply(&mut image),
            }
        }
        image
    }

    /// Whether a moment by chance, one of so many, is now.
    pub(crate) fn one_of(&mut self, moments: usize) -> bool {
        self.below(moments) == 0
    }

    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.image, at, bytes);
        let mut page = at - at % PAGE;
        while page < at + bytes.len() {
            let end = self.image.len().min(page + PAGE);
            self.since.push(Change::Page(page, self.image[page..end].to_vec()));
            page += PAGE;
        }
    }
}

impl Naming {
    fn is_in(&self, folder: &Path) -> bool {
        let is_in = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Set(path, _) | Self::Remove(path) => is_in(path),
            Self::Move(from, to) | Self::Link(from, to) => is_in(from) || is_in(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set(path, node) => _ = names.insert(path.clone(), *node),
            Self::Remove(path) => _ = names.remove(path),
            Self::Link(from, to) => {
                if let Some(node) = names.get(from).copied() {
                    names.insert(to.clone(), node);
                }
            }
            Self::Move(from, to) => {
                let moved: Vec<_> = names.keys().filter(|name| name.starts_with(from)).cloned().collect();
                for name in moved {
                    let Some(node) = names.remove(&name) else { continue };
                    let rest = name.strip_prefix(from).unwrap();
                    let name = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    names.insert(name, node);
                }
            }
        }
    }
}

/// Writes a file, with holes where it holds zeros: some files are made long before they are written.
fn write(path: &Path, bytes: &[u8]) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (n, page) in bytes.chunks(PAGE).enumerate() {
        if page != &[0; PAGE][..page.len()] {
            file.write_all_at(page, (n * PAGE) as u64).unwrap();
        }
    }
}
