//! A database of the version before records, which this version migrates.

use dm_store_postgres::PostgresStore;
use dm_test_servers::postgres::Cluster;

use crate::common::connect;

#[tokio::test]
async fn a_database_is_migrated_with_everything_in_it() {
    let database = Cluster::shared().empty_database();
    connect(&database).await.batch_execute(&dm_fixtures::postgres_sql()).await.unwrap();
    let parameters = database.parameters();
    dm_fixtures::check(async || PostgresStore::open(&parameters).await).await;
}

#[tokio::test]
async fn a_migrated_schema_is_the_schema_of_a_new_database() {
    let [migrated, new] = [(); 2].map(|()| Cluster::shared().empty_database());
    connect(&migrated).await.batch_execute(&dm_fixtures::postgres_sql()).await.unwrap();
    for database in [&migrated, &new] {
        drop(PostgresStore::open(&database.parameters()).await.unwrap());
    }
    for query in [
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
         WHERE table_schema = 'dm' ORDER BY table_name, column_name",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'dm' ORDER BY indexname",
        "SELECT version FROM dm.schema_version",
    ] {
        assert_eq!(migrated.sql(query), new.sql(query));
    }
}
