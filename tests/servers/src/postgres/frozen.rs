//! A server that hangs.

use std::fs;

use crate::postgres::cluster::Cluster;
use crate::postgres::process::{alive, signal};

/// A server whose processes are stopped with SIGSTOP: connections stay open, and nothing is
/// answered. The processes continue when this is dropped.
#[derive(Debug)]
pub struct Frozen<'a> {
    processes: Vec<String>,
    _cluster: &'a Cluster,
}

impl Cluster {
    /// Stops the server's processes with SIGSTOP, like a machine that hangs.
    ///
    /// # Panics
    /// Panics if the server does not run.
    #[must_use]
    pub fn freeze(&self) -> Frozen<'_> {
        let server = alive(&self.folder).expect("the server runs").to_string();
        // The main process is stopped first, so that it starts no process that would be missed.
        signal("-STOP", std::slice::from_ref(&server));
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.expect("the server runs");
        let mut processes: Vec<_> = children.split_whitespace().map(str::to_owned).collect();
        signal("-STOP", &processes);
        processes.push(server);
        Frozen { processes, _cluster: self }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        signal("-CONT", &self.processes);
    }
}
