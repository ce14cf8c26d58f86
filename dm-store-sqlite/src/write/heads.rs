//! [`Heads`], a cache of the newest numbers (heads) of inboxes and conversations, and of what else a
//! send compares, so that a send does not read them from the file.

use std::num::NonZeroUsize;

use dm_core::store::{
    ConversationId, Counts, Gate, InboxSeq, Participants, ServerSequence, Tag, UserGate, UserId,
};
use lru::LruCache;
use rusqlite::{Result, Row};

use crate::codec::{self, gate, record};
use crate::config::SqliteConfig;
use crate::database::Database;
use crate::recent::RecentRows;
use crate::recent::read::counts_in_run;

/// A cache of the users and conversations of the latest writes. The least recently used ones are
/// dropped. The values are always equal to those in the file, because the cache is cleared when a
/// batch fails and when another writer has changed the store's tables.
pub(super) struct Heads {
    users: LruCache<UserId, UserHead>,
    conversations: LruCache<ConversationId, ConversationHead>,
    /// The `ref` of the newest message; `None` until it is looked up.
    newest_message_ref: Option<i64>,
}

/// The values of a user that a send compares or changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserHead {
    pub(super) inbox: InboxHead,
    /// The tag of the user's fence.
    pub(super) fence: Option<Tag>,
    pub(super) gate: UserGate,
}

/// The values of a user that an append to the user's inbox needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct InboxHead {
    pub(super) user_ref: i64,
    /// The number of the newest entry. If the inbox is empty, the number of the newest expired
    /// entry.
    pub(super) head: InboxSeq,
    /// Whether the inbox holds no entry.
    pub(super) is_empty: bool,
}

/// The values of a conversation that a send compares or changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConversationHead {
    pub(super) conversation_ref: i64,
    pub(super) participants: Participants,
    /// The number of the newest message; zero before the first.
    pub(super) head: ServerSequence,
    /// The counts of both sides after that message.
    pub(super) counts: Counts,
    /// The tag of the conversation's fence.
    pub(super) fence: Option<Tag>,
    /// The gate of the pair.
    pub(super) gate: Gate,
}

impl Heads {
    /// An empty cache of the configured size.
    pub(super) fn new(config: &SqliteConfig) -> Self {
        let capacity = config.heads_bytes / SqliteConfig::HEAD_BYTES;
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self {
            users: LruCache::new(capacity),
            conversations: LruCache::new(capacity),
            newest_message_ref: None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.users.clear();
        self.conversations.clear();
        self.newest_message_ref = None;
    }

    #[cfg(test)]
    pub(super) fn holds(&self, users: usize, conversations: usize) -> bool {
        (self.users.len(), self.conversations.len()) == (users, conversations)
    }

    /// Drops a user whose inbox was changed by another write than an append.
    pub(super) fn forget_user(&mut self, user: UserId) {
        self.users.pop(&user);
    }

    pub(super) fn insert_user(&mut self, user: UserId, head: UserHead) {
        self.users.put(user, head);
    }

    pub(super) fn insert_conversation(&mut self, id: ConversationId, head: ConversationHead) {
        self.conversations.put(id, head);
    }

    /// A user that was just looked up, to update it. `None` if the user was dropped since then.
    ///
    /// The look-up has made this user the most recently used one. Doing that a second time would
    /// double the cost of these maps for a send.
    pub(super) fn user_mut(&mut self, user: UserId) -> Option<&mut UserHead> {
        self.users.peek_mut(&user)
    }

    /// A conversation, to update it, as [`user_mut`](Self::user_mut) returns a user.
    pub(super) fn conversation_mut(&mut self, id: ConversationId) -> Option<&mut ConversationHead> {
        self.conversations.peek_mut(&id)
    }

    /// The `ref` for the next message. Repeated calls return the same `ref` until
    /// [`set_newest_message_ref`](Self::set_newest_message_ref) is called.
    pub(super) fn next_message_ref(&mut self, connection: &Database) -> Result<i64> {
        let newest = match self.newest_message_ref {
            Some(newest) => newest,
            None => connection
                .prepare_cached("SELECT coalesce(max(ref), 0) FROM dm_messages")?
                .query_row([], |row| row.get(0))?,
        };
        self.newest_message_ref = Some(newest);
        Ok(newest + 1)
    }

    /// Sets the `ref` of the newest message.
    pub(super) fn set_newest_message_ref(&mut self, message_ref: i64) {
        self.newest_message_ref = Some(message_ref);
    }

    /// The values of a user, from the cache or the file. `None` if the user has no row.
    pub(super) fn user(
        &mut self,
        connection: &Database,
        recent: &mut RecentRows,
        user: UserId,
    ) -> Result<Option<UserHead>> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Some(*known));
        }
        let found = read_user_head(connection, recent, user)?;
        if let Some(found) = found {
            self.users.put(user, found);
        }
        Ok(found)
    }

    /// The values of a conversation, from the cache or the file. `None` if it does not exist.
    pub(super) fn conversation(
        &mut self,
        connection: &Database,
        recent: &mut RecentRows,
        id: ConversationId,
    ) -> Result<Option<ConversationHead>> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(*known));
        }
        let found = self.read_conversation(connection, recent, id)?;
        if let Some(found) = found {
            self.conversations.put(id, found);
        }
        Ok(found)
    }

    /// Reads a conversation from the file. Also reads its users that are not in memory, because a
    /// message to the conversation needs them next.
    fn read_conversation(
        &mut self,
        connection: &Database,
        recent: &mut RecentRows,
        id: ConversationId,
    ) -> Result<Option<ConversationHead>> {
        let mut select = connection.prepare_cached(
            "SELECT a.pubkey, b.pubkey, c.ref, c.head, c.counts, c.fence, c.gate,
                    a.ref, a.inbox_floor, a.inbox_head, a.fence, a.gate,
                    b.ref, b.inbox_floor, b.inbox_head, b.fence, b.gate
             FROM dm_conversations c JOIN dm_users a ON a.ref = c.a JOIN dm_users b ON b.ref = c.b
             WHERE c.id = +?1",
        )?;
        let mut rows = select.query([id.as_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let participants = codec::get_participants(row, 0)?;
        for (key, column) in [(0, 7), (1, 12)] {
            let user = codec::get_user(row, key)?;
            if !self.users.contains(&user) {
                self.users.put(user, user_head(connection, recent, row, column)?);
            }
        }
        let conversation_ref = row.get(2)?;
        let merged_head: i64 = row.get(3)?;
        let (head, counts) = match recent.newest_message(connection, conversation_ref)? {
            Some((newest, run)) if newest > merged_head => {
                (newest, counts_in_run(connection, run, conversation_ref, newest)?)
            }
            _ => (merged_head, gate::get_counts(row, 4)?),
        };
        let (fence, gate) = (record::get_tag(row, 5)?, gate::get_gate(row, 6)?);
        let head = ServerSequence::new(head.cast_unsigned());
        Ok(Some(ConversationHead { conversation_ref, participants, head, counts, fence, gate }))
    }
}

/// Reads a user from the file. `None` if the user has no row.
fn read_user_head(connection: &Database, recent: &mut RecentRows, user: UserId) -> Result<Option<UserHead>> {
    let mut select = connection
        .prepare_cached("SELECT ref, inbox_floor, inbox_head, fence, gate FROM dm_users WHERE pubkey = ?1")?;
    let mut rows = select.query([user.as_bytes()])?;
    rows.next()?.map(|row| user_head(connection, recent, row, 0)).transpose()
}

/// A user, from columns `ref, inbox_floor, inbox_head, fence, gate` starting at `column`.
fn user_head(
    connection: &Database,
    recent: &mut RecentRows,
    row: &Row<'_>,
    column: usize,
) -> Result<UserHead> {
    let (user_ref, floor, merged_head): (i64, i64, i64) =
        (row.get(column)?, row.get(column + 1)?, row.get(column + 2)?);
    let newest = recent.newest_entry(connection, user_ref)?.unwrap_or(merged_head);
    let head = InboxSeq::new(newest.max(floor).cast_unsigned());
    let (fence, gate) = (record::get_tag(row, column + 3)?, gate::get_user_gate(row, column + 4)?);
    Ok(UserHead { inbox: InboxHead { user_ref, head, is_empty: newest <= floor }, fence, gate })
}
