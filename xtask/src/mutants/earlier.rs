//! The outcomes of earlier runs. A run takes hours and may be interrupted and continued.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xxhash_rust::xxh3::Xxh3;

use crate::mutants::trial::{self, Outcomes};

/// The folder with a library's lists of earlier runs.
const FOLDER: &str = "earlier";
/// The file in that folder with the fingerprint of the sources that the lists are about.
const SOURCES: &str = "sources.txt";

/// The outcomes of earlier runs on the same sources of the library.
#[derive(Debug)]
pub(super) struct Earlier {
    folder: PathBuf,
    pub(super) outcomes: Outcomes,
}

impl Earlier {
    /// Reads the mutants that earlier runs caught, if they ran on the same sources and `resume` is
    /// set, and keeps them for later runs. Missed mutants are not kept, because a new test may
    /// catch them.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written.
    pub(super) fn take_up(logs: &Path, sources: &Path, resume: bool) -> anyhow::Result<Self> {
        let folder = logs.join(FOLDER);
        let sources = fingerprint(sources)?;
        let is_same = fs::read_to_string(folder.join(SOURCES)).is_ok_and(|known| known == sources);
        let mut outcomes = Outcomes::default();
        if resume && is_same {
            outcomes = Outcomes::read(&folder)?;
            // The lists of the interrupted run.
            outcomes.add(Outcomes::read(&logs.join(trial::LISTS))?);
            outcomes.missed.clear();
        }
        // The lists are about other sources, or they have been read.
        trial::remove_lists(logs)?;
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        outcomes.write(&folder)?;
        fs::write(folder.join(SOURCES), sources)?;
        Ok(Self { folder, outcomes })
    }

    /// Adds the outcomes of this run to those that later runs read.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub(super) fn add(mut self, outcomes: Outcomes) -> anyhow::Result<Outcomes> {
        self.outcomes.add(outcomes);
        self.outcomes.write(&self.folder)?;
        Ok(self.outcomes)
    }

    /// The mutants that still have to be tried.
    pub(super) fn without_known(&self, chosen: &[String]) -> Vec<String> {
        let Outcomes { caught, timeout, missed: _, unviable } = &self.outcomes;
        let known = |name: &String| [caught, timeout, unviable].iter().any(|list| list.contains(name));
        chosen.iter().filter(|name| !known(name)).cloned().collect()
    }
}

/// A hash of the names and contents of all files in a folder.
fn fingerprint(folder: &Path) -> anyhow::Result<String> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let mut hash = Xxh3::new();
    for file in files {
        let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
        for part in [name.as_bytes(), &text] {
            hash.update(&part.len().to_le_bytes());
            hash.update(part);
        }
    }
    Ok(format!("{:032x}\n", hash.digest128()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The folders of a library's logs and sources.
    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (logs, sources) = (folder.path().join("logs"), folder.path().join("src"));
        fs::create_dir_all(sources.join("inner")).unwrap();
        fs::write(sources.join("inner/a.rs"), "one").unwrap();
        (folder, logs, sources)
    }

    /// An interrupted run: it wrote its lists and did not call `add`.
    fn broken_off(logs: &Path, caught: &[&str], missed: &[&str]) {
        let mut outcomes = Outcomes { caught: names(caught), missed: names(missed), ..Outcomes::default() };
        let lists = logs.join(trial::LISTS);
        fs::create_dir_all(&lists).unwrap();
        outcomes.write(&lists).unwrap();
    }

    #[test]
    fn a_run_goes_on_with_those_that_earlier_ones_did_not_try_or_missed() {
        let (_folder, logs, sources) = folders();
        Earlier::take_up(&logs, &sources, false).unwrap();
        broken_off(&logs, &["a", "b"], &["c"]);
        let earlier = Earlier::take_up(&logs, &sources, true).unwrap();
        assert_eq!(earlier.without_known(&names(&["a", "b", "c", "d"])), names(&["c", "d"]));
        // This run is interrupted as well.
        broken_off(&logs, &["c"], &[]);
        let earlier = Earlier::take_up(&logs, &sources, true).unwrap();
        assert_eq!(earlier.without_known(&names(&["a", "b", "c", "d"])), names(&["d"]));
        let all = earlier.add(Outcomes { unviable: names(&["d"]), ..Outcomes::default() }).unwrap();
        assert_eq!((all.caught, all.unviable), (names(&["a", "b", "c"]), names(&["d"])));
        let earlier = Earlier::take_up(&logs, &sources, true).unwrap();
        assert!(earlier.without_known(&names(&["a", "d"])).is_empty());
    }

    #[test]
    fn nothing_is_taken_up_without_the_option_or_after_a_change_of_the_library() {
        let (_folder, logs, sources) = folders();
        Earlier::take_up(&logs, &sources, false).unwrap();
        broken_off(&logs, &["a"], &[]);
        fs::write(sources.join("inner/a.rs"), "two").unwrap();
        let earlier = Earlier::take_up(&logs, &sources, true).unwrap();
        assert_eq!(earlier.without_known(&names(&["a"])), names(&["a"]));
        earlier.add(Outcomes { caught: names(&["a"]), ..Outcomes::default() }).unwrap();
        let earlier = Earlier::take_up(&logs, &sources, false).unwrap();
        assert_eq!(earlier.without_known(&names(&["a"])), names(&["a"]));
    }
}
