//! [`RecentActivity`], the newest messages in a user's conversations. They are found in the user's
//! inbox entries that are in runs, which are small groups of new rows ([`recent`](crate::recent)).
//!
//! For the plus signs in statements, see
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use dm_core::store::{ConversationCursor, Timestamp};
use rusqlite::{OptionalExtension, Result};

use crate::codec;
use crate::database::Database;
use crate::recent::runs::{RunId, Runs};

/// If a user has at least this number of rows in one run, the reader checks whether older runs can
/// be skipped. With fewer rows, reading the older runs is cheap.
const MANY_ROWS: usize = 512;

/// The newest time in each run that gets no more rows. All readers share these times, because
/// finding the time of a run takes a read of all its rows.
#[derive(Default)]
pub(crate) struct RunTimes(Mutex<HashMap<RunId, Timestamp>>);

/// The newest message of a conversation about which the user has an entry in a run.
#[derive(Clone, Copy)]
pub(crate) struct RecentMessage {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    /// The run of the entry.
    pub(crate) run: RunId,
}

/// The newest message of each conversation about which the user has entries in runs.
pub(crate) struct RecentActivity {
    /// The newest message, by the `ref` of the conversation. If the user's entries in runs include
    /// a message of a conversation, they include its newest message, because the oldest entries
    /// expire first.
    pub(crate) newest: HashMap<i64, RecentMessage>,
    /// Whether older runs were skipped. A conversation whose newest message is in a skipped run is
    /// not on the page.
    pub(crate) is_partial: bool,
    /// The minimum last activity of a conversation on the page; `None` for no minimum.
    pub(crate) min_activity: Option<Timestamp>,
}

impl RecentActivity {
    /// Reads the user's entries in the runs of both generations, for a page of up to `limit`
    /// conversations after a cursor. Entries that are merged are read
    /// as well, because an entry may be merged earlier than the row of its message in the
    /// conversation.
    pub(crate) fn read(
        connection: &Database,
        runs: &Runs,
        run_times: &RunTimes,
        user_ref: i64,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Result<Self> {
        let mut recent = Self { newest: HashMap::new(), is_partial: false, min_activity: None };
        // Runs are read from the newest to the oldest, and the entries of a run also. So the first
        // entry that is found for a conversation is its newest.
        let mut remaining_runs: Vec<RunId> = runs.run_ids().collect();
        while let Some(run) = remaining_runs.pop() {
            let rows = recent.add_run(connection, user_ref, run)?;
            if rows >= MANY_ROWS {
                recent.min_activity = recent.min_activity_of_page(after, limit);
                if recent.min_activity.is_some()
                    && run_times.newest_time(connection, &remaining_runs)? < recent.min_activity
                {
                    recent.is_partial = !remaining_runs.is_empty();
                    break;
                }
            }
        }
        Ok(recent)
    }

    /// Adds the messages of the user's entries in one run. Returns the number of rows read.
    fn add_run(&mut self, connection: &Database, user_ref: i64, run: RunId) -> Result<usize> {
        let table = run.table();
        let mut select = connection.prepare_cached(&format!(
            "SELECT conversation, conversation_seq, at FROM dm_recent_inbox_{table}
             WHERE run = +?1 AND user = +?2 AND conversation IS NOT NULL ORDER BY seq DESC"
        ))?;
        let mut rows = select.query([run.number, user_ref])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            if let Entry::Vacant(first) = self.newest.entry(row.get(0)?) {
                first.insert(RecentMessage { seq: row.get(1)?, at: codec::get_time(row, 2)?, run });
            }
            count += 1;
        }
        Ok(count)
    }

    /// The last activity of the page's last conversation. `None` if the conversations in `newest`
    /// do not fill the page.
    fn min_activity_of_page(&self, after: Option<ConversationCursor>, limit: usize) -> Option<Timestamp> {
        let before = after.map(|after| after.last_activity);
        let times = self.newest.values().map(|message| message.at);
        let mut times: Vec<Timestamp> =
            times.filter(|at| before.is_none_or(|before| Some(*at) < before)).collect();
        // In ascending order, this is the index of the page's last time.
        let index = times.len().checked_sub(limit)?;
        (index < times.len()).then(|| *times.select_nth_unstable(index).1)
    }
}

impl RunTimes {
    /// The newest time in `runs`, none of which gets more rows. `None` when they have no rows.
    fn newest_time(&self, connection: &Database, runs: &[RunId]) -> Result<Option<Timestamp>> {
        // No code panics while it holds this lock, so a poisoned lock has a complete map.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        let mut newest = None;
        for run in runs {
            let at = match known.get(run) {
                Some(at) => Some(*at),
                None => newest_time_in_run(connection, *run)?,
            };
            if let Some(at) = at.filter(|_| !known.contains_key(run)) {
                // Generations before the previous one are deleted from the file, so their times
                // are dropped.
                let mut known = lock();
                known.retain(|known, _| known.generation >= run.generation - 1);
                known.insert(*run, at);
            }
            newest = newest.max(at);
        }
        Ok(newest)
    }
}

/// The newest time in one run. `None` when it has no rows.
fn newest_time_in_run(connection: &Database, run: RunId) -> Result<Option<Timestamp>> {
    let table = run.table();
    // Times above `i64::MAX` are stored as negative numbers. They are the newest.
    let mut select = connection.prepare_cached(&format!(
        "SELECT at FROM dm_recent_inbox_{table} WHERE run = +?1 ORDER BY at < 0 DESC, at DESC LIMIT 1"
    ))?;
    select.query_row([run.number], |row| codec::get_time(row, 0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use crate::table_prefix::TablePrefix;

    #[test]
    fn times_of_deleted_generations_are_dropped() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let database = Database::new(connection, TablePrefix::default());
        schema::migrate(&database).unwrap();
        for (table, at) in [(0, 5), (1, 7)] {
            let row =
                format!("INSERT INTO dm_recent_inbox_{table} (run, user, seq, at) VALUES (0, 1, 1, {at})");
            database.execute(&row, []).unwrap();
        }
        let run_times = RunTimes::default();
        let run = |generation| RunId { generation, number: 0 };
        let newest =
            |runs: &[RunId]| run_times.newest_time(&database, runs).unwrap().map(Timestamp::as_millis);
        assert_eq!(newest(&[run(0), run(1)]), Some(7));
        assert_eq!(newest(&[run(2)]), Some(5), "generation 2 has the table of generation 0");
        let mut known: Vec<RunId> = run_times.0.lock().unwrap().keys().copied().collect();
        known.sort_unstable();
        assert_eq!(known, [run(1), run(2)]);
    }
}
