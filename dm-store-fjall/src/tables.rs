//! Where the tables are: several share a keyspace of fjall, and the first byte of a key is the
//! number of the table. What their rows hold is documented in `dm-store-kv`.
//!
//! A keyspace costs a folder with files that are synced one after the other when it is made, and
//! one more thing to flush, so there are three for the eighteen tables. They were chosen among 1, 2
//! and 3, measured on two cores with `dm-bench send --store fjall --seconds 4`, three runs each,
//! and by opening a new folder five times:
//!
//! | keyspaces | opening | durable sends per second |
//! |---|---|---|
//! | all in one | 5 to 9 ms | 58,000, 61,000, 64,000 |
//! | messages; the others | 7 to 8 ms | 50,000, 58,000, 61,000 |
//! | messages; logs; the others | 10 to 12 ms | 67,000, 70,000, 70,000 |
//!
//! What the third one separates is what a message writes in the order of time from what it writes
//! all over the keys. With a keyspace per table, opening took 0.8 s.
//!
//! A log-structured tree writes every row twice at once (journal and memory) and again in each
//! merge; that rows are few and narrow matters the more. What is removed leaves a tombstone until a
//! merge drops it, and a scan steps over each one. So no scan begins below what is known to be
//! gone: an inbox is read from its floor, marks from the device's cursor.
//!
//! The schema's table has number 0 and, beside the row that is documented in `dm-store-kv`, one:
//! `version` in ASCII → schema version 4.

use fjall::config::CompressionPolicy;
use fjall::{Database, KeyspaceCreateOptions, OwnedWriteBatch, Snapshot};

use dm_store_kv::Tables;

use crate::config::FjallConfig;
use crate::rows::{BatchTable, SnapshotTable};
use crate::table::Table;

/// The keyspace of the messages.
const MESSAGES: &str = "dm_messages";

/// The keyspace of the logs of conversations and inboxes.
const LOGS: &str = "dm_logs";

/// The keyspace of all other tables.
pub(crate) const ROWS: &str = "dm_rows";

/// The names of all keyspaces.
pub(crate) const NAMES: [&str; 3] = [MESSAGES, LOGS, ROWS];

/// The first byte of the table that says how to read the others.
pub(crate) const SCHEMA_PREFIX: u8 = 0;

/// Opens the keyspaces, and makes those that are missing.
pub(crate) fn open(database: &Database, config: &FjallConfig) -> Result<Tables<Table>, fjall::Error> {
    let narrow = || KeyspaceCreateOptions::default().max_memtable_size(config.memtable_bytes);
    // Payloads are ciphertext: there is nothing to compress. They are not kept apart from their
    // keys either: with fjall's key-value separation, filling a store with a million messages was a
    // sixth slower (47,000 and 58,000 instead of 58,000 and 65,000 messages per second), because
    // rows of half a kilobyte that arrive in the order of their keys are hardly ever merged.
    let wide = || narrow().data_block_compression_policy(CompressionPolicy::disabled());
    let messages = database.keyspace(MESSAGES, wide)?;
    let logs = database.keyspace(LOGS, narrow)?;
    let rows = database.keyspace(ROWS, narrow)?;
    let table = |prefix| Table { keyspace: rows.clone(), prefix };
    let log = |prefix| Table { keyspace: logs.clone(), prefix };
    Ok(Tables {
        schema: table(SCHEMA_PREFIX),
        users: table(1),
        user_ids: table(2),
        keys: table(3),
        announcements: table(4),
        conversations: table(5),
        conversation_ids: table(6),
        pairs: table(7),
        members: table(8),
        messages: Table { keyspace: messages, prefix: 9 },
        message_ids: table(10),
        client_ids: table(11),
        sequence: log(12),
        inbox: log(13),
        floors: table(14),
        oldest: table(15),
        devices: table(16),
        acked: table(17),
    })
}

/// The tables in one state.
pub(crate) fn snapshot_tables<'a>(tables: &'a Tables<Table>, snapshot: &'a Snapshot) -> Tables<SnapshotTable<'a>> {
    tables.each(|table| SnapshotTable { snapshot, table })
}

/// The tables in one state, and what is changed about it.
pub(crate) fn batch_tables<'a>(tables: &'a Tables<Table>, snapshot: &'a Snapshot) -> Tables<BatchTable<'a>> {
    tables.each(|table| BatchTable::new(SnapshotTable { snapshot, table }))
}

/// How many rows are changed.
pub(crate) fn changed_rows(tables: &Tables<BatchTable<'_>>) -> usize {
    tables.each(BatchTable::len).all().into_iter().sum()
}

/// Puts all changes into the engine's batch.
pub(crate) fn write_to(tables: Tables<BatchTable<'_>>, batch: &mut OwnedWriteBatch) {
    for table in tables.all() {
        table.write_to(batch);
    }
}
