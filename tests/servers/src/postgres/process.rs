//! The processes of a server: making its data, starting it and ending it.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::shared;

/// The time limit for a server to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a server syncs before it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Syncs {
    /// As installed: an answered write survives a power cut.
    Always,
    /// An answered write survives the end of any process, and no power cut.
    Never,
}

/// Makes an empty cluster that belongs to the user of the server.
pub(super) fn init(data: &Path) {
    fs::create_dir_all(data).expect("the folder is ours");
    shared::give(data, "postgres");
    let output = as_server("initdb")
        .arg("--pgdata")
        .arg(data)
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .stdin(Stdio::null())
        .output()
        .expect("initdb starts");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts the server with its data, and waits until it accepts connections.
#[expect(clippy::zombie_processes, reason = "it outlives this process, or is told apart from one that runs")]
pub(super) fn launch(data: &Path, syncs: Syncs, port: Option<u16>) -> u32 {
    let log = fs::File::options().create(true).append(true).open(data.with_file_name("postgres.log"));
    let log = log.expect("the folder is ours");
    let mut command = as_server("postgres");
    command.arg("-D").arg(data).arg("-k").arg(data);
    match port {
        None => _ = command.args(["-c", "listen_addresses="]),
        Some(port) => {
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-p"]).arg(port.to_string());
        }
    }
    let settings = ["max_connections=400", "max_wal_size=4GB"];
    let more: &[&str] = match syncs {
        // A small part of the machine's memory, and more than the default of 128 MB, which
        // production servers do not keep.
        Syncs::Always => &["shared_buffers=1GB"],
        Syncs::Never => {
            &["shared_buffers=256MB", "fsync=off", "full_page_writes=off", "autovacuum_naptime=5s"]
        }
    };
    for setting in settings.iter().chain(more) {
        command.args(["-c", setting]);
    }
    let mut child = command
        .current_dir(data.parent().unwrap_or(data))
        // A signal to the test's process group must not reach the server.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the server starts");
    // The last line of the file shows that the server is ready.
    let end = Instant::now() + PATIENCE;
    while alive(data).is_none() || !status(data).is_some_and(|line| takes_connections(&line)) {
        let ended = child.try_wait().expect("a child of this process");
        assert!(
            ended.is_none(),
            "the server ended: {ended:?}; see {}",
            data.with_file_name("postgres.log").display()
        );
        assert!(Instant::now() < end, "the server does not take connections");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    alive(data).expect("the server runs")
}

/// Sends a signal to processes, some of which may have ended.
pub(super) fn signal(signal: &str, processes: &[String]) {
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status();
}

/// Stops the server immediately, like a crash, and waits for its end.
pub(super) fn stop(data: &Path) {
    let Some(pid) = alive(data) else { return };
    signal("-QUIT", &[pid.to_string()]);
    let end = Instant::now() + PATIENCE;
    while is_running(pid) && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let _ = fs::remove_file(data.join("postmaster.pid"));
}

/// The process id of the server with this data, if it runs.
pub(super) fn alive(data: &Path) -> Option<u32> {
    let pid = line(data, 0)?.trim().parse().ok()?;
    is_running(pid).then_some(pid)
}

/// Whether the status of a server or standby says that it accepts connections.
fn takes_connections(status: &str) -> bool {
    ["ready", "standby"].iter().any(|state| status.starts_with(state))
}

fn status(data: &Path) -> Option<String> {
    line(data, 7)
}

/// A line of the file in which a server keeps its process id and status.
fn line(data: &Path, n: usize) -> Option<String> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(n).map(str::to_owned)
}

/// Whether a process runs. A zombie does not.
fn is_running(pid: u32) -> bool {
    let mut stat = String::new();
    let read =
        fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read_to_string(&mut stat));
    read.is_ok() && !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// A program of the server, run as an unprivileged user, because it refuses to run as root.
pub(super) fn as_server(name: &str) -> Command {
    shared::without_rights("postgres", &program(name))
}

/// The newest installed program with this name, or else the one on the path.
pub(super) fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let program = version.path().join("bin").join(name);
            program.exists().then_some((number, program))
        })
        .max();
    newest.map_or_else(|| name.into(), |(_, program)| program)
}
