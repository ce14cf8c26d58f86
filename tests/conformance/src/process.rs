//! A child process. It runs one test of the same program, and communicates with its parent over
//! pipes.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The prefix of a child's reports. Other lines come from the test runner around it.
const REPORT: &str = "report to the parent: ";
/// A child that has made no report for this time ends itself, because its parent reads to the end
/// of the pipe.
const PATIENCE: Duration = Duration::from_secs(300);
/// The number of reports of this process.
static REPORTED: AtomicU64 = AtomicU64::new(0);

/// The path of a test in the current module, for functions that run the test again in a child
/// process.
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

/// A command that runs one test of this program, given by its [`test_path!`](crate::test_path), and
/// shows its output.
///
/// # Panics
/// Panics if the operating system does not tell the path of this program.
#[must_use]
pub fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    // The test runner knows a test by its path without the name of the crate.
    let test = test.split_once("::").map_or(test, |(_, rest)| rest);
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]);
    command
}

/// A child process. It is killed when this value is dropped.
pub(crate) struct Process {
    child: Child,
    reports: Lines<BufReader<ChildStdout>>,
    orders: ChildStdin,
}

impl Process {
    /// Starts this program again to run a test. `set` sets environment variables.
    pub(crate) fn start(test: &str, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(test);
        set(&mut command);
        // The child shares the standard error of its parent, so that its panics are shown.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a child process can be started");
        let reports = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let orders = child.stdin.take().expect("a pipe");
        Self { child, reports, orders }
    }

    /// The child's next report; `None` if the child has ended. A line that was cut off by a kill is
    /// ignored.
    pub(crate) fn report(&mut self) -> Option<String> {
        loop {
            let line = self.reports.next()?.ok()?;
            if let Some((_, report)) = line.split_once(REPORT) {
                return Some(report.to_owned());
            }
        }
    }

    /// Sends the child a line. A child that has ended ignores it and reports no more.
    pub(crate) fn tell(&mut self, order: &str) {
        let _told = writeln!(self.orders, "{order}").and_then(|()| self.orders.flush());
    }

    /// Kills the process with SIGKILL and waits for its end. Returns whether it had not ended
    /// successfully before.
    pub(crate) fn end(&mut self) -> bool {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        !ended.expect("a child process can be killed").success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Reports a line to the parent, without buffering.
pub(crate) fn report(what: &str) {
    REPORTED.fetch_add(1, Ordering::SeqCst);
    let mut out = std::io::stdout().lock();
    // The parent has ended, so the child ends as well.
    if writeln!(out, "{REPORT}{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Ends this child process if it makes no report for a long time, because its store does not
/// answer.
pub(crate) fn end_when_stuck() {
    thread::spawn(|| {
        let mut before = None;
        loop {
            let reported = REPORTED.load(Ordering::SeqCst);
            if before == Some(reported) {
                eprintln!("a child process made no report for {PATIENCE:?}");
                std::process::exit(1);
            }
            before = Some(reported);
            thread::sleep(PATIENCE);
        }
    });
}

/// Prints a line past the capture of output, so that it shows for passed tests as well.
pub(crate) fn show(what: &str) {
    let _seen = writeln!(std::io::stderr(), "{what}");
}
