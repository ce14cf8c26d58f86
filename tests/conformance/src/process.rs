//! A child process, which runs one test of the program that starts it and talks with its parent
//! over pipes.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The beginning of a child's reports; the test harness around it prints lines of its own.
const REPORT: &str = "report to the parent: ";
/// A child that has reported nothing for so long ends itself: its parent reads to the end of the
/// pipe.
const PATIENCE: Duration = Duration::from_secs(300);
/// Reports of this process.
static REPORTED: AtomicU64 = AtomicU64::new(0);

/// The path of a test in the module that names it, for functions that run the test once more in a
/// child process.
///
/// ```
/// let path = dm_conformance::test_path!(a_full_disk_is_a_typed_error);
/// assert!(path.ends_with("::a_full_disk_is_a_typed_error"));
/// ```
#[macro_export]
macro_rules! test_path {
    ($test:ident) => {
        concat!(module_path!(), "::", stringify!($test))
    };
}

/// A command that runs one test of this program, named by its [`test_path!`](crate::test_path), and
/// passes on what it prints.
///
/// # Panics
/// When the operating system does not say where this program is.
#[must_use]
pub fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    // The test harness knows a test by its path without the crate's name.
    let test = test.split_once("::").map_or(test, |(_, rest)| rest);
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]);
    command
}

/// A child. It does not outlive this value.
pub(crate) struct Process {
    child: Child,
    reports: Lines<BufReader<ChildStdout>>,
    orders: ChildStdin,
}

impl Process {
    /// Starts this program again, to run a test with variables of its environment.
    pub(crate) fn start(test: &str, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(test);
        set(&mut command);
        // Its standard error is the parent's: a child that fails by itself tells the reader why.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the machine gives processes");
        let reports = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let orders = child.stdin.take().expect("a pipe");
        Self { child, reports, orders }
    }

    /// The child's next report; `None` when it has ended. A line that a kill cut off is no report.
    pub(crate) fn report(&mut self) -> Option<String> {
        loop {
            let line = self.reports.next()?.ok()?;
            if let Some((_, report)) = line.split_once(REPORT) {
                return Some(report.to_owned());
            }
        }
    }

    /// Tells the child a line. A child that has ended does not hear it, and reports no more.
    pub(crate) fn tell(&mut self, order: &str) {
        let _told = writeln!(self.orders, "{order}").and_then(|()| self.orders.flush());
    }

    /// Ends it with SIGKILL; nothing of it runs any more when this returns. Returns whether it had
    /// not ended well before.
    pub(crate) fn end(&mut self) -> bool {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        !ended.expect("one's own child can be killed").success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Reports a line to the parent, at once.
pub(crate) fn report(what: &str) {
    REPORTED.fetch_add(1, Ordering::SeqCst);
    let mut out = std::io::stdout().lock();
    // Without a parent there is nobody to write for.
    if writeln!(out, "{REPORT}{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Ends this process, a child, when it has reported nothing for long: its store does not answer.
pub(crate) fn end_when_stuck() {
    thread::spawn(|| {
        let mut before = None;
        loop {
            let reported = REPORTED.load(Ordering::SeqCst);
            if before == Some(reported) {
                eprintln!("a child process has reported nothing for {PATIENCE:?}");
                std::process::exit(1);
            }
            before = Some(reported);
            thread::sleep(PATIENCE);
        }
    });
}

/// To whoever runs the tests, also of tests that go well: past the capture.
pub(crate) fn show(what: &str) {
    let _seen = writeln!(std::io::stderr(), "{what}");
}
