//! [`LastWriter`], which detects that another writer changed the store's tables.

use dm_core::store::StoreError;
use rusqlite::Result;

use crate::database::Database;
use crate::error::from_sqlite;
use crate::schema;

/// The id of this writer, and whether it was the last one that wrote to the store's tables. Stores
/// in other processes may write to the same file, and the host may write to its own tables.
pub(super) struct LastWriter {
    /// The id of this writer: a random number.
    id: i64,
    /// SQLite's `data_version`, read while the file named this writer as the last one. The value
    /// changes with each commit of another connection. `None` while the file may name another
    /// writer.
    data_version: Option<i64>,
}

impl LastWriter {
    /// A writer with a new random id. It is not the last writer yet.
    ///
    /// # Errors
    /// An error of SQLite.
    pub(super) fn new(connection: &Database) -> Result<Self, StoreError> {
        let id = connection.query_row("SELECT random()", [], |row| row.get(0)).map_err(from_sqlite)?;
        Ok(Self { id, data_version: None })
    }

    /// Makes this writer the last one, inside an open transaction. Returns `true` if it already was
    /// the last one: no other writer has changed the store's tables since this writer's last
    /// commit.
    ///
    /// # Errors
    /// [`NewerSchema`](dm_core::store::StoreErrorKind::NewerSchema) if a newer version of the
    /// library has migrated the tables since the last batch, or an error of SQLite.
    pub(super) fn claim(&mut self, connection: &Database) -> Result<bool, StoreError> {
        let (version, last) = self.read_changes(connection).map_err(from_sqlite)?;
        let Some((schema, last)) = last else { return Ok(true) };
        if schema != schema::VERSION {
            return Err(schema::newer_schema(schema));
        }
        if last != self.id {
            connection
                .prepare_cached("UPDATE dm_merge SET writer = ?1")
                .and_then(|mut update| update.execute([self.id]))
                .map_err(from_sqlite)?;
        }
        self.data_version = Some(version);
        Ok(last == self.id)
    }

    /// Forgets that this writer was the last one. Must be called after a failed transaction,
    /// because the rollback may have undone [`claim`](Self::claim).
    pub(super) const fn forget_claim(&mut self) {
        self.data_version = None;
    }

    /// SQLite's `data_version`. If it has changed, also the schema's version and the id of the last
    /// writer.
    fn read_changes(&self, connection: &Database) -> Result<(i64, Option<(usize, i64)>)> {
        let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.data_version == Some(version) {
            return Ok((version, None));
        }
        let last = connection
            .prepare_cached("SELECT (SELECT version FROM dm_schema), writer FROM dm_merge")?
            .query_row([], |row| {
                let schema: i64 = row.get(0)?;
                // A number that fits no version is newer than any known version.
                Ok((usize::try_from(schema).unwrap_or(usize::MAX), row.get(1)?))
            })?;
        Ok((version, Some(last)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dm_conformance::build::{append, open};
    use dm_core::store::{EngineWriter as _, Outcome, StoreErrorKind};
    use rusqlite::Connection;

    use crate::config::SqliteConfig;
    use crate::database::Database;
    use crate::schema;
    use crate::table_prefix::TablePrefix;
    use crate::write::Writer;

    fn writer(path: &Path) -> Writer {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        let database = Database::new(connection, TablePrefix::default());
        schema::migrate(&database).unwrap();
        Writer::new(database, &SqliteConfig::default()).unwrap()
    }

    /// Appends the message `id` to conversation 1, and returns its number there.
    fn sent(writer: &mut Writer, id: u64) -> u64 {
        let mut outcomes = writer.commit(vec![append(1, 1, id).into()]).unwrap();
        let Some(Outcome::MessageAppended(appended)) = outcomes.pop() else { panic!("no message") };
        appended.message.sequence.get()
    }

    #[test]
    fn a_host_that_writes_to_its_own_tables_does_not_empty_the_caches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.db");
        let mut writer = writer(&path);
        writer.commit(vec![open(1, 1, 2)]).unwrap();
        assert_eq!(sent(&mut writer, 1), 1);
        let host = Connection::open(&path).unwrap();
        host.execute_batch("CREATE TABLE host (x); INSERT INTO host VALUES (1)").unwrap();
        assert!(writer.heads.holds(2, 1), "two users and a conversation");
        assert_eq!(sent(&mut writer, 2), 2);
        host.execute_batch("INSERT INTO host VALUES (2)").unwrap();
        writer.begin().unwrap();
        assert!(writer.heads.holds(2, 1));
    }

    #[test]
    fn another_writer_is_noticed_after_a_failed_batch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let (mut one, mut other) = (writer(&path), writer(&path));
        one.commit(vec![open(1, 1, 2)]).unwrap();
        for n in 0..3 {
            assert_eq!(sent(&mut one, 10 * n + 1), 4 * n + 1);
            assert_eq!(sent(&mut other, 10 * n + 2), 4 * n + 2);
            // `one` becomes the last writer, and the rollback undoes this.
            one.begin().unwrap();
            assert!(one.heads.holds(0, 0));
            one.roll_back();
            assert_eq!(sent(&mut one, 10 * n + 3), 4 * n + 3);
            assert_eq!(sent(&mut other, 10 * n + 4), 4 * n + 4);
        }
    }

    #[test]
    fn a_writer_refuses_tables_that_a_newer_version_has_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let mut writer = writer(&path);
        writer.commit(vec![open(1, 1, 2)]).unwrap();
        let newer = Connection::open(&path).unwrap();
        newer.execute_batch("UPDATE dm_schema SET version = version + 1").unwrap();
        for _ in 0..2 {
            let refused = writer.commit(vec![append(1, 1, 1).into()]).unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::NewerSchema);
        }
        let messages: i64 =
            newer.query_row("SELECT count(*) FROM dm_messages", [], |row| row.get(0)).unwrap();
        assert_eq!(messages, 0);
    }
}
