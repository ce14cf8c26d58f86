//! The host as a process, for tests.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A host process. It is killed when this value is dropped.
pub(crate) struct Host {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    pub(crate) folder: TempDir,
}

impl Host {
    pub(crate) fn start(options: &[&str]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_chat-host"));
        Self::run_in(command, options, tempfile::tempdir().unwrap())
    }

    /// Starts a command that executes the host, with options, in a folder.
    pub(crate) fn run_in(mut command: Command, options: &[&str], folder: TempDir) -> Self {
        command.current_dir(&folder).args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr, folder }
    }

    /// The address in the first line of the standard output.
    pub(crate) fn address(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.strip_prefix("listening on http://").unwrap().trim_end().to_owned()
    }

    /// The address of the metrics in the log.
    pub(crate) fn metrics_address(&mut self) -> String {
        let mut line = String::new();
        while !line.contains("metrics are on an address of their own") {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "the log ended");
        }
        line.trim_end().rsplit_once("address=").unwrap().1.to_owned()
    }

    /// Waits until the process ends. Returns whether it succeeded, the rest of its standard output,
    /// and its standard error.
    pub(crate) fn end(mut self) -> (bool, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.stderr.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().success(), out, err)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
