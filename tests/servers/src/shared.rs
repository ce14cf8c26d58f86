//! A server that all processes of a test run share.
//!
//! A test runner starts one process per test program, or per test. The first process starts the
//! server. Every process holds a shared lock on a file until it ends in any way. A watcher process
//! waits until no process holds the lock, and 10 seconds longer, because no test runs between two
//! of them. Then it ends the server and removes its folder.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The watcher. While it holds the lock `start`, no process can claim the server. If no process
/// uses the server then, the watcher ends it.
const WATCHER: &str = r#"
exec 8>"$0/start"
while :; do
    flock --exclusive "$0/users" true
    sleep 10
    flock --exclusive 8
    if flock --exclusive --nonblock "$0/users" true; then
        kill -INT "$1"
        while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
        rm -rf "$2"
        exit
    fi
    flock --unlock 8
done
"#;

/// A claim on a server. The server runs as long as it exists.
#[derive(Debug)]
pub(crate) struct Claim {
    _users: File,
}

/// The folder of a kind of server. Its name contains the user and the version.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dm-test-{name}"));
    std::fs::create_dir_all(&folder).expect("a folder can be made in the temporary folder");
    folder
}

/// Claims the server of a folder, and starts it if it does not run. `running` returns its process
/// id if it runs. `start` starts it with the folder `data` and returns its process id.
#[expect(clippy::zombie_processes, reason = "the watcher outlives this process")]
pub(crate) fn claim(
    folder: &Path,
    data: &Path,
    running: impl FnOnce() -> Option<u32>,
    start: impl FnOnce() -> u32,
) -> Claim {
    let lock = |name| {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).read(true);
        options.open(folder.join(name)).expect("the folder is ours")
    };
    let starting = lock("start");
    starting.lock().expect("a lock of a file");
    let users = lock("users");
    users.lock_shared().expect("a lock of a file");
    if running().is_none() {
        let pid = start();
        Command::new("sh")
            .args(["-c", WATCHER])
            .arg(folder)
            .arg(pid.to_string())
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
    }
    Claim { _users: users }
}

/// A number that no other call in this process returns.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Gives a folder and its contents to the user that a server runs as.
pub(crate) fn give(folder: &Path, to: &str) {
    if user() == ROOT {
        let owned = Command::new("chown").arg("-R").arg(to).arg(folder).status();
        assert!(owned.is_ok_and(|status| status.success()), "the user {to} does not exist");
    }
}

/// A program, run as an unprivileged user if this process is root.
pub(crate) fn without_rights(as_user: &str, program: &Path) -> Command {
    if user() == ROOT {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={as_user}")).arg(format!("--regid={as_user}"));
        command.args(["--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

const ROOT: u32 = 0;

/// The user id of this process.
pub(crate) fn user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").map_or(u32::MAX, |of| of.uid())
}

/// Whether a program starts and prints its version.
pub(crate) fn answers(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
