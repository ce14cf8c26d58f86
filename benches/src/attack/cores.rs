//! Which cores the host and the load run on.
//!
//! On a small machine the load's own work is most of what people wait for. Host and load get cores
//! of their own where there are two and `taskset` is there, in quiet and under attack alike.

use std::process::{Command, Stdio};

/// Cores, as `taskset` takes them.
pub(super) struct Cores {
    apart: Option<(String, String)>,
}

impl Cores {
    /// Moves this process to the second half of its cores, and keeps the first for hosts.
    pub(super) fn apart() -> Self {
        let cores = allowed();
        let (host, load) = cores.split_at(cores.len().div_ceil(2));
        let apart = (join(host), join(load));
        let process = std::process::id().to_string();
        let moved = !load.is_empty()
            && succeeds(Command::new("taskset").args([
                "--all-tasks",
                "--cpu-list",
                "--pid",
                &apart.1,
                &process,
            ]));
        Self { apart: moved.then_some(apart) }
    }

    /// The host's cores; `None` is all.
    pub(super) fn of_host(&self) -> Option<&str> {
        self.apart.as_ref().map(|(host, _)| host.as_str())
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.apart {
            Some((host, load)) => write!(f, "the host on core {host}, the load on core {load}"),
            None => f.write_str("host and load share all cores"),
        }
    }
}

/// Gives the calling thread the lowest priority, if that is possible.
pub(super) fn last_in_line() {
    // "1234/task/1235"
    if let Ok(thread) = std::fs::read_link("/proc/thread-self")
        && let Some(id) = thread.file_name()
    {
        succeeds(Command::new("renice").args(["-n", "19", "-p"]).arg(id));
    }
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The cores that this process may run on.
fn allowed() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map(str::trim).into_iter().flat_map(|list| list.split(',')).flat_map(range).collect()
}

/// "3" or "0-3".
fn range(text: &str) -> Vec<usize> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first..=last).collect(),
        _ => Vec::new(),
    }
}

fn join(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}
