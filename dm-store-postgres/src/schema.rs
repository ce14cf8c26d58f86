//! The version of the schema in the database, and the migrations to this library's version.
//!
//! Many nodes may start at once. A node that migrates locks the single row of `schema_version`, and
//! the other nodes wait for this lock. It is an ordinary row lock, because some engines that speak
//! PostgreSQL's protocol have no advisory locks (CockroachDB accepts the calls and does nothing;
//! YugabyteDB refused them for years).
//!
//! Before the row exists, there is no lock to wait for. If several nodes create the row at once,
//! some of them fail and try again.

use dm_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::from_postgres;
use crate::ownership::SchemaContents;
use crate::schema_name::SchemaName;

/// The migrations, in order. Migration *n* leads to version *n*. A released migration never
/// changes.
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_initial.sql"), include_str!("../migrations/0002_records.sql")];

/// The version that this library writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// The maximum number of attempts to create the version's row. An attempt fails only if another
/// node creates the row at the same moment, so a few attempts are enough in practice.
const ATTEMPTS: usize = 50;

/// Migrates the schema to this library's version. All migrations run in one transaction, so after a
/// failure at any point the schema has its old version or the new one. If the schema or the
/// version's row does not exist, a separate transaction creates it first, with version 0.
///
/// # Errors
/// - [`StoreErrorKind::NewerSchema`] if a newer version of the library wrote the schema. Nothing is
///   changed.
/// - [`StoreErrorKind::ForeignTables`] if the schema holds tables of others. Nothing is changed.
pub(crate) async fn migrate(client: &mut Client, schema: &SchemaName) -> Result<(), StoreError> {
    migrate_with(client, schema, |_| ()).await
}

/// A point of a migration. Tests kill the process at these points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MigrationPoint {
    /// Before the version's row is created.
    CreatingVersionRow,
    /// Before the version's row is locked.
    Locking,
    /// Before one of the migrations runs.
    Step,
    /// Before the new version is written.
    Version,
    /// Before the commit.
    Commit,
    /// After the commit.
    End,
}

/// Migrates as [`migrate`] does, and calls `observe` at each point.
async fn migrate_with(
    client: &mut Client,
    schema: &SchemaName,
    observe: impl Fn(MigrationPoint),
) -> Result<(), StoreError> {
    let mut found = version(client).await?;
    if found.is_some() {
        expect_search_path(client, schema.as_str()).await?;
    }
    for _ in 0..ATTEMPTS {
        if let Some(version) = found {
            refuse_newer(version)?;
            break;
        }
        observe(MigrationPoint::CreatingVersionRow);
        match client.batch_execute(&version_row_sql(client, schema).await?).await {
            Ok(()) => {}
            Err(error) if is_concurrent_creation(&error) => {}
            Err(error) if error.code() == Some(&SqlState::INVALID_SCHEMA_NAME) => {
                return Err(wrong_search_path());
            }
            Err(error) => return Err(from_postgres(error)),
        }
        found = version(client).await?;
    }
    if found == Some(as_column(VERSION)) {
        return SchemaContents::read(client).await?.require_store_tables(VERSION);
    }
    observe(MigrationPoint::Locking);
    let transaction = client.transaction().await.map_err(from_postgres)?;
    let row = transaction
        .query_one("SELECT version FROM schema_version FOR UPDATE", &[])
        .await
        .map_err(from_postgres)?;
    // Another node may have migrated the schema while this one waited for the lock.
    let found: i32 = row.try_get(0).map_err(from_postgres)?;
    refuse_newer(found)?;
    let done = usize::try_from(found).unwrap_or(0);
    let contents = SchemaContents::read(&transaction).await?;
    if done == 0 {
        contents.refuse_other_relations()?;
    } else {
        contents.require_store_tables(done)?;
    }
    // The limits of the database session are for the statements of a batch. A migration builds
    // indexes, which takes as long as it takes.
    transaction.batch_execute("SET LOCAL statement_timeout = 0").await.map_err(from_postgres)?;
    for step in MIGRATIONS.iter().skip(done) {
        observe(MigrationPoint::Step);
        // The migrations name the schema `dm`. Without this name, the tables are created in the
        // schema of the search path, which is the configured one.
        transaction.batch_execute(&step.replace("dm.", "")).await.map_err(from_postgres)?;
    }
    observe(MigrationPoint::Version);
    transaction
        .execute("UPDATE schema_version SET version = $1", &[&as_column(VERSION)])
        .await
        .map_err(from_postgres)?;
    observe(MigrationPoint::Commit);
    transaction.commit().await.map_err(from_postgres)?;
    observe(MigrationPoint::End);
    Ok(())
}

/// Fails if the version in the database is newer than this library's.
fn refuse_newer(found: i32) -> Result<(), StoreError> {
    if found > as_column(VERSION) {
        let message = format!("the schema has version {found}, this library supports up to {VERSION}");
        return Err(StoreError::new(StoreErrorKind::NewerSchema, message));
    }
    Ok(())
}

/// The version in the database; `None` if the version's row does not exist.
async fn version(client: &Client) -> Result<Option<i32>, StoreError> {
    if !SchemaContents::read(client).await?.has_version()? {
        return Ok(None);
    }
    let row = client.query_opt("SELECT version FROM schema_version", &[]).await.map_err(from_postgres)?;
    row.map(|row| row.try_get(0).map_err(from_postgres)).transpose()
}

/// The statements that create the version's row, and also the schema if it does not exist. The
/// server runs them as one transaction.
///
/// `CREATE SCHEMA IF NOT EXISTS` is not used, because it needs the right to create schemas even if
/// the schema exists. The store's user may not have this right: another user may have created the
/// schema for the store.
async fn version_row_sql(client: &Client, schema: &SchemaName) -> Result<String, StoreError> {
    let name = schema.as_str();
    let found = client
        .query_one("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", &[&name])
        .await
        .map_err(from_postgres)?;
    let create_schema = if found.try_get(0).map_err(from_postgres)? {
        String::new()
    } else {
        format!("CREATE SCHEMA \"{name}\";")
    };
    // The `DO` block checks `current_schema()`. Without this check, the tables would be created in
    // another schema if a pooler drops the options of the connection.
    Ok(format!(
        "{create_schema}
         DO $$ BEGIN
             IF current_schema()::text IS DISTINCT FROM '{name}' THEN
                 RAISE invalid_schema_name;
             END IF;
         END $$;
         CREATE TABLE IF NOT EXISTS schema_version (
             single boolean PRIMARY KEY DEFAULT true CHECK (single),
             version integer NOT NULL
         );
         INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING"
    ))
}

/// Refuses a database session if its search path does not lead to the store's schema.
async fn expect_search_path(client: &Client, schema: &str) -> Result<(), StoreError> {
    let row = client.query_one("SELECT current_schema()::text", &[]).await.map_err(from_postgres)?;
    let current: Option<String> = row.try_get(0).map_err(from_postgres)?;
    if current.as_deref() == Some(schema) { Ok(()) } else { Err(wrong_search_path()) }
}

fn wrong_search_path() -> StoreError {
    let message = "the session's `search_path` is not the store's schema: a pooler drops the `options` of \
                   the connection, or the database user has no right to use the schema";
    StoreError::new(StoreErrorKind::Engine, message)
}

/// Whether the error means that another node created the same object at the same time.
fn is_concurrent_creation(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// A version, as the column of `schema_version`.
fn as_column(version: usize) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use dm_test_servers::postgres::{Cluster, Database};
    use tokio_postgres::NoTls;

    use super::*;
    use crate::config::PostgresConfig;
    use crate::{PostgresStore, connection};

    /// The name of the test that starts itself as another process, which is killed.
    const KILLED: &str =
        "schema::tests::a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one";
    const STEPS: [MigrationPoint; 6] = [
        MigrationPoint::CreatingVersionRow,
        MigrationPoint::Locking,
        MigrationPoint::Step,
        MigrationPoint::Version,
        MigrationPoint::Commit,
        MigrationPoint::End,
    ];

    /// Migrates, and aborts the process at the point `end`, without any cleanup.
    async fn migrate_until(parameters: &str, end: MigrationPoint) {
        let config = PostgresConfig::default();
        let parameters = connection::parameters(parameters, &config).unwrap();
        let (mut client, connection) = parameters.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let end = |point| {
            if point == end {
                std::process::abort()
            }
        };
        migrate_with(&mut client, &config.schema, end).await.unwrap();
    }

    /// Waits until the server has closed the connection of the killed process.
    async fn wait_for_disconnect(database: &Database) {
        let others = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while database.sql(others) != "0" {
            assert!(std::time::Instant::now() < end, "the connection of the killed process stays open");
            tokio::task::yield_now().await;
        }
    }

    fn tables(database: &Database) -> String {
        database.sql(
            "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'dm'",
        )
    }

    #[tokio::test]
    async fn a_migration_killed_at_each_step_leaves_the_old_schema_or_the_new_one() {
        if let Some((parameters, step)) =
            std::env::var("DM_MIGRATED").ok().zip(std::env::var("DM_KILLED_AT").ok())
        {
            migrate_until(&parameters, STEPS[step.parse::<usize>().unwrap()]).await;
            return;
        }
        for (number, step) in STEPS.into_iter().enumerate() {
            let database = Cluster::shared().empty_database();
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args([KILLED, "--exact"])
                .env("DM_MIGRATED", database.parameters())
                .env("DM_KILLED_AT", number.to_string())
                .output()
                .unwrap();
            assert_eq!(child.status.code(), None, "{step:?}: the process was not killed: {child:?}");
            wait_for_disconnect(&database).await;
            let expected = match step {
                MigrationPoint::CreatingVersionRow => "",
                MigrationPoint::Locking
                | MigrationPoint::Step
                | MigrationPoint::Version
                | MigrationPoint::Commit => "schema_version",
                MigrationPoint::End => {
                    "acked commits conversations devices gates inbox messages record_guards records \
                     schema_version users"
                }
            };
            assert_eq!(tables(&database), expected, "killed at {step:?}");
            drop(PostgresStore::open(&database.parameters()).await.unwrap());
            assert_eq!(database.sql("SELECT version FROM dm.schema_version"), VERSION.to_string());
        }
    }
}
