//! The harness by which the conformance suite opens stores.

use std::path::{Path, PathBuf};

use dm_conformance::Harness;
use dm_conformance::crash::CrashHarness;
use dm_core::store::StoreError;
use dm_store_postgres::PostgresStore;
use dm_test_servers::postgres::{Cluster, Database};

/// A store in a database of its own.
pub struct PostgresHarness {
    /// The connection parameters. Another process gets them in place of a path.
    parameters: PathBuf,
    /// The database, which is dropped with the harness that created it; `None` in other processes.
    _database: Option<Database>,
}

impl Harness for PostgresHarness {
    type Store = PostgresStore;

    async fn fresh() -> Self {
        let database = fresh();
        Self { parameters: database.parameters().into(), _database: Some(database) }
    }

    async fn open(&self) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(self.parameters.to_str().unwrap()).await
    }
}

impl CrashHarness for PostgresHarness {
    fn path(&self) -> &Path {
        &self.parameters
    }

    fn at(parameters: &Path) -> Self {
        Self { parameters: parameters.to_owned(), _database: None }
    }
}

/// A new database with the schema, copied from a template database.
pub fn fresh() -> Database {
    Cluster::shared().database(&template(), |parameters| {
        // `block_on` runs in another thread, because the test's thread is in a runtime.
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { PostgresStore::open(parameters).await.map(drop) })
            });
            made.join().unwrap().unwrap();
        });
    })
}

/// The name of the template database. It contains a hash of the migrations, because the server may
/// have a template of an earlier text of them.
fn template() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    include_str!("../../../migrations/0001_initial.sql").hash(&mut hasher);
    include_str!("../../../migrations/0002_records.sql").hash(&mut hasher);
    format!("dm_{:016x}", hasher.finish())
}

/// A time, in milliseconds.
pub const fn time(millis: u64) -> dm_core::Timestamp {
    dm_core::Timestamp::from_millis(millis)
}
