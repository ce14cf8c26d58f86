//! PostgreSQL.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::shared::{self, Claim};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its data. It is reached by a socket in its folder only, unless it was given a certificate.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    ends: Ends,
    syncs: Syncs,
    /// Where it listens with TLS, on 127.0.0.1.
    port: Option<u16>,
}

/// When a server ends.
#[derive(Debug)]
enum Ends {
    /// With the last process that claims it.
    Shared { _claim: Claim },
    /// With this value, which may remove its folder.
    Alone { keeps_folder: bool },
}

/// Whether a server waits for the disk before it answers.
#[derive(Clone, Copy, Debug)]
enum Syncs {
    /// As installed: what is answered outlives a power cut.
    Always,
    /// What is answered outlives every process, and no power cut.
    Never,
}

/// A server whose processes are stopped where they are: connections stay, and nothing is answered.
/// They go on when this value is dropped.
#[derive(Debug)]
pub struct Frozen<'a> {
    processes: Vec<String>,
    _cluster: &'a Cluster,
}

/// A database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

/// Whether PostgreSQL is installed.
#[must_use]
pub fn is_installed() -> bool {
    shared::answers(&program("initdb"))
}

impl Cluster {
    /// The server that all tests share. It does not sync: what is tested on it outlives processes, not power cuts.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
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
                // What a server left that was killed.
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
        let folder = shared::folder(&format!("postgres-{}-{}", std::process::id(), shared::unique()));
        let data = folder.join("data");
        init(&data);
        launch(&data, Syncs::Never, None);
        let ends = Ends::Alone { keeps_folder: false };
        Self { folder: data, ends, syncs: Syncs::Never, port: None }
    }

    /// A server for one test that also listens on a port of 127.0.0.1 that was free, with TLS. The certificate and its key
    /// are PEM.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn with_tls(certificate: &str, key: &str) -> Self {
        let folder = shared::folder(&format!("postgres-{}-{}", std::process::id(), shared::unique()));
        let data = folder.join("data");
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

    /// A hot standby of this server: a copy that follows it, does not make it wait, and takes reads only. `pg_promote` makes
    /// a server of its own of it.
    ///
    /// # Panics
    /// As [`shared`](Self::shared), or when the copy cannot be made.
    #[must_use]
    pub fn standby(&self) -> Self {
        let folder = shared::folder(&format!("postgres-{}-{}", std::process::id(), shared::unique()));
        let data = folder.join("data");
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
        // The lock of the socket in the folder was copied, too.
        let _ = fs::remove_file(data.join(".s.PGSQL.5432.lock"));
        launch(&data, self.syncs, None);
        Self { folder: data, ends: Ends::Alone { keeps_folder: false }, syncs: self.syncs, port: None }
    }

    /// A server that syncs, with its data in a folder of the caller's, which outlives it.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn durable_in(folder: &Path) -> Self {
        // Temporary folders are for their owner only, and the server is another user.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("the folder is ours");
        let data = folder.join("postgres");
        init(&data);
        launch(&data, Syncs::Always, None);
        Self { folder: data, ends: Ends::Alone { keeps_folder: true }, syncs: Syncs::Always, port: None }
    }

    /// Parameters of a connection to a database.
    #[must_use]
    pub fn parameters(&self, database: &str) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(" port={port}"));
        format!("host={}{port} user=postgres dbname={database}", self.folder.display())
    }

    /// Parameters of a connection with TLS, to a server that was given a certificate.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    pub fn tls_parameters(&self, database: &str) -> String {
        let port = self.port.expect("a server with a certificate");
        format!("host=127.0.0.1 port={port} user=postgres dbname={database} sslmode=require")
    }

    /// Runs SQL as the superuser, outside a transaction, and returns what it prints: rows as lines, `|` between columns.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Stops the server at once, as a crash does, and starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        self.crash();
        self.start();
    }

    /// Stops the server at once, as a crash does.
    pub fn crash(&self) {
        stop(&self.folder, "-QUIT");
    }

    /// Stops the server's processes where they are, as a machine does that hangs.
    ///
    /// # Panics
    /// When the server does not run.
    #[must_use]
    pub fn freeze(&self) -> Frozen<'_> {
        let server = alive(&self.folder).expect("the server runs").to_string();
        // The server first, so that it makes no process that is missed.
        signal("-STOP", std::slice::from_ref(&server));
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.expect("the server runs");
        let mut processes: Vec<_> = children.split_whitespace().map(str::to_owned).collect();
        signal("-STOP", &processes);
        processes.push(server);
        Frozen { processes, _cluster: self }
    }

    /// Starts the server again after [`crash`](Self::crash).
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self) {
        launch(&self.folder, self.syncs, self.port);
    }

    /// A database of its own, copied from a template. The template is made first if there is none of that name, by
    /// `prepare`, which is given parameters and leaves no connection behind.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn database(&'static self, template: &str, prepare: impl FnOnce(&str)) -> Database {
        self.make_template(template, prepare);
        let name = format!("test_{}_{}", std::process::id(), shared::unique());
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { cluster: self, name }
    }

    /// An empty database of its own.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn empty_database(&'static self) -> Database {
        let name = format!("test_{}_{}", std::process::id(), shared::unique());
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { cluster: self, name }
    }

    fn make_template(&self, template: &str, prepare: impl FnOnce(&str)) {
        let lock = self.folder.with_file_name("template");
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(lock);
        let lock = lock.expect("the folder is ours");
        lock.lock().expect("a lock of a file");
        let made = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if self.sql("postgres", &made).is_empty() {
            let draft = format!("draft_{template}");
            self.sql("postgres", &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"));
            self.sql("postgres", &format!("CREATE DATABASE {draft}"));
            prepare(&self.parameters(&draft));
            // Its connections may be closing still.
            let end = format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{draft}'"
            );
            self.sql("postgres", &end);
            self.sql("postgres", &format!("ALTER DATABASE {draft} RENAME TO {template}"));
        }
    }

    fn psql(&self, database: &str, sql: &str) -> std::process::Output {
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
            stop(&self.folder, "-QUIT");
            if !keeps_folder {
                let _ = self.folder.parent().map(fs::remove_dir_all);
            }
        }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        signal("-CONT", &self.processes);
    }
}

impl Database {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parameters of a connection.
    #[must_use]
    pub fn parameters(&self) -> String {
        self.cluster.parameters(&self.name)
    }

    /// Runs SQL, as [`Cluster::sql`].
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Not worth a second failure of a test that is failing.
        let _ = self.cluster.psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Makes an empty cluster that belongs to the user the server runs as.
fn init(data: &Path) {
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

/// Starts the server on its data, and waits until it takes connections.
#[expect(clippy::zombie_processes, reason = "it outlives this process, or is told apart from one that runs")]
fn launch(data: &Path, syncs: Syncs, port: Option<u16>) -> u32 {
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
        // Little of a machine's memory, and more than the 128 MB that nobody leaves it at.
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
        // What ends a test ends its whole group.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the server starts");
    // The file says so in its last line.
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
    alive(data).expect("it was alive just now")
}

/// Signals processes, some of which may have ended.
fn signal(signal: &str, processes: &[String]) {
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status();
}

/// Ends the server, and waits until it is gone.
fn stop(data: &Path, signal: &str) {
    let Some(pid) = alive(data) else { return };
    let _ = Command::new("kill").arg(signal).arg(pid.to_string()).status();
    let end = Instant::now() + PATIENCE;
    while is_running(pid) && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let _ = fs::remove_file(data.join("postmaster.pid"));
}

/// The process of the server on this data, if it runs.
fn alive(data: &Path) -> Option<u32> {
    let pid = line(data, 0)?.trim().parse().ok()?;
    is_running(pid).then_some(pid)
}

/// Whether the status of a server, or of a standby, says that it takes connections.
fn takes_connections(status: &str) -> bool {
    ["ready", "standby"].iter().any(|state| status.starts_with(state))
}

fn status(data: &Path) -> Option<String> {
    line(data, 7)
}

/// A line of the file in which a server says who it is.
fn line(data: &Path, n: usize) -> Option<String> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(n).map(str::to_owned)
}

/// Whether a process runs and is not only waiting to be reaped.
fn is_running(pid: u32) -> bool {
    let mut stat = String::new();
    let read =
        fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read_to_string(&mut stat));
    read.is_ok() && !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// A program of the server, as a user without rights: it refuses to run as root.
fn as_server(name: &str) -> Command {
    shared::without_rights("postgres", &program(name))
}

/// The newest installed program of that name, or else one on the path.
fn program(name: &str) -> PathBuf {
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
