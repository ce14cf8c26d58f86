//! A process that ends together with its parent, even if the parent is killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The guard: its input ends when the parent does, unless the parent first writes a line.
const GUARD: &str = r#"read -r _ || { kill -9 "$0"; rm -rf "$1"; }"#;

/// A process and its guard, which is a waiting shell. Dropping this kills the process.
#[derive(Debug)]
pub(crate) struct Guarded {
    process: Child,
    guard: Child,
}

impl Guarded {
    /// Starts a process. If the guard has to kill it, it removes the folder as well.
    ///
    /// # Panics
    /// Panics if the process does not start.
    pub(crate) fn spawn(command: &mut Command, folder: &Path) -> Self {
        // A signal to the test's process group must not reach the server.
        let process = command.process_group(0).stdin(Stdio::null()).spawn().expect("the program starts");
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .arg(process.id().to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { process, guard }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The exit status, if the process has ended.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.try_wait().ok().flatten()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.guard.stdin.take().map(|mut input| input.write_all(b"\n"));
        let _ = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const TEST: &str = "guarded::tests::a_process_ends_with_the_one_that_started_it_and_was_killed";

    #[test]
    fn a_process_ends_with_the_one_that_started_it_and_was_killed() {
        if let Some(folder) = std::env::var_os("DM_GUARDED") {
            let mut server = Command::new("sleep");
            let guarded = Guarded::spawn(server.arg("600"), Path::new(&folder));
            assert!(guarded.id() > 0);
            std::process::abort();
        }
        let folder = crate::shared::folder(&format!("guarded-{}", std::process::id()));
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([TEST, "--exact"])
            .env("DM_GUARDED", &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program starts");
        // The output stays open as long as the child or the process that it started runs.
        let mut said = String::new();
        let mut output = child.stdout.take().expect("a pipe");
        output.read_to_string(&mut said).expect("text");
        assert!(!child.wait().expect("it ended").success(), "the child must be killed");
        while folder.exists() {
            std::thread::yield_now();
        }
    }
}
