//! Databases of hosts whose keyspaces have the store's names.

use std::error::Error as _;

use dm_core::store::StoreErrorKind;
use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::{Database, KeyspaceCreateOptions};

#[test]
fn foreign_keyspaces_with_the_stores_names_are_refused_and_unchanged() {
    let table = [("dm_messages", true), ("dm_rows", true), ("dm_settings", false), ("dm_settings", true)];
    for (name, has_rows) in table {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::builder(folder.path()).open().unwrap();
        let keyspace = database.keyspace(name, KeyspaceCreateOptions::default).unwrap();
        if has_rows {
            keyspace.insert("ana", "host").unwrap();
        }
        let refused = FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::ForeignTables, "{name}: {refused:?}");
        let text = refused.source().unwrap().to_string();
        assert!(text.contains(&format!("`{name}`")), "{text}");
        let names: Vec<_> = database.list_keyspace_names().iter().map(|name| name.to_string()).collect();
        assert_eq!(names, [name]);
        let rows = keyspace.iter().map(|row| row.key().unwrap().to_vec()).collect::<Vec<_>>();
        assert_eq!(rows.len(), usize::from(has_rows));
    }
}
