//! The newest numbers, kept in memory so that a send looks nothing up.

use dm_core::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Result};

use crate::codec;
use crate::config::SqliteConfig;

/// What is known of users and conversations written to lately. Only ever a copy of what the file says: it is emptied
/// when a batch fails and when another connection wrote to the file.
pub(crate) struct Heads {
    users: LruCache<UserId, User>,
    threads: LruCache<ConversationId, Thread>,
}

/// A user, as far as appending to their inbox needs to know them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) user_ref: i64,
    pub(crate) head: InboxSeq,
    /// Whether the inbox holds no entry.
    pub(crate) is_empty: bool,
}

/// A conversation, as far as appending to it needs to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    pub(crate) thread_ref: i64,
    pub(crate) participants: Participants,
    pub(crate) head: ServerSequence,
}

impl Heads {
    pub(crate) fn new(config: &SqliteConfig) -> Self {
        Self { users: LruCache::new(config.heads), threads: LruCache::new(config.heads) }
    }

    pub(crate) fn clear(&mut self) {
        self.users.clear();
        self.threads.clear();
    }

    /// Forgets one user, whose inbox was changed otherwise than by appending.
    pub(crate) fn forget_user(&mut self, user: UserId) {
        self.users.pop(&user);
    }

    pub(crate) fn set_user(&mut self, user: UserId, head: User) {
        self.users.put(user, head);
    }

    pub(crate) fn set_thread(&mut self, id: ConversationId, head: Thread) {
        self.threads.put(id, head);
    }

    pub(crate) fn user(&mut self, connection: &Connection, user: UserId) -> Result<Option<User>> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Some(*known));
        }
        let found = read_user(connection, user)?;
        if let Some(found) = found {
            self.users.put(user, found);
        }
        Ok(found)
    }

    pub(crate) fn thread(&mut self, connection: &Connection, id: ConversationId) -> Result<Option<Thread>> {
        if let Some(known) = self.threads.get(&id) {
            return Ok(Some(*known));
        }
        let found = read_thread(connection, id)?;
        if let Some(found) = found {
            self.threads.put(id, found);
        }
        Ok(found)
    }
}

/// The newest number is that of the newest entry, or of the newest that expired when none is left.
fn read_user(connection: &Connection, user: UserId) -> Result<Option<User>> {
    connection
        .prepare_cached(
            "SELECT ref, inbox_floor, (SELECT max(seq) FROM dm_inbox WHERE user = ref) FROM dm_users WHERE pubkey = ?1",
        )?
        .query_row([user.as_bytes()], |row| {
            let newest: Option<i64> = row.get(2)?;
            let head = codec::get_seq(row, if newest.is_some() { 2 } else { 1 })?;
            Ok(User { user_ref: row.get(0)?, head, is_empty: newest.is_none() })
        })
        .optional()
}

fn read_thread(connection: &Connection, id: ConversationId) -> Result<Option<Thread>> {
    connection
        .prepare_cached(
            "SELECT c.ref, a.pubkey, b.pubkey,
                    coalesce((SELECT max(seq) FROM dm_sequence WHERE conversation = c.ref), 0)
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             WHERE c.id = +?1",
        )?
        .query_row([id.as_bytes()], |row| {
            Ok(Thread {
                thread_ref: row.get(0)?,
                participants: participants(row, 1)?,
                head: ServerSequence::new(codec::get_number(row, 3)?),
            })
        })
        .optional()
}

/// The pair in two columns of public keys.
pub(crate) fn participants(row: &rusqlite::Row<'_>, column: usize) -> Result<Participants> {
    Participants::new(codec::get_user(row, column)?, codec::get_user(row, column + 1)?)
        .map_err(|_| codec::damaged(column, rusqlite::types::Type::Blob, "one user twice"))
}
