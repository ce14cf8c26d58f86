//! [`Statements`], the prepared statements of a send, which one batch uses many times.

use rusqlite::{CachedStatement, Result};

use crate::database::Database;

/// Prepared statements. Each is looked up by its text once per batch. A look-up for each message
/// took 7 % of the time of the commit thread.
pub(super) struct Statements<'a> {
    connection: &'a Database,
    /// The index (0 or 1) of the tables that hold the growing generation.
    growing_table: i64,
    client_id: Option<CachedStatement<'a>>,
    message: Option<CachedStatement<'a>>,
    sequence: Option<CachedStatement<'a>>,
    message_entry: Option<CachedStatement<'a>>,
    notice_entry: Option<CachedStatement<'a>>,
}

impl<'a> Statements<'a> {
    pub(super) const fn new(connection: &'a Database, growing_table: i64) -> Self {
        Self {
            connection,
            growing_table,
            client_id: None,
            message: None,
            sequence: None,
            message_entry: None,
            notice_entry: None,
        }
    }

    /// Inserts `client_id, sender, message`. Inserts nothing if the sender used the client id
    /// before.
    pub(super) fn client_id(&mut self) -> Result<&mut CachedStatement<'a>> {
        let sql = "INSERT OR IGNORE INTO dm_client_ids (client_id, sender, message) VALUES (?1, ?2, ?3)";
        prepared(&mut self.client_id, self.connection, sql)
    }

    /// Inserts `ref, id, conversation, seq, sender, sender_seq, recipient_seq, client_id, sent_at,
    /// received_at, suite, nonce, ephemeral, payload, sender_sequence`.
    pub(super) fn message(&mut self) -> Result<&mut CachedStatement<'a>> {
        let sql = "INSERT INTO dm_messages (ref, id, conversation, seq, sender, sender_seq, recipient_seq, client_id,
                                            sent_at, received_at, suite, nonce, ephemeral, payload, sender_sequence)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        prepared(&mut self.message, self.connection, sql)
    }

    /// Inserts `run, conversation, seq, message, at, counts`.
    pub(super) fn sequence(&mut self) -> Result<&mut CachedStatement<'a>> {
        let sql = if self.growing_table == 0 {
            "INSERT INTO dm_recent_sequence_0 (run, conversation, seq, message, at, counts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        } else {
            "INSERT INTO dm_recent_sequence_1 (run, conversation, seq, message, at, counts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        };
        prepared(&mut self.sequence, self.connection, sql)
    }

    /// Inserts `run, user, seq, at, message, origin, conversation, conversation_seq`.
    pub(super) fn message_entry(&mut self) -> Result<&mut CachedStatement<'a>> {
        let sql = if self.growing_table == 0 {
            "INSERT INTO dm_recent_inbox_0 (run, user, seq, at, message, origin, conversation, conversation_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        } else {
            "INSERT INTO dm_recent_inbox_1 (run, user, seq, at, message, origin, conversation, conversation_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        };
        prepared(&mut self.message_entry, self.connection, sql)
    }

    /// Inserts `run, user, seq, at, notice, origin, addressee`.
    pub(super) fn notice_entry(&mut self) -> Result<&mut CachedStatement<'a>> {
        let sql = if self.growing_table == 0 {
            "INSERT INTO dm_recent_inbox_0 (run, user, seq, at, notice, origin, addressee)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        } else {
            "INSERT INTO dm_recent_inbox_1 (run, user, seq, at, notice, origin, addressee)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        };
        prepared(&mut self.notice_entry, self.connection, sql)
    }
}

/// The statement in `slot`. Prepares it at the first call.
fn prepared<'s, 'a>(
    slot: &'s mut Option<CachedStatement<'a>>,
    connection: &'a Database,
    sql: &str,
) -> Result<&'s mut CachedStatement<'a>> {
    match slot {
        Some(statement) => Ok(statement),
        none => Ok(none.insert(connection.prepare_cached(sql)?)),
    }
}
