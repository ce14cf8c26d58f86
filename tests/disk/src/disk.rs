//! A disk whose power can be cut. Its possible contents are computed from the recorded changes.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use dm_conformance::Chance;
use dm_conformance::crash::Image;

use crate::event::Event;

/// The size of the pieces that a file is checked in for zeros, in bytes.
const PAGE: usize = 4096;

/// Files, with the content that a program sees and the contents that the disk may have.
///
/// A power cut keeps of each file a content of its [`Image`]. Of the changes of names since their
/// folder was synced it keeps the first ones, up to a random one, as a journalling file system
/// does.
#[derive(Debug)]
pub struct Disk {
    files: Vec<Image>,
    /// The index in `files` of the file that has an inode now.
    inodes: HashMap<u64, usize>,
    /// The names that are certainly on the disk.
    names: BTreeMap<PathBuf, Node>,
    /// The changes of names that may be on the disk, in order.
    renames: Vec<NameChange>,
    chance: Chance,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Folder,
    File(usize),
}

/// A change of a name.
#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
}

impl Disk {
    /// A disk that holds the files below a folder.
    #[must_use]
    pub fn of(root: &Path, seed: u64) -> Self {
        let mut disk = Self {
            files: Vec::new(),
            inodes: HashMap::new(),
            names: BTreeMap::new(),
            renames: Vec::new(),
            chance: Chance::new(seed, 0),
        };
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
                let file = self.file(inode, Image::of(std::fs::read(&path).unwrap()));
                self.names.insert(name, Node::File(file));
            }
        }
    }

    fn file(&mut self, inode: u64, file: Image) -> usize {
        self.inodes.insert(inode, self.files.len());
        self.files.push(file);
        self.files.len() - 1
    }

    fn of_inode(&mut self, inode: u64) -> &mut Image {
        let file = *self.inodes.get(&inode).expect("a file that was made before it is written to");
        &mut self.files[file]
    }

    /// Applies the next recorded change.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Created(inode, path) => {
                let file = self.file(*inode, Image::default());
                self.renames.push(NameChange::Set(path.clone(), Node::File(file)));
            }
            Event::Folder(path) => self.renames.push(NameChange::Set(path.clone(), Node::Folder)),
            Event::Removed(path) => self.renames.push(NameChange::Remove(path.clone())),
            Event::Renamed(from, to) => self.renames.push(NameChange::Move(from.clone(), to.clone())),
            Event::Linked(from, to) => self.renames.push(NameChange::Link(from.clone(), to.clone())),
            Event::Written { file, at, bytes } => self.of_inode(*file).write(*at, bytes),
            Event::Length(file, length) => self.of_inode(*file).set_len(*length),
            Event::Synced(file) => self.of_inode(*file).sync(),
            Event::SyncFailed(file) => self.of_inode(*file).sync_failed(),
            Event::FolderSynced(folder, listed) => {
                let last = self.renames.iter().rposition(|change| change.is_in(folder));
                for change in self.renames.drain(..last.map_or(0, |last| last + 1)) {
                    change.apply(&mut self.names);
                }
                self.set_names(folder, listed);
            }
        }
    }

    /// Sets the names in a folder to those that were listed when it was synced, because some
    /// renames are not recorded.
    fn set_names(&mut self, folder: &Path, listed: &[(u64, String)]) {
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

    /// Writes a content that the disk may have if the power is cut now into a new folder.
    pub fn cut(&mut self, into: &Path) {
        let kept = self.chance.place(self.renames.len() + 1);
        let mut names = self.names.clone();
        self.renames[..kept].iter().for_each(|change| change.apply(&mut names));
        std::fs::create_dir(into).unwrap();
        // The map is sorted, so a folder comes before the files in it.
        for (name, node) in names {
            let path = into.join(name);
            match node {
                Node::Folder => std::fs::create_dir_all(path).unwrap(),
                Node::File(file) => {
                    let image = self.files[file].cut(&mut self.chance);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    write(&path, &image);
                }
            }
        }
    }

    /// Returns `true` in one of so many calls, at random.
    pub(crate) fn one_of(&mut self, moments: usize) -> bool {
        self.chance.place(moments) == 0
    }
}

impl NameChange {
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

/// Writes a file, leaving holes instead of pages of zeros: some files are preallocated long before
/// they are written.
fn write(path: &Path, bytes: &[u8]) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (n, page) in bytes.chunks(PAGE).enumerate() {
        if page != &[0; PAGE][..page.len()] {
            file.write_all_at(page, (n * PAGE) as u64).unwrap();
        }
    }
}
