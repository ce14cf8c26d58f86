//! The cores that the host and the load run on.
//!
//! On a small machine most of a call's time would be the work of the load itself. Host and load
//! therefore get separate cores if there are two and `taskset` is installed, both in quiet halves
//! and under attack.

use std::process::{Command, Stdio};

/// Sets of cores, in the form that `taskset` takes.
pub(super) struct Cores {
    apart: Option<(String, String)>,
}

impl Cores {
    /// Moves this process to the second half of its cores and keeps the first half for hosts.
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

    /// The host's cores; `None` for all.
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
pub(super) fn lower_priority() {
    // The link has the form "1234/task/1235".
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

/// Parses "3" or "0-3".
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
