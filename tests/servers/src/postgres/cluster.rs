//! A PostgreSQL server with its data.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::postgres::process::{Syncs, launch, program, stop};
use crate::shared::Claim;

/// A server with its data. It listens only on a socket in its folder, unless it has a certificate.
#[derive(Debug)]
pub struct Cluster {
    pub(super) folder: PathBuf,
    pub(super) ends: Ends,
    pub(super) syncs: Syncs,
    /// The port on 127.0.0.1 at which it listens with TLS.
    pub(super) port: Option<u16>,
}

/// The event that ends a server.
#[derive(Debug)]
pub(super) enum Ends {
    /// The end of the last process that has a claim on it.
    Shared { _claim: Claim },
    /// The drop of this value, which removes the folder unless it belongs to the caller.
    Alone { keeps_folder: bool },
}

impl Cluster {
    /// Parameters of a connection to a database.
    #[must_use]
    pub fn parameters(&self, database: &str) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(" port={port}"));
        format!("host={}{port} user=postgres dbname={database}", self.folder.display())
    }

    /// Parameters of a connection with TLS, to a server that has a certificate.
    ///
    /// # Panics
    /// Panics if the server has none.
    #[must_use]
    pub fn tls_parameters(&self, database: &str) -> String {
        let port = self.port.expect("a server with a certificate");
        format!("host=127.0.0.1 port={port} user=postgres dbname={database} sslmode=require")
    }

    /// Runs SQL as the superuser, outside a transaction. Returns its output: rows as lines, with
    /// `|` between columns.
    ///
    /// # Panics
    /// Panics if the SQL fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Stops the server immediately, like a crash, and starts it again.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn restart(&self) {
        self.crash();
        self.start();
    }

    /// Stops the server immediately, like a crash.
    pub fn crash(&self) {
        stop(&self.folder);
    }

    /// Starts the server again after [`crash`](Self::crash).
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn start(&self) {
        launch(&self.folder, self.syncs, self.port);
    }

    pub(super) fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(program("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .arg("--dbname")
            .arg(self.parameters(database))
            .args(["--command", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql starts")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ends::Alone { keeps_folder } = self.ends {
            stop(&self.folder);
            if !keeps_folder {
                let _ = self.folder.parent().map(fs::remove_dir_all);
            }
        }
    }
}
