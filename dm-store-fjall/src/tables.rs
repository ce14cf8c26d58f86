//! The keyspaces, and the tables in them. Several tables share a keyspace of fjall, and the first
//! byte of a key is the number of the table. `dm-store-kv` documents the rows.
//!
//! The nineteen tables share only three keyspaces, because each keyspace costs time: when it is
//! created, its folder and files are synced one after the other, and its memory table is flushed
//! apart from the others. One, two and three keyspaces were measured on two cores, with three runs
//! of `dm-bench send --store fjall --seconds 4` for each, and by opening a new folder five times:
//!
//! | keyspaces | opening | durable sends per second |
//! |---|---|---|
//! | all in one | 5 to 9 ms | 58,000, 61,000, 64,000 |
//! | messages; the others | 7 to 8 ms | 50,000, 58,000, 61,000 |
//! | messages; logs; the others | 10 to 12 ms | 67,000, 70,000, 70,000 |
//!
//! The logs, which are the tables `sequence` and `inbox`, have a keyspace apart because their rows
//! are written at keys all over the keyspace. In other tables, such as `message_ids`, rows are
//! written in the order of their keys. With a keyspace for each table, opening took 0.8 s.
//!
//! A log-structured tree writes every row to the journal and to memory, and again in each merge. So
//! the number and the size of rows affect the speed more than in other engines. A removed row
//! leaves a tombstone until a merge drops it, and a walk steps over each tombstone. So a walk
//! begins above the rows that are known to be removed: a walk over an inbox begins at the inbox's
//! floor (its newest expired entry). A walk over a device's rows in `acked`, one for each entry
//! above the cursor that the device acknowledged individually, begins at the device's cursor. A walk
//! of a batch over the records under a prefix begins where the last one found the first record.
//!
//! The table `schema` has number 0. Besides the row `notes`, which `dm-store-kv` documents, it has
//! a row of this crate: `version` in ASCII → the schema's version, 4 bytes.

use fjall::config::CompressionPolicy;
use fjall::{Database, KeyspaceCreateOptions, OwnedWriteBatch, Snapshot};

use dm_store_kv::{OldTables, Tables};

use crate::config::FjallConfig;
use crate::rows::{BatchTable, SnapshotTable};
use crate::table::Table;

/// The keyspace of the messages.
const MESSAGES: &str = "dm_messages";

/// The keyspace of the logs, `sequence` and `inbox`.
const LOGS: &str = "dm_logs";

/// The keyspace of all other tables.
pub(crate) const ROWS: &str = "dm_rows";

/// The names of all keyspaces of the store.
pub(crate) const NAMES: [&str; 3] = [MESSAGES, LOGS, ROWS];

/// The first byte of keys in the table `schema`.
pub(crate) const SCHEMA_PREFIX: u8 = 0;

/// Opens the keyspaces, and creates missing ones.
pub(crate) fn open(database: &Database, config: &FjallConfig) -> Result<Tables<Table>, fjall::Error> {
    let narrow = || KeyspaceCreateOptions::default().max_memtable_size(config.memtable_bytes);
    // Payloads are ciphertext, which cannot be compressed. fjall's key-value separation is not
    // used, because rows of half a kilobyte that are written in the order of their keys are hardly
    // ever merged. With it, filling a store with a million messages was a sixth slower (47,000 and
    // 58,000 instead of 58,000 and 65,000 messages per second).
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
        records: table(18),
        due: table(19),
        revisions: table(20),
    })
}

/// The tables of schema versions 1 and 2 that later versions do not have. Their numbers are not
/// used again.
pub(crate) fn old_tables(tables: &Tables<Table>) -> OldTables<Table> {
    let table = |prefix| Table { keyspace: tables.schema.keyspace.clone(), prefix };
    OldTables { keys: table(3), announcements: table(4) }
}

/// All tables, to be read in a snapshot.
pub(crate) fn snapshot_tables<'a>(
    tables: &'a Tables<Table>,
    snapshot: &'a Snapshot,
) -> Tables<SnapshotTable<'a>> {
    tables.each(|table| SnapshotTable { snapshot, table })
}

/// All tables, to be changed by a batch. Rows that the batch does not change are read from the
/// snapshot.
pub(crate) fn batch_tables<'a>(tables: &'a Tables<Table>, snapshot: &'a Snapshot) -> Tables<BatchTable<'a>> {
    tables.each(|table| BatchTable::new(SnapshotTable { snapshot, table }))
}

/// The number of rows that a batch has changed in all tables.
pub(crate) fn changed_rows(tables: &Tables<BatchTable<'_>>) -> usize {
    tables.each(BatchTable::changed_rows).all().into_iter().sum()
}

/// Adds the changes of all tables to a batch of fjall.
pub(crate) fn write_to(tables: Tables<BatchTable<'_>>, batch: &mut OwnedWriteBatch) {
    for table in tables.all() {
        table.write_to(batch);
    }
}
