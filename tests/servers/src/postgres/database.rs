//! The databases of tests, copied from a template.

use std::fs;

use crate::postgres::cluster::Cluster;
use crate::shared;

/// A database. It is dropped with this value.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Cluster {
    /// Makes a database as a copy of a template. If no template with this name exists, it is made
    /// first by `prepare`, which gets connection parameters and must close its connections.
    ///
    /// # Panics
    /// Panics if the server refuses.
    #[must_use]
    pub fn database(&'static self, template: &str, prepare: impl FnOnce(&str)) -> Database {
        self.make_template(template, prepare);
        let name = format!("test_{}_{}", std::process::id(), shared::unique());
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { cluster: self, name }
    }

    /// Makes an empty database.
    ///
    /// # Panics
    /// Panics if the server refuses.
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
            // Connections to the template may still be closing.
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
    /// Panics if the SQL fails.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A failure is ignored, so that a failing test does not panic twice.
        let _ = self.cluster.psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
