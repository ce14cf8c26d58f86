//! The kinds of servers: shared by all tests, or for one test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use crate::postgres::cluster::{Cluster, Ends};
use crate::postgres::process::{Syncs, alive, as_server, init, launch};
use crate::shared;

impl Cluster {
    /// The server that all tests share. It does not sync, because its data has to survive processes
    /// only, no power cuts.
    ///
    /// # Panics
    /// Panics if PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::claimed("postgres", Syncs::Never))
    }

    /// The server that measurements share, one process after the other. It syncs.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn shared_durable() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::claimed("postgres-durable", Syncs::Always))
    }

    fn claimed(name: &str, syncs: Syncs) -> Self {
        let folder = shared::folder(&format!("{name}-{}", shared::user()));
        let data = folder.join("data");
        let claim = shared::claim(
            &folder,
            &data,
            || alive(&data),
            || {
                // The folder may contain the data of a server that was killed.
                let _ = fs::remove_dir_all(&data);
                init(&data);
                launch(&data, syncs, None)
            },
        );
        Self { folder: data, ends: Ends::Shared { _claim: claim }, syncs, port: None }
    }

    /// A server for one test, which may stop it.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn alone() -> Self {
        let data = own_data();
        init(&data);
        launch(&data, Syncs::Never, None);
        let ends = Ends::Alone { keeps_folder: false };
        Self { folder: data, ends, syncs: Syncs::Never, port: None }
    }

    /// A server for one test that also listens with TLS, on a port of 127.0.0.1 that was free. The
    /// certificate and its key are PEM.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn with_tls(certificate: &str, key: &str) -> Self {
        let data = own_data();
        init(&data);
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let file = data.join(name);
            fs::write(&file, text).expect("the folder is ours");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
            shared::give(&file, "postgres");
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        launch(&data, Syncs::Never, Some(port));
        let ends = Ends::Alone { keeps_folder: false };
        Self { folder: data, ends, syncs: Syncs::Never, port: Some(port) }
    }

    /// A hot standby of this server: a read-only copy that follows it asynchronously. `pg_promote`
    /// makes it a primary.
    ///
    /// # Panics
    /// As [`shared`](Self::shared), or if the copy cannot be made.
    #[must_use]
    pub fn standby(&self) -> Self {
        let data = own_data();
        fs::create_dir_all(&data).expect("the folder is ours");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        shared::give(&data, "postgres");
        let output = as_server("pg_basebackup")
            .arg("--pgdata")
            .arg(&data)
            .arg("--dbname")
            .arg(self.parameters("postgres"))
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .stdin(Stdio::null())
            .output()
            .expect("pg_basebackup starts");
        assert!(output.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&output.stderr));
        // The copy includes the lock file of the socket.
        let _ = fs::remove_file(data.join(".s.PGSQL.5432.lock"));
        launch(&data, self.syncs, None);
        Self { folder: data, ends: Ends::Alone { keeps_folder: false }, syncs: self.syncs, port: None }
    }

    /// A server that syncs, with its data in a folder of the caller, which outlives the server.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn durable_in(folder: &Path) -> Self {
        // Temporary folders are accessible for their owner only, and the server runs as another
        // user.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("the folder is ours");
        let data = folder.join("postgres");
        init(&data);
        launch(&data, Syncs::Always, None);
        Self { folder: data, ends: Ends::Alone { keeps_folder: true }, syncs: Syncs::Always, port: None }
    }
}

/// The folder for the data of a server, in a new temporary folder.
fn own_data() -> PathBuf {
    shared::folder(&format!("postgres-{}-{}", std::process::id(), shared::unique())).join("data")
}
