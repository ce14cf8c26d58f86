//! The check that tables with the store's prefix belong to the store.
//!
//! A host may have tables whose names begin with the prefix. Before the store changes anything, it
//! compares the tables, indexes and views in the file with those that the migrations create, up to
//! the version that the file names.

use dm_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Result};

use crate::database::Database;
use crate::error::from_sqlite;
use crate::table_prefix::TablePrefix;

/// A table, an index or a view of the schema.
#[derive(Debug, PartialEq, Eq)]
struct SchemaObject {
    /// The name without the prefix, in lower case.
    name: String,
    /// `table`, `index` or `view`.
    kind: String,
    /// Empty for an index.
    columns: Vec<Column>,
}

#[derive(Debug, PartialEq, Eq)]
struct Column {
    name: String,
    /// The declared type.
    kind: String,
    not_null: bool,
    /// The column's position in the primary key, from 1; zero if the key does not include it.
    key: i64,
}

/// Reads the version from the store's table `schema`. Returns `None` when no name in the file
/// begins with the prefix.
///
/// # Errors
/// [`StoreErrorKind::ForeignTables`] when names begin with the prefix but the table `schema` is
/// missing, or when the table `schema` is not the store's.
pub(crate) fn version(database: &Database) -> Result<Option<usize>, StoreError> {
    let objects = objects(database).map_err(from_sqlite)?;
    let Some(schema) = objects.iter().find(|object| object.name == "schema") else {
        return match objects.first() {
            Some(object) => {
                Err(foreign_tables(database, &object.name, "the store's version table is missing"))
            }
            None => Ok(None),
        };
    };
    let version = Column { name: "version".into(), kind: "INTEGER".into(), not_null: true, key: 0 };
    if schema.kind != "table" || schema.columns != [version] {
        return Err(foreign_tables(database, "schema", "its kind or its columns differ from the store's"));
    }
    let (rows, found): (i64, Option<i64>) = database
        .query_row(
            "SELECT count(*), max(version) FROM dm_schema WHERE typeof(version) = 'integer'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(from_sqlite)?;
    match found {
        // A number that fits no version is newer than any known version.
        Some(version) if rows == 1 => Ok(Some(usize::try_from(version).unwrap_or(usize::MAX))),
        _ => Err(foreign_tables(database, "schema", "it does not hold exactly one version")),
    }
}

/// Compares the file with the schema that `migrations` create. Only reads.
///
/// # Errors
/// [`StoreErrorKind::ForeignTables`] when a table, index or view is missing or differs.
pub(crate) fn require_store_tables(database: &Database, migrations: &[&str]) -> Result<(), StoreError> {
    let found = objects(database).map_err(from_sqlite)?;
    for expected in expected(migrations).map_err(from_sqlite)? {
        match found.iter().find(|object| object.name == expected.name) {
            Some(object) if *object == expected => {}
            Some(_) => {
                return Err(foreign_tables(
                    database,
                    &expected.name,
                    "its kind or its columns differ from the store's",
                ));
            }
            None => {
                return Err(foreign_tables(database, "schema", "tables of its version are missing"));
            }
        }
    }
    Ok(())
}

/// The objects that `migrations` create in an empty database.
fn expected(migrations: &[&str]) -> Result<Vec<SchemaObject>> {
    let model = Database::new(Connection::open_in_memory()?, TablePrefix::default());
    for migration in migrations {
        model.execute_batch(migration)?;
    }
    objects(&model)
}

/// The objects whose names begin with the prefix. Case is ignored, because `DM_users` and
/// `dm_users` are the same name for SQLite.
fn objects(database: &Database) -> Result<Vec<SchemaObject>> {
    let prefix = database.prefix().as_str();
    let mut select = database.prepare_cached(
        "SELECT lower(substr(name, length(?1) + 1)), name, type FROM sqlite_schema
         WHERE lower(substr(name, 1, length(?1))) = ?1 AND type <> 'trigger' ORDER BY name",
    )?;
    let rows = select.query_map([prefix], |row| {
        let object = SchemaObject { name: row.get(0)?, kind: row.get(2)?, columns: Vec::new() };
        Ok((object, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (object, name) = row?;
        Ok(SchemaObject { columns: columns(database, &name)?, ..object })
    })
    .collect()
}

/// The columns of a table or a view; an index has none.
fn columns(database: &Database, name: &str) -> Result<Vec<Column>> {
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) ORDER BY cid";
    database
        .prepare_cached(sql)?
        .query_map([name], |row| {
            Ok(Column { name: row.get(0)?, kind: row.get(1)?, not_null: row.get(2)?, key: row.get(3)? })
        })?
        .collect()
}

/// The error for a table, an index or a view that is not the store's. `name` is its name without
/// the prefix.
fn foreign_tables(database: &Database, name: &str, reason: &str) -> StoreError {
    let prefix = database.prefix().as_str();
    let text = format!("`{prefix}{name}` is not the store's: {reason}; give the store another table prefix");
    StoreError::new(StoreErrorKind::ForeignTables, text)
}
