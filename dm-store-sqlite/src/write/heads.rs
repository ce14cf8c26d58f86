//! The newest numbers, kept in memory so that a send looks nothing up.

use dm_core::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};
use lru::LruCache;
use rusqlite::{OptionalExtension, Result, params};

use crate::codec;
use crate::config::SqliteConfig;
use crate::database::Database;
use crate::runs::Layout;

/// What is known of users and conversations written to lately. Only ever a copy of what the file says: it is emptied
/// when a batch fails and when another connection wrote to the file.
pub(crate) struct Heads {
    users: LruCache<UserId, User>,
    threads: LruCache<ConversationId, Thread>,
    /// The row of the newest message.
    message: Option<i64>,
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
        Self { users: LruCache::new(config.heads), threads: LruCache::new(config.heads), message: None }
    }

    pub(crate) fn clear(&mut self) {
        self.users.clear();
        self.threads.clear();
        self.message = None;
    }

    /// Forgets one user, whose inbox was changed otherwise than by appending.
    pub(crate) fn forget_user(&mut self, user: UserId) {
        self.users.pop(&user);
    }

    pub(crate) fn insert_user(&mut self, user: UserId, head: User) {
        self.users.put(user, head);
    }

    pub(crate) fn insert_thread(&mut self, id: ConversationId, head: Thread) {
        self.threads.put(id, head);
    }

    /// Changes what is known of a user who was just looked up. Without another change of the order, which would be half of
    /// what these maps cost a send; who was forgotten meanwhile stays so.
    pub(crate) fn update_user(&mut self, user: UserId, head: User) {
        if let Some(known) = self.users.peek_mut(&user) {
            *known = head;
        }
    }

    /// Changes what is known of a conversation, likewise.
    pub(crate) fn update_thread(&mut self, id: ConversationId, head: Thread) {
        if let Some(known) = self.threads.peek_mut(&id) {
            *known = head;
        }
    }

    /// The row of the next message. It stays the next until [`insert_message`](Self::insert_message).
    pub(crate) fn next_message(&mut self, connection: &Database) -> Result<i64> {
        let newest = match self.message {
            Some(newest) => newest,
            None => connection
                .prepare_cached("SELECT coalesce(max(ref), 0) FROM dm_messages")?
                .query_row([], |row| row.get(0))?,
        };
        self.message = Some(newest);
        Ok(newest + 1)
    }

    pub(crate) fn insert_message(&mut self, message_ref: i64) {
        self.message = Some(message_ref);
    }

    pub(crate) fn user(
        &mut self,
        connection: &Database,
        layout: &Layout,
        user: UserId,
    ) -> Result<Option<User>> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Some(*known));
        }
        let found = read_user(connection, layout, user)?;
        if let Some(found) = found {
            self.users.put(user, found);
        }
        Ok(found)
    }

    pub(crate) fn thread(
        &mut self,
        connection: &Database,
        layout: &Layout,
        id: ConversationId,
    ) -> Result<Option<Thread>> {
        if let Some(known) = self.threads.get(&id) {
            return Ok(Some(*known));
        }
        let found = read_thread(connection, layout, id)?;
        if let Some(found) = found {
            self.threads.put(id, found);
        }
        Ok(found)
    }
}

/// The newest number is that of the newest entry, or of the newest that expired when none is left.
fn read_user(connection: &Database, layout: &Layout, user: UserId) -> Result<Option<User>> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT ref, inbox_floor FROM dm_users WHERE pubkey = ?1")?
        .query_row([user.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((user_ref, floor)) = found else { return Ok(None) };
    let newest = newest_entry(connection, layout, user_ref, floor)?;
    let head = InboxSeq::new(newest.unwrap_or(floor).cast_unsigned());
    Ok(Some(User { user_ref, head, is_empty: newest.is_none() }))
}

/// The number of the newest entry of an inbox above the newest expired one.
pub(crate) fn newest_entry(
    connection: &Database,
    layout: &Layout,
    user_ref: i64,
    floor: i64,
) -> Result<Option<i64>> {
    let statement = "SELECT max(r.seq) FROM {rows} r WHERE {run} AND r.user = ?2 AND r.seq > ?3";
    for part in layout.inbox_of(user_ref, floor).rev() {
        let newest: Option<i64> = connection
            .prepare_cached(&part.of_inbox(statement))?
            .query_row(params![part.number(), user_ref, part.above], |row| row.get(0))?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The number and time of the newest message of a conversation that is not in the large tree yet.
pub(crate) fn newest_message(
    connection: &Database,
    layout: &Layout,
    thread_ref: i64,
) -> Result<Option<(i64, i64)>> {
    let statement = "SELECT r.seq, r.at FROM {rows} r WHERE {run} AND r.conversation = ?2 AND r.seq > ?3
                     ORDER BY r.seq DESC LIMIT 1";
    for part in layout.recent_of(thread_ref).rev() {
        let newest = connection
            .prepare_cached(&part.of_sequence(statement))?
            .query_row(params![part.number(), thread_ref, part.above], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

fn read_thread(connection: &Database, layout: &Layout, id: ConversationId) -> Result<Option<Thread>> {
    let found = connection
        .prepare_cached(
            "SELECT c.ref, a.pubkey, b.pubkey, c.head
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
        .optional()?;
    let Some(mut thread) = found else { return Ok(None) };
    if let Some((newest, _)) = newest_message(connection, layout, thread.thread_ref)? {
        thread.head = ServerSequence::new(newest.cast_unsigned());
    }
    Ok(Some(thread))
}

/// The pair in two columns of public keys.
pub(crate) fn participants(row: &rusqlite::Row<'_>, column: usize) -> Result<Participants> {
    Participants::new(codec::get_user(row, column)?, codec::get_user(row, column + 1)?)
        .map_err(|_| codec::damaged(column, rusqlite::types::Type::Blob, "one user twice"))
}
