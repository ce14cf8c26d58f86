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

    use dm_conformance::build::{append, naming, open, publish, user};
    use dm_conformance::outcome;
    use dm_core::store::{
        Change, EngineWriter as _, GateChange, GateRefusal, Outcome, Participants, Refusal, StoreErrorKind,
        UserGateChange, Write,
    };
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

    /// Commits one write.
    fn commit(writer: &mut Writer, write: impl Into<Write>) -> Outcome {
        writer.commit(vec![write.into()]).unwrap().remove(0)
    }

    /// Appends the message `id` to conversation 1, and returns its number there.
    fn sent(writer: &mut Writer, id: u64) -> u64 {
        outcome::sent(commit(writer, append(1, 1, id))).message.sequence.get()
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

    fn refusal(outcome: Outcome) -> Refusal {
        match outcome {
            Outcome::Refused(refusal) => refusal,
            Outcome::Done(done) => panic!("not refused: {done:?}"),
        }
    }

    /// Commits one write, which must be done.
    fn must(writer: &mut Writer, write: impl Into<Write>) {
        drop(outcome::done(commit(writer, write)));
    }

    /// Both writers have the users, the conversation and its numbers in memory. Each moves a fence
    /// and gates in turn, and the other one must compare with the new values.
    #[test]
    fn fences_and_gates_that_another_writer_has_moved_are_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let (mut mover, mut sender) = (writer(&path), writer(&path));
        must(&mut mover, open(1, 1, 2));
        let pair = Participants::new(user(1), user(2)).unwrap();
        let gate = |close, open| {
            let change = GateChange { close, open, ..GateChange::new(pair) };
            Write::default().change(Change::Gate(change))
        };
        let user_gate = |close| {
            let change = UserGateChange { close: Some(close), ..UserGateChange::new(user(1)) };
            Write::default().change(Change::UserGate(change))
        };
        for version in 1..=6 {
            let id = 10 * u64::from(version);
            let (old, new) = (u32::from(version) + 1, u32::from(version) + 2);
            must(&mut mover, publish(2, version + 1, 1));
            must(&mut sender, naming(append(1, 1, id), old));
            must(&mut mover, publish(2, version + 2, 1));
            let stale = refusal(commit(&mut sender, naming(append(1, 1, id + 1), old)));
            assert!(matches!(stale, Refusal::Unmet { which: 0, current: Some(_) }), "{stale:?}");
            must(&mut sender, naming(append(1, 1, id + 1), new));

            must(&mut mover, gate(version, 0));
            let closed = refusal(commit(&mut sender, append(1, 2, id + 2)));
            assert_eq!(closed, Refusal::Gate(GateRefusal::Closed { bits: version }));
            must(&mut mover, gate(0, version));
            must(&mut sender, append(1, 2, id + 2));

            must(&mut mover, user_gate(true));
            let closed = refusal(commit(&mut sender, append(1, 2, id + 3)));
            assert_eq!(closed, Refusal::Gate(GateRefusal::UserClosed { user: user(1) }));
            must(&mut mover, user_gate(false));
            must(&mut sender, append(1, 2, id + 3));
            std::mem::swap(&mut mover, &mut sender);
        }
    }

    /// The counts in memory are those of the newest message, also of another writer, and of a batch
    /// that is rolled back nothing stays.
    #[test]
    fn the_numbers_of_a_sender_have_no_gap_across_writers_and_failed_batches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dm.db");
        let (mut one, mut other) = (writer(&path), writer(&path));
        commit(&mut one, open(1, 1, 2));
        let numbers = |writer: &mut Writer, from, id| {
            let message = outcome::sent(commit(writer, append(1, from, id))).message;
            (message.sequence.get(), message.sender_sequence.get())
        };
        assert_eq!(numbers(&mut one, 1, 1), (1, 1));
        assert_eq!(numbers(&mut other, 2, 2), (2, 1));
        assert_eq!(numbers(&mut other, 1, 3), (3, 2));
        one.begin().unwrap();
        one.apply(vec![append(1, 1, 4).into(), publish(1, 1, 1)]).unwrap();
        one.roll_back();
        let stale = refusal(commit(&mut one, naming(append(1, 2, 5), 1)));
        assert!(matches!(stale, Refusal::Unmet { which: 0, current: None }), "{stale:?}");
        assert_eq!(numbers(&mut one, 1, 6), (4, 3));
        assert_eq!(numbers(&mut other, 2, 7), (5, 2));
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
