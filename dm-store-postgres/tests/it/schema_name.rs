//! Opening the store in a schema that holds tables of another program, and in schemas with other
//! names than `dm`.

use std::error::Error as _;

use dm_conformance::{Harness, cases};
use dm_core::store::{Store as _, StoreError, StoreErrorKind};
use dm_store_postgres::{PostgresConfig, PostgresStore, SchemaName};
use dm_test_servers::postgres::{Cluster, Database};
use tokio_postgres::NoTls;

use crate::common::proxy::{Mode, Proxy};
use crate::common::{self, append, conversation, inbox, open, who};

async fn open_in_schema(database: &Database, schema: &str) -> Result<PostgresStore, StoreError> {
    let mut config = PostgresConfig::default();
    config.schema = SchemaName::new(schema).unwrap();
    PostgresStore::open_with(&database.parameters(), NoTls, &config).await
}

/// The contents of schema `dm`: relations with their OIDs and columns, and the row of the version
/// if it exists.
fn schema_contents(database: &Database) -> String {
    let relations = database.sql(
        "SELECT c.oid, c.relname, c.relkind, a.attname, a.atttypid FROM pg_class c
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = 'dm'::regnamespace ORDER BY c.oid, a.attnum",
    );
    let rows = if relations.contains("schema_version") {
        database.sql("SELECT * FROM dm.schema_version")
    } else {
        String::new()
    };
    relations + &rows
}

#[tokio::test]
async fn a_schema_that_holds_tables_of_others_is_refused_and_left_as_it_is() {
    let version = "CREATE TABLE dm.schema_version (single boolean PRIMARY KEY, version integer NOT NULL)";
    let table = [
        ("CREATE TABLE dm.users (id integer)".to_owned(), "users"),
        ("CREATE VIEW dm.inbox AS SELECT 1 AS seq".to_owned(), "inbox"),
        ("CREATE TABLE dm.settings (key text)".to_owned(), "settings"),
        ("CREATE TABLE dm.schema_version (version text)".to_owned(), "schema_version"),
        ("CREATE TABLE dm.schema_version (version integer)".to_owned(), "schema_version"),
        (format!("{version}; INSERT INTO dm.schema_version VALUES (true, 1)"), "schema_version"),
        (
            format!(
                "{version}; INSERT INTO dm.schema_version VALUES (true, 0); CREATE TABLE dm.notes (x text)"
            ),
            "notes",
        ),
    ];
    for (sql, name) in table {
        let database = Cluster::shared().empty_database();
        database.sql(&format!("CREATE SCHEMA dm; {sql}"));
        assert_refused(&database, name, &sql).await;
        // The store can be opened in another schema of the same database.
        open_in_schema(&database, "chat_dm").await.unwrap();
        assert_refused(&database, name, &sql).await;
    }
}

#[tokio::test]
async fn a_store_schema_with_a_changed_table_is_refused_and_left_as_it_is() {
    for sql in [
        "ALTER TABLE dm.devices ADD COLUMN note text",
        "DROP TABLE dm.devices; CREATE TABLE dm.devices (id integer)",
        "DROP TABLE dm.devices; CREATE VIEW dm.devices AS SELECT 1 AS user_id",
    ] {
        let database = common::harness::fresh();
        database.sql(sql);
        assert_refused(&database, "devices", sql).await;
    }
}

/// Asserts that opening fails with an error that names the relation `name`, and changes nothing in
/// the schema. `sql` is the cause, for failure messages.
async fn assert_refused(database: &Database, name: &str, sql: &str) {
    let before = schema_contents(database);
    let refused = PostgresStore::open(&database.parameters()).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::ForeignTables, "{sql}: {refused:?}");
    let text = refused.source().unwrap().to_string();
    assert!(text.contains(&format!("`{name}`")), "{sql}: {text}");
    assert_eq!(schema_contents(database), before, "{sql}: the schema was changed");
}

#[tokio::test]
async fn stores_in_different_schemas_of_a_database_share_no_data() {
    let database = Cluster::shared().empty_database();
    // `user` is a reserved word of SQL.
    let schemas = ["dm", "other", "user"];
    for (n, schema) in (1..).zip(schemas) {
        let store = open_in_schema(&database, schema).await.unwrap();
        store.commit(vec![open(n, n, 9), append(n, n, n).into()]).await.unwrap();
    }
    for (n, schema) in (1..).zip(schemas) {
        let entries = inbox(&open_in_schema(&database, schema).await.unwrap(), who(9)).await.entries;
        assert_eq!(entries.len(), 2, "the conversation and the message: {entries:?}");
        assert_eq!(entries[1].message().unwrap().conversation, conversation(n));
    }
}

/// A store in a database that holds another store, with a conversation of the same users.
struct StoreBesideAnother(Database);

impl Harness for StoreBesideAnother {
    type Store = PostgresStore;

    async fn fresh() -> Self {
        let database = common::harness::fresh();
        let other = PostgresStore::open(&database.parameters()).await.unwrap();
        other.commit(vec![open(1, 1, 2), append(1, 1, 1).into(), append(1, 2, 2).into()]).await.unwrap();
        Self(database)
    }

    async fn open(&self) -> Result<PostgresStore, StoreError> {
        open_in_schema(&self.0, "other").await
    }
}

#[test]
fn the_contract_holds_beside_another_store() {
    let modules = ["dense", "three_rows", "idempotent"];
    let chosen: Vec<_> =
        cases::<StoreBesideAnother>().into_iter().filter(|case| modules.contains(&case.module)).collect();
    assert!(chosen.len() > 15, "{}", chosen.len());
    for case in chosen {
        case.run();
    }
}

#[tokio::test]
async fn a_pooler_that_drops_the_search_path_is_refused_and_creates_nothing_elsewhere() {
    let elsewhere = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let empty = Cluster::shared().empty_database();
    let made = Cluster::shared().empty_database();
    made.sql("CREATE SCHEMA dm");
    let filled = Cluster::shared().empty_database();
    drop(open_in_schema(&filled, "dm").await.unwrap());
    for database in [&empty, &made, &filled] {
        let (proxy, parameters, _folder) = Proxy::in_front_of(database);
        proxy.set(Mode::DropOptions);
        let refused = PostgresStore::open(&parameters).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Engine);
        assert!(refused.source().unwrap().to_string().contains("search_path"), "{refused:?}");
        assert_eq!(database.sql(elsewhere), "0");
        proxy.set(Mode::Forward);
        drop(PostgresStore::open(&parameters).await.unwrap());
    }
}
