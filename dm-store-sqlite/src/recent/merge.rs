//! Merges rows from runs (small groups of new rows) into the main tables, some with each batch.
//! [`recent`](crate::recent) defines these terms.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Result, Row, params};

use crate::database::Database;
use crate::recent::RecentRows;
use crate::recent::runs::{MergeProgress, RUNS, Runs};

/// The minimum number of inbox entries that are written between two merges, or the number of
/// entries in a full run if that is lower. A merge takes about 20 µs in addition to the time for
/// its rows.
const MIN_ENTRIES_BETWEEN_MERGES: i64 = 256;

impl RecentRows {
    /// Merges a quarter more rows than were written since the last merge, so that all rows of the
    /// merging generation are merged before the growing one is full. When the growing generation is
    /// full, merges all remaining rows and begins the next generation. Does nothing until
    /// [`MIN_ENTRIES_BETWEEN_MERGES`] entries were written.
    pub(crate) fn merge(&mut self, connection: &Database) -> Result<()> {
        let is_full = self.growing_entries >= RUNS * self.entries_per_run;
        if self.entries_since_merge < MIN_ENTRIES_BETWEEN_MERGES.min(self.entries_per_run) && !is_full {
            return Ok(());
        }
        let before = (self.runs.inbox_progress, self.runs.sequence_progress);
        let entries =
            if is_full { i64::MAX } else { self.entries_since_merge + self.entries_since_merge / 4 + 1 };
        self.entries_since_merge = 0;
        let merging_table = 1 - self.runs.growing_table();
        if self.runs.inbox_progress != MergeProgress::EVERYTHING {
            self.runs.inbox_progress =
                merge_entries(connection, merging_table, self.runs.inbox_progress, entries)?;
        }
        if self.runs.sequence_progress != MergeProgress::EVERYTHING {
            // Each message has two entries. The `+ 1`, here and above, rounds up.
            let messages = if is_full { i64::MAX } else { entries / 2 + 1 };
            self.runs.sequence_progress =
                merge_messages(connection, merging_table, self.runs.sequence_progress, messages)?;
        }
        if is_full {
            self.next_generation(connection, merging_table)?;
        }
        if is_full || before != (self.runs.inbox_progress, self.runs.sequence_progress) {
            let Runs { generation, inbox_progress: inbox, sequence_progress: sequence, .. } = self.runs;
            connection
                .prepare_cached(
                    "UPDATE dm_merge SET generation = ?1, user = ?2, user_seq = ?3, conversation = ?4,
                                         conversation_seq = ?5",
                )?
                .execute([generation, inbox.owner_ref, inbox.seq, sequence.owner_ref, sequence.seq])?;
        }
        Ok(())
    }

    /// Begins a new generation in the tables with index `table`. Deletes the old generation in
    /// these tables. All its rows must be merged.
    fn next_generation(&mut self, connection: &Database, table: i64) -> Result<()> {
        // A DELETE without WHERE frees whole pages and reads no rows.
        connection.prepare_cached(&format!("DELETE FROM dm_recent_inbox_{table}"))?.execute([])?;
        connection.prepare_cached(&format!("DELETE FROM dm_recent_sequence_{table}"))?.execute([])?;
        if let Some(newest) = &mut self.newest {
            newest.clear(table);
        }
        self.runs.generation += 1;
        self.runs.inbox_progress = MergeProgress::NOTHING;
        self.runs.sequence_progress = MergeProgress::NOTHING;
        self.runs.set_run_count(table, 0);
        self.growing_entries = 0;
        Ok(())
    }
}

/// Merges up to `limit` inbox entries with keys above `after` from the tables with index `table`.
/// Does not copy expired entries. Returns the progress.
fn merge_entries(
    connection: &Database,
    table: i64,
    after: MergeProgress,
    limit: i64,
) -> Result<MergeProgress> {
    let columns = "user, seq, at, message, notice, origin, addressee";
    let mut select = connection.prepare_cached(&rows_by_key("inbox", table, "user", columns))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO dm_inbox (user, seq, at, message, notice, origin, addressee)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut select_floor = connection.prepare_cached("SELECT inbox_floor FROM dm_users WHERE ref = ?1")?;
    let mut update_head = connection.prepare_cached("UPDATE dm_users SET inbox_head = ?2 WHERE ref = ?1")?;
    let mut rows = select.query(params![after.owner_ref, after.seq, limit])?;
    let mut last: Option<MergeProgress> = None;
    let (mut merged, mut floor) = (0, 0);
    while let Some(row) = rows.next()? {
        let key = row_key(row)?;
        if last.is_none_or(|last| last.owner_ref != key.owner_ref) {
            if let Some(last) = last {
                update_head.execute([last.owner_ref, last.seq])?;
            }
            floor = select_floor.query_row([key.owner_ref], |row| row.get(0))?;
        }
        if key.seq > floor {
            insert.execute(params![
                key.owner_ref,
                key.seq,
                row.get::<_, i64>(2)?,
                row.get::<_, Option<i64>>(3)?,
                ToSqlOutput::Borrowed(row.get_ref(4)?),
                ToSqlOutput::Borrowed(row.get_ref(5)?),
                row.get::<_, Option<i64>>(6)?
            ])?;
        }
        last = Some(key);
        merged += 1;
    }
    if let Some(last) = last {
        update_head.execute([last.owner_ref, last.seq])?;
    }
    Ok(progress_after(last, merged, limit))
}

/// Merges up to `limit` messages with keys above `after` from the tables with index `table`.
/// Returns the progress.
fn merge_messages(
    connection: &Database,
    table: i64,
    after: MergeProgress,
    limit: i64,
) -> Result<MergeProgress> {
    let columns = "conversation, seq, message, at, counts";
    let mut select = connection.prepare_cached(&rows_by_key("sequence", table, "conversation", columns))?;
    let mut insert = connection
        .prepare_cached("INSERT INTO dm_sequence (conversation, seq, message) VALUES (?1, ?2, ?3)")?;
    let mut update_head = connection
        .prepare_cached("UPDATE dm_conversations SET head = ?2, last_at = ?3, counts = ?4 WHERE ref = ?1")?;
    // The encoded counts after the last message; empty if that message is not counted.
    let mut counts: Vec<u8> = Vec::new();
    let mut update_head = |(key, at): (MergeProgress, i64), counts: &[u8]| {
        let counts = (!counts.is_empty()).then_some(counts);
        update_head.execute(params![key.owner_ref, key.seq, at, counts])
    };
    let mut rows = select.query(params![after.owner_ref, after.seq, limit])?;
    let mut last: Option<(MergeProgress, i64)> = None;
    let mut merged = 0;
    while let Some(row) = rows.next()? {
        let key = row_key(row)?;
        if let Some(last) = last.filter(|(last, _)| last.owner_ref != key.owner_ref) {
            update_head(last, &counts)?;
        }
        insert.execute([key.owner_ref, key.seq, row.get(2)?])?;
        last = Some((key, row.get(3)?));
        counts.clear();
        counts.extend_from_slice(row.get_ref(4)?.as_blob_or_null()?.unwrap_or_default());
        merged += 1;
    }
    if let Some(last) = last {
        update_head(last, &counts)?;
    }
    Ok(progress_after(last.map(|(key, _)| key), merged, limit))
}

/// The progress after `merged` rows were merged. `last` is the key of the last row. Fewer rows than
/// `limit` mean that all rows of the generation are merged.
fn progress_after(last: Option<MergeProgress>, merged: i64, limit: i64) -> MergeProgress {
    last.filter(|_| merged == limit).unwrap_or(MergeProgress::EVERYTHING)
}

/// The key of a row, from its first two columns.
fn row_key(row: &Row<'_>) -> Result<MergeProgress> {
    Ok(MergeProgress { owner_ref: row.get(0)?, seq: row.get(1)? })
}

/// The statement that selects the rows of all runs in the order of their keys: at most `?3` rows
/// with keys above `(?1, ?2)`. SQLite merges the runs, because each run is sorted by this key.
/// `tree` is `inbox` or `sequence`, and `key` is the column of the owner. For the plus signs, see
/// [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).
fn rows_by_key(tree: &str, table: i64, key: &str, columns: &str) -> String {
    let runs: Vec<String> = (0..RUNS)
        .map(|run| {
            format!(
                "SELECT {columns} FROM dm_recent_{tree}_{table} WHERE run = {run} AND ({key}, seq) > (+?1, +?2)"
            )
        })
        .collect();
    format!("{} ORDER BY 1, 2 LIMIT +?3", runs.join(" UNION ALL "))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use dm_conformance::build::{append, open};
    use dm_core::store::EngineWriter as _;

    use super::*;
    use crate::config::SqliteConfig;
    use crate::schema;
    use crate::table_prefix::TablePrefix;
    use crate::write::Writer;

    /// The number of entries in a full generation. A full run then has eight entries.
    const RECENT: NonZeroUsize = NonZeroUsize::new(128).unwrap();

    /// A writer on a new file in memory, with small runs.
    fn writer() -> Writer {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let database = Database::new(connection, TablePrefix::default());
        schema::migrate(&database).unwrap();
        let config = SqliteConfig { recent_entries: RECENT, ..SqliteConfig::default() };
        Writer::new(database, &config).unwrap()
    }

    /// The number of entries and the number of messages in the main tables.
    fn merged_counts(writer: &Writer) -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM dm_inbox), (SELECT count(*) FROM dm_sequence)";
        writer.connection().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[test]
    fn each_merge_takes_a_quarter_more_rows_than_were_written() {
        let mut writer = writer();
        writer.commit(vec![open(1, 1, 2)]).unwrap();
        // The opening has two entries, and each message has two. They fill a generation of 128.
        for id in 1..=63 {
            writer.commit(vec![append(1, 1, id).into()]).unwrap();
        }
        let mut found = Vec::new();
        for id in 64..=71 {
            writer.commit(vec![append(1, 1, id).into()]).unwrap();
            found.push(merged_counts(&writer));
        }
        let (none, step, next) = ((0, 0), (11, 6), (22, 12));
        assert_eq!(found, [none, none, none, step, step, step, step, next]);
        for id in 72..=127 {
            writer.commit(vec![append(1, 1, id).into()]).unwrap();
        }
        assert_eq!(merged_counts(&writer), (128, 63), "a generation is merged before the next one is full");
    }
}
