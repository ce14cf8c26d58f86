//! The process that is killed.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;

use dm_core::Store;

use super::{Answers, CrashHarness, batch};

const PATH: &str = "DM_CRASH_CHILD";
const SEED: &str = "DM_CRASH_CHILD_SEED";
const FROM: &str = "DM_CRASH_CHILD_FROM";
const SILENT: &str = "DM_CRASH_CHILD_SILENT";
/// Begins every line of a child, among what the test program prints by itself.
const MARK: &str = "dm-crash ";

/// What a child is to do, from its environment.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) path: PathBuf,
    pub(super) task: Task,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Commit batches from a number on until killed; keep the answer to the `silent`-th back, and wait.
    Write { seed: u64, from: u64, silent: u64 },
    /// Open the store, which recovers it after a crash, and wait to be killed.
    Recover,
}

/// A line of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Opening,
    Open,
    Asking(u64),
    Answered(u64, Answers),
    /// Committed, and the answer kept back.
    Silent,
}

impl Order {
    /// The order to this process, if it is a child.
    pub(super) fn to_this_process() -> Option<Self> {
        let path = std::env::var_os(PATH)?.into();
        let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
        let task = match (number(SEED), number(FROM), number(SILENT)) {
            (Some(seed), Some(from), Some(silent)) => Task::Write { seed, from, silent },
            _ => Task::Recover,
        };
        Some(Self { path, task })
    }

    /// Runs this test in a process of its own, which finds the order.
    pub(super) fn give(&self, test: &str) -> std::io::Result<(Child, ChildStdout)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
        command.env(PATH, &self.path);
        if let Task::Write { seed, from, silent } = self.task {
            let numbers = [(SEED, seed), (FROM, from), (SILENT, silent)];
            command.envs(numbers.map(|(name, number)| (name, number.to_string())));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let reports = child.stdout.take().expect("it was piped");
        Ok((child, reports))
    }

    /// Does as ordered, until killed. Returns only when the parent is gone.
    pub(super) async fn obey<H: CrashHarness>(&self) -> std::io::Result<()> {
        say(&Report::Opening)?;
        let store = open::<H>(&self.path).await;
        say(&Report::Open)?;
        match self.task {
            Task::Write { seed, from, silent } => {
                for n in from.. {
                    let batch = batch(seed, n);
                    say(&Report::Asking(n))?;
                    let outcomes = store.commit(batch).await.expect("a batch is committed");
                    if n == silent {
                        say(&Report::Silent)?;
                        return wait();
                    }
                    say(&Report::Answered(n, Answers::of(&outcomes)))?;
                }
                Ok(())
            }
            Task::Recover => wait(),
        }
    }
}

/// Waits to be killed, or for the parent to be gone.
fn wait() -> std::io::Result<()> {
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

async fn open<H: CrashHarness>(path: &Path) -> H::Store {
    H::at(path).open().await.expect("the store opens after a crash")
}

/// One write of less than a pipe's atomic size, past whatever captures the test's output.
fn say(report: &Report) -> std::io::Result<()> {
    let line = match report {
        Report::Opening => format!("\n{MARK}opening\n"),
        Report::Open => format!("{MARK}open\n"),
        Report::Silent => format!("{MARK}silent\n"),
        Report::Asking(n) => format!("{MARK}asking {n}\n"),
        Report::Answered(n, answers) => format!("{MARK}answered {n}: {answers}\n"),
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// The error says that it is no report.
impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        // Cut off by the kill: as if it had not been said.
        let line = line.strip_suffix('\n').ok_or(())?;
        let (word, rest) =
            line.strip_prefix(MARK).map(|line| line.split_once(' ').unwrap_or((line, ""))).ok_or(())?;
        match word {
            "opening" => Ok(Self::Opening),
            "open" => Ok(Self::Open),
            "silent" => Ok(Self::Silent),
            "asking" => rest.parse().map(Self::Asking).map_err(drop),
            "answered" => {
                let (n, answers) = rest.split_once(": ").ok_or(())?;
                Ok(Self::Answered(n.parse().map_err(drop)?, Answers::from_line(answers)))
            }
            _ => Err(()),
        }
    }
}
