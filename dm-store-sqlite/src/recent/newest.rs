//! [`NewestNumbers`], the newest numbers of the rows in runs, kept in memory. A run is a small
//! group of new rows ([`recent`](crate::recent)).

use std::collections::HashMap;

use rusqlite::Result;

use crate::database::Database;

/// The run that holds a row: the index (0 or 1) of the tables, and the number of the run in them.
pub(crate) type TableRun = (i64, i64);

/// The newest number of each inbox and of each conversation that has rows in runs.
///
/// A look-up in memory replaces a look-up in each of up to 32 runs (16 in each generation). There
/// are at most as many numbers as rows in runs. The numbers are always equal to those in the file.
pub(crate) struct NewestNumbers([GenerationNumbers; 2]);

/// The newest numbers of the rows of one generation. A number stays valid after its row is merged
/// or expires. All numbers are dropped when the generation is deleted.
struct GenerationNumbers {
    /// By the `ref` of the user.
    entries: HashMap<i64, i64>,
    /// The newest number and its run, by the `ref` of the conversation.
    messages: HashMap<i64, (i64, i64)>,
}

impl NewestNumbers {
    /// Reads the numbers from all rows in runs.
    pub(crate) fn read(connection: &Database) -> Result<Self> {
        Ok(Self([GenerationNumbers::read(connection, 0)?, GenerationNumbers::read(connection, 1)?]))
    }

    /// The number of a user's newest entry in runs, which may have expired.
    pub(crate) fn entry(&self, user_ref: i64) -> Option<i64> {
        let [even, odd] = &self.0;
        even.entries.get(&user_ref).max(odd.entries.get(&user_ref)).copied()
    }

    /// The number of a conversation's newest message in runs, and the run that holds it.
    pub(crate) fn message(&self, conversation_ref: i64) -> Option<(i64, TableRun)> {
        let [even, odd] = &self.0;
        let message = |generation: &GenerationNumbers, table| {
            generation.messages.get(&conversation_ref).map(|(seq, run)| (*seq, (table, *run)))
        };
        message(even, 0).max(message(odd, 1))
    }

    /// Sets a user's newest number in the generation with table index `table`.
    pub(crate) fn insert_entry(&mut self, table: i64, user_ref: i64, seq: i64) {
        self.generation(table).entries.insert(user_ref, seq);
    }

    /// Sets a conversation's newest number, and the run that holds it.
    pub(crate) fn insert_message(&mut self, (table, run): TableRun, conversation_ref: i64, seq: i64) {
        self.generation(table).messages.insert(conversation_ref, (seq, run));
    }

    /// Drops the numbers of the generation with table index `table`. All its rows must be merged.
    pub(crate) fn clear(&mut self, table: i64) {
        let generation = self.generation(table);
        generation.entries.clear();
        generation.messages.clear();
    }

    const fn generation(&mut self, table: i64) -> &mut GenerationNumbers {
        let [even, odd] = &mut self.0;
        if table == 0 { even } else { odd }
    }
}

impl GenerationNumbers {
    fn read(connection: &Database, table: i64) -> Result<Self> {
        // The rows are in the order of runs. A later run has higher numbers, which replace those
        // of earlier runs in the map.
        let sql = format!(
            "SELECT user, max(seq) FROM dm_recent_inbox_{table} GROUP BY run, user ORDER BY run, user"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let entries =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<HashMap<_, _>>>()?;
        let sql = format!(
            "SELECT conversation, max(seq), run FROM dm_recent_sequence_{table}
             GROUP BY run, conversation ORDER BY run, conversation"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let messages = select
            .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
            .collect::<Result<_>>()?;
        Ok(Self { entries, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_a_generation_drops_its_numbers() {
        let generation = || GenerationNumbers { entries: HashMap::new(), messages: HashMap::new() };
        let mut newest = NewestNumbers([generation(), generation()]);
        newest.insert_entry(0, 1, 5);
        newest.insert_entry(1, 1, 6);
        newest.insert_message((0, 3), 2, 7);
        assert_eq!(
            (newest.entry(1), newest.message(2), newest.message(1)),
            (Some(6), Some((7, (0, 3))), None)
        );
        newest.clear(0);
        assert_eq!((newest.entry(1), newest.message(2)), (Some(6), None));
        assert!(newest.0[0].entries.is_empty() && newest.0[0].messages.is_empty());
    }
}
