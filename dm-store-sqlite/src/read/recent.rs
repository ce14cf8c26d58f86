//! What the recent rows of a user tell of their conversations.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use dm_core::store::{ConversationsQuery, Timestamp};
use rusqlite::{OptionalExtension, Result};

use crate::codec;
use crate::database::Database;
use crate::runs::Layout;

/// Rows of one user in one run from which on it pays to ask whether older runs can be left out.
const MANY: usize = 512;

/// A run: of which generation, and its number in that.
type RunId = (i64, i64);

/// When the newest entry of each run that gets no more rows was written. Kept for all readers,
/// because finding out takes a look at all of its rows.
#[derive(Default)]
pub(crate) struct Sealed(Mutex<HashMap<RunId, Timestamp>>);

/// The newest message in each conversation in which a user has recent entries.
pub(super) struct Recent {
    /// By conversation: its number and time. The conversation's newest message is among the entries
    /// if any of it is, because they expire from the oldest.
    pub(super) newest: HashMap<i64, (i64, Timestamp)>,
    /// Whether older runs were left out. Then no conversation whose newest message is only there
    /// can be on the page.
    pub(super) is_partial: bool,
    /// No conversation of the page has its last activity before this.
    pub(super) at_least: Option<Timestamp>,
}

impl Recent {
    /// Looks at both generations: some rows may be moved for the user and not yet for the
    /// conversation.
    pub(super) fn read(
        connection: &Database,
        layout: &Layout,
        sealed: &Sealed,
        user_ref: i64,
        query: &ConversationsQuery,
    ) -> Result<Self> {
        let mut recent = Self { newest: HashMap::new(), is_partial: false, at_least: None };
        // From the newest run to the oldest, and in each from the newest entry on, so that the
        // first is the newest.
        let mut left: Vec<RunId> = layout.run_ids().collect();
        while let Some(run) = left.pop() {
            let rows = recent.add(connection, user_ref, run)?;
            if rows >= MANY {
                recent.at_least = recent.least_of_page(query);
                if recent.at_least.is_some() && sealed.newest(connection, &left)? < recent.at_least {
                    recent.is_partial = !left.is_empty();
                    break;
                }
            }
        }
        Ok(recent)
    }

    fn add(&mut self, connection: &Database, user_ref: i64, (generation, run): RunId) -> Result<usize> {
        let table = generation & 1;
        let mut select = connection.prepare_cached(&format!(
            "SELECT conversation, conversation_seq, at FROM dm_recent_inbox_{table}
             WHERE run = +?1 AND user = +?2 AND conversation IS NOT NULL ORDER BY seq DESC"
        ))?;
        let mut rows = select.query([run, user_ref])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            if let Entry::Vacant(first) = self.newest.entry(row.get(0)?) {
                first.insert((row.get(1)?, codec::get_time(row, 2)?));
            }
            count += 1;
        }
        Ok(count)
    }

    /// The last activity of the last conversation of the page, if those known so far fill it.
    fn least_of_page(&self, query: &ConversationsQuery) -> Option<Timestamp> {
        let before = query.after.map(|after| after.last_activity);
        let times = self.newest.values().map(|(_, at)| *at);
        let mut times: Vec<Timestamp> =
            times.filter(|at| before.is_none_or(|before| Some(*at) < before)).collect();
        let place = times.len().checked_sub(query.limit)?;
        (place < times.len()).then(|| *times.select_nth_unstable(place).1)
    }
}

impl Sealed {
    /// When the newest entry of these runs was written, all of which get no more rows.
    fn newest(&self, connection: &Database, runs: &[RunId]) -> Result<Option<Timestamp>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        let mut newest = None;
        for run in runs {
            let at = match known.get(run) {
                Some(at) => Some(*at),
                None => newest_of(connection, *run)?,
            };
            if let Some(at) = at.filter(|_| !known.contains_key(run)) {
                // What is older than these will not be asked for again.
                let mut known = lock();
                known.retain(|(generation, _), _| *generation >= run.0 - 1);
                known.insert(*run, at);
            }
            newest = newest.max(at);
        }
        Ok(newest)
    }
}

fn newest_of(connection: &Database, (generation, run): RunId) -> Result<Option<Timestamp>> {
    let table = generation & 1;
    // Times are unsigned, and SQLite has none: those above its highest number are its lowest.
    let mut select = connection.prepare_cached(&format!(
        "SELECT at FROM dm_recent_inbox_{table} WHERE run = +?1 ORDER BY at < 0 DESC, at DESC LIMIT 1"
    ))?;
    select.query_row([run], |row| codec::get_time(row, 0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::TablePrefix;
    use crate::schema;

    #[test]
    fn times_of_generations_that_are_gone_are_forgotten() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let database = Database::new(connection, TablePrefix::default());
        schema::migrate(&database).unwrap();
        for (table, at) in [(0, 5), (1, 7)] {
            let row =
                format!("INSERT INTO dm_recent_inbox_{table} (run, user, seq, at) VALUES (0, 1, 1, {at})");
            database.execute(&row, []).unwrap();
        }
        let sealed = Sealed::default();
        let newest = |runs: &[RunId]| sealed.newest(&database, runs).unwrap().map(Timestamp::as_millis);
        assert_eq!(newest(&[(0, 0), (1, 0)]), Some(7));
        assert_eq!(newest(&[(2, 0)]), Some(5), "in the same table as generation 0");
        let mut known: Vec<RunId> = sealed.0.lock().unwrap().keys().copied().collect();
        known.sort_unstable();
        assert_eq!(known, [(1, 0), (2, 0)]);
    }
}
