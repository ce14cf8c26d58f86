//! The library's tables in redb. `dm-store-kv` documents the rows of all tables but `dm_schema`.
//!
//! Each table is a table of redb with keys and values of bytes, and its name begins with `dm_`. The
//! fewer pages a message changes, the faster it is stored. So the newest rows of `dm_sequence` and
//! `dm_inbox` are in runs, which are small tables ([`recent`](crate::recent)). Each run is a table
//! of redb, too: `dm_sequence_run_0` and so on.
//!
//! The table `dm_schema` belongs to this crate. Its keys are in ASCII:
//!
//! - `version`: the version of the schema, in 4 bytes.
//! - `commit`: the number of commits so far, in 8 bytes. By this number a store notices that
//!   another handle of the same database has written.
//! - `dm_sequence` and `dm_inbox`: the state of that table's runs, as
//!   [`Runs::encode`](crate::recent::runs::Runs::encode) writes it. Missing before the first run.

use dm_store_kv::{Failure, OldTables, Rows as _, Tables};
use redb::{ReadTransaction, WriteTransaction};

use crate::lazy_table::{LazyTable, Transaction};
use crate::recent::RecentRows;
use crate::recent::runs::Runs;
use crate::table_with_runs::TableWithRuns;

/// The name of the table with the version of the schema and the state of the runs.
pub(crate) const SCHEMA: &str = "dm_schema";

/// The name of the main table of conversations' messages, which has runs.
pub(crate) const SEQUENCE: &str = "dm_sequence";
/// The name of the main table of inbox entries, which has runs.
pub(crate) const INBOX: &str = "dm_inbox";

/// The names of all tables except the runs.
pub(crate) const NAMES: Tables<&str> = Tables {
    schema: SCHEMA,
    users: "dm_users",
    user_ids: "dm_user_ids",
    conversations: "dm_conversations",
    conversation_ids: "dm_conversation_ids",
    pairs: "dm_pairs",
    members: "dm_members",
    messages: "dm_messages",
    message_ids: "dm_message_ids",
    client_ids: "dm_client_ids",
    sequence: SEQUENCE,
    inbox: INBOX,
    floors: "dm_floors",
    oldest: "dm_oldest",
    devices: "dm_devices",
    acked: "dm_acked",
    records: "dm_records",
    due: "dm_due",
    revisions: "dm_revisions",
};

/// The names of the tables that versions 1 to 3 of the schema have, and later ones do not.
pub(crate) const OLD_NAMES: OldTables<&str> =
    OldTables { keys: "dm_keys", announcements: "dm_announcements" };

/// Opens the tables for a read.
pub(crate) fn read(
    transaction: &ReadTransaction,
) -> Result<Tables<TableWithRuns<&ReadTransaction>>, Failure> {
    // A read inserts no rows into runs, so the number of rows in a full run has no effect.
    open(transaction, |_| 0)
}

/// Opens the tables for a batch. A run of `dm_inbox` is full at `rows_per_run` rows.
pub(crate) fn write(
    transaction: &WriteTransaction,
    rows_per_run: u64,
) -> Result<Tables<TableWithRuns<&WriteTransaction>>, Failure> {
    // A message is one row of `dm_sequence` and two rows of `dm_inbox`. So a full run of
    // `dm_sequence` has half as many rows.
    open(transaction, |name| if name == SEQUENCE { rows_per_run.div_ceil(2) } else { rows_per_run })
}

/// Opens the tables. `rows_per_run` gives the number of rows in a full run of a table.
fn open<T: Transaction>(
    transaction: T,
    rows_per_run: impl Fn(&str) -> u64,
) -> Result<Tables<TableWithRuns<T>>, Failure> {
    let plain = NAMES.each(|name| TableWithRuns { main: LazyTable::new(transaction, *name), recent: None });
    let with_runs = |name: &'static str| {
        let runs = match plain.schema.get(name.as_bytes())? {
            Some(row) => Runs::decode(&row)?,
            None => Runs::NONE,
        };
        let recent = RecentRows::new(transaction, name, runs, rows_per_run(name));
        Ok::<_, Failure>(TableWithRuns { main: LazyTable::new(transaction, name), recent: Some(recent) })
    };
    let (sequence, inbox) = (with_runs(SEQUENCE)?, with_runs(INBOX)?);
    Ok(Tables { sequence, inbox, ..plain })
}
