//! Databases of tests, copied from a template.

use std::fs;

use crate::postgres::cluster::Cluster;
use crate::shared;

/// A database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Cluster {
    /// A database of its own, copied from a template. The template is made first if there is none
    /// of that name, by `prepare`, which is given parameters and leaves no connection behind.
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
