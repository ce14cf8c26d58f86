//! Runs tests on mutants, one after another, in a copy of the workspace, so that only changed
//! crates are compiled again.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::bench::cargo;
use crate::cargo_tool::MUTANTS;
use crate::mutants::mutant::Mutant;

/// The numbers of the stores' trials: small, and with the same scripts for each mutant.
const NUMBERS: [(&str, &str); 4] =
    [("DM_CASES", "16"), ("DM_SEED", "1"), ("DM_CRASH_SECONDS", "1"), ("DM_CRASH_TRIALS", "4")];

/// The options of the test runs, with and without a mutant: examples are not compiled. The other
/// settings are in the profile in `.config/nextest.toml`.
const COMPILED: &str = "--tests";
const PROFILE: &str = "--profile=mutants";

/// The folder that the tool writes its lists into.
pub(super) const LISTS: &str = "mutants.out";

/// The names of the mutants, by their outcomes.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) caught: Vec<String>,
    /// The mutants whose tests did not end within the time limit.
    pub(super) timeout: Vec<String>,
    pub(super) missed: Vec<String>,
    /// The mutants that do not compile.
    pub(super) unviable: Vec<String>,
}

/// Runs the tests of some packages without a change, where they must pass, and then on each chosen
/// mutant, of which there is at least one.
///
/// # Errors
/// Fails if the tests fail without a change, or if a tool cannot be started or does not finish.
pub(super) fn run(
    root: &Path,
    tree: &Path,
    logs: &Path,
    library: &str,
    packages: &[&str],
    all: &[Mutant],
    chosen: &[String],
) -> anyhow::Result<Outcomes> {
    fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
    let took = unchanged(tree, packages)?;
    // On a busy machine the same tests may take several times as long. The profile ends a test that
    // hangs before this limit.
    let limit = took * 5 + Duration::from_secs(120);
    let mut trial = MUTANTS.command(root, tree)?;
    trial.args(["--in-place", "--baseline=skip", "--test-tool=nextest", "--caught", "--unviable"]);
    trial.args(["--cargo-arg", COMPILED, "--cargo-test-arg", PROFILE]);
    trial.arg(format!("--timeout={}", limit.as_secs()));
    trial.args(["--package", library, "--test-package", &packages.join(",")]);
    trial.arg("--iterate").arg("--output").arg(logs);
    leave_out(logs, all, chosen)?;
    // The exit status only says whether all mutants were caught; the lists say more.
    environment(&mut trial, tree).status().context("cargo mutants could not be started")?;
    let outcomes = Outcomes::read(&logs.join(LISTS))?;
    let tried =
        outcomes.caught.len() + outcomes.timeout.len() + outcomes.missed.len() + outcomes.unviable.len();
    ensure!(tried == chosen.len(), "{tried} of {} mutants were tried", chosen.len());
    Ok(outcomes)
}

/// Compiles and runs the tests without a change. Returns the time that they ran.
fn unchanged(tree: &Path, packages: &[&str]) -> anyhow::Result<Duration> {
    let tests = |more: &[&str]| {
        let mut tests = cargo(tree);
        tests.args(["nextest", "run", COMPILED, PROFILE]).args(more);
        for package in packages {
            tests.args(["--package", package]);
        }
        environment(&mut tests, tree).status().context("cargo nextest could not be started")
    };
    ensure!(tests(&["--no-run"])?.success(), "the tests do not compile");
    let began = Instant::now();
    ensure!(tests(&["--status-level=slow"])?.success(), "the tests fail without a change");
    Ok(began.elapsed())
}

/// Sets the environment of a run in the copy. No compiler wrapper may treat lints as errors,
/// because a mutant may leave a parameter unused.
fn environment<'a>(command: &'a mut Command, tree: &Path) -> &'a mut Command {
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CLIPPY_ARGS").env_remove("RUSTFLAGS");
    command.env("CARGO_TARGET_DIR", tree.join("target")).envs(NUMBERS)
}

impl Outcomes {
    /// Reads the lists in a folder. A missing list is empty.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut outcomes = Self::default();
        for (name, list) in outcomes.lists() {
            let path = folder.join(name);
            if path.exists() {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                list.extend(text.lines().map(str::to_owned));
            }
        }
        Ok(outcomes)
    }

    /// Writes the lists into a folder.
    pub(super) fn write(&mut self, folder: &Path) -> anyhow::Result<()> {
        for (name, list) in self.lists() {
            let path = folder.join(name);
            let text = list.iter().fold(String::new(), |text, name| text + name + "\n");
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// Adds the outcomes of another run.
    pub(super) fn add(&mut self, mut others: Self) {
        for ((_, list), (_, more)) in self.lists().into_iter().zip(others.lists()) {
            more.retain(|name| !list.contains(name));
            list.append(more);
        }
    }

    /// The outcomes of some mutants.
    pub(super) fn of(mut self, mutants: &[String]) -> Self {
        for (_, list) in self.lists() {
            list.retain(|name| mutants.contains(name));
        }
        self
    }

    /// Each list with the name of its file.
    fn lists(&mut self) -> [(&'static str, &mut Vec<String>); 4] {
        [
            ("caught.txt", &mut self.caught),
            ("timeout.txt", &mut self.timeout),
            ("missed.txt", &mut self.missed),
            ("unviable.txt", &mut self.unviable),
        ]
    }
}

/// Makes a folder in which the tool finds that all other mutants were caught earlier. The tool
/// accepts a list of names only in this form; its filter expressions do not match every kind of
/// mutant.
fn leave_out(logs: &Path, all: &[Mutant], chosen: &[String]) -> anyhow::Result<()> {
    remove_lists(logs)?;
    let folder = logs.join(LISTS);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let chosen: HashSet<_> = chosen.iter().collect();
    let others = all.iter().map(|mutant| &mutant.name).filter(|name| !chosen.contains(name));
    let others = others.fold(String::new(), |list, name| list + name + "\n");
    let path = folder.join("previously_caught.txt");
    fs::write(&path, others).with_context(|| format!("writing {}", path.display()))
}

/// Removes the lists of a run.
pub(super) fn remove_lists(logs: &Path) -> anyhow::Result<()> {
    let folder = logs.join(LISTS);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_told_to_leave_out_what_was_not_chosen_and_lists_of_an_earlier_run_go() {
        let logs = tempfile::tempdir().unwrap();
        let lists = logs.path().join(LISTS);
        fs::create_dir(&lists).unwrap();
        fs::write(lists.join("caught.txt"), "chosen\n").unwrap();
        let mutant = |name: &str| Mutant { name: name.to_owned(), id: name.to_owned() };
        let all = [mutant("one"), mutant("chosen"), mutant("two")];
        leave_out(logs.path(), &all, &["chosen".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(lists.join("previously_caught.txt")).unwrap(), "one\ntwo\n");
        assert!(!lists.join("caught.txt").exists(), "it would not be tried again");
    }

    #[test]
    fn outcomes_are_read_by_their_lists() {
        let folder = tempfile::tempdir().unwrap();
        for (list, names) in [("caught", "a\nb\n"), ("timeout", ""), ("missed", "c\n"), ("unviable", "d\n")] {
            fs::write(folder.path().join(list).with_extension("txt"), names).unwrap();
        }
        let outcomes = Outcomes::read(folder.path()).unwrap();
        assert_eq!((outcomes.caught, outcomes.missed), (vec!["a".into(), "b".into()], vec!["c".into()]));
        assert_eq!((outcomes.timeout, outcomes.unviable), (Vec::<String>::new(), vec!["d".into()]));
    }
}
