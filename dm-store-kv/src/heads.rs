//! The newest numbers in memory, so that a send needs no look-ups in the tables.

use std::num::NonZeroUsize;

use dm_core::store::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};
use lru::LruCache;

use crate::codec::{Fields, Note};
use crate::failure::Failure;
use crate::rows::{Changes, Rows, RowsExt as _};
use crate::session::Session;
use crate::tables::Tables;

/// The newest numbers of users and conversations that were written to lately. They are a copy of
/// what the tables say: an engine [clears](Self::clear) them when a batch fails, and when another
/// writer may have changed the tables.
pub struct Heads {
    users: LruCache<UserId, UserHead>,
    conversations: LruCache<ConversationId, ConversationHead>,
    /// Whether the newest number of each user and conversation that is dropped is noted in the
    /// tables.
    notes: bool,
    /// The session of new notes. It begins with the first batch.
    session: Option<Session>,
    /// The number of the next message's row, if it is known.
    next_row: Option<u64>,
    /// A key in `oldest` below which there is no row. Expired rows left tombstones below it, and
    /// without this key every step of expiry walks over all of them.
    oldest: [u8; 12],
}

/// The newest numbers of a user's inbox, for appending to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserHead {
    pub(crate) user_ref: u32,
    /// The newest entry.
    pub(crate) head: InboxSeq,
    /// The newest entry that expired.
    pub(crate) floor: InboxSeq,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
}

/// The newest number and the participants of a conversation, for appending to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConversationHead {
    pub(crate) conversation_ref: u32,
    /// The refs of the participants.
    pub(crate) refs: [u32; 2],
    pub(crate) participants: Participants,
    /// The newest message.
    pub(crate) head: ServerSequence,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
}

impl UserHead {
    /// Whether the inbox has no entries.
    pub(crate) fn is_empty(self) -> bool {
        self.head == self.floor
    }
}

impl Heads {
    /// The most bytes that a conversation and a user take in memory together. Mostly they take some
    /// 250, and more when a hash table has doubled because of removed entries.
    pub const BYTES: usize = 320;

    /// Empty heads, for at most so many bytes of memory. They hold one conversation and one user
    /// for each [`BYTES`](Self::BYTES), and at least one of each.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let capacity = NonZeroUsize::new(bytes / Self::BYTES).unwrap_or(NonZeroUsize::MIN);
        Self {
            users: LruCache::new(capacity),
            conversations: LruCache::new(capacity),
            notes: false,
            session: None,
            next_row: None,
            oldest: [0; 12],
        }
    }

    /// The heads with notes: when a user or a conversation is dropped for another one, its newest
    /// number is written to the tables. For engines on which finding the last row of an owner takes
    /// longer than finding a row by its key. The engine must be the only writer of the tables.
    #[must_use]
    pub fn noting(self) -> Self {
        Self { notes: true, ..self }
    }

    /// Begins a batch, and the session if there is none.
    pub(crate) fn begin(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        if self.notes && self.session.is_none() {
            self.session = Some(Session::begin(&mut tables.schema)?);
        }
        Ok(())
    }

    /// A note of a number; `None` for an engine without notes.
    pub(crate) fn note(&self, number: u64) -> Option<Note> {
        self.session.map(|session| session.note(number))
    }

    /// Drops everything, so that it is looked up in the tables again.
    pub fn clear(&mut self) {
        self.users.clear();
        self.conversations.clear();
        self.session = None;
        self.next_row = None;
        self.oldest = [0; 12];
    }

    /// Notes all newest numbers that have changed since their last note, and ends the session. An
    /// engine calls this before it closes, and commits the changes. If the commit fails, it clears
    /// the heads. Without [`noting`](Self::noting) nothing is written.
    ///
    /// # Errors
    /// An error of the engine.
    pub fn note_all(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        let Some(session) = self.session.take() else { return Ok(()) };
        for (_, user) in self.users.iter_mut().filter(|(_, user)| !user.is_noted) {
            user.is_noted = true;
            tables.note_user(*user, session)?;
        }
        for (id, conversation) in
            self.conversations.iter_mut().filter(|(_, conversation)| !conversation.is_noted)
        {
            conversation.is_noted = true;
            tables.note_conversation(*id, *conversation, session)?;
        }
        session.close(&mut tables.schema)
    }

    /// Drops a user whose inbox was changed otherwise than by appending. Returns the newest number,
    /// if it was known.
    pub(crate) fn remove_user(&mut self, user: UserId) -> Option<InboxSeq> {
        self.users.pop(&user).map(|known| known.head)
    }

    /// Adds a user. Another one may be dropped for it, and is noted then.
    pub(crate) fn insert_user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
        head: UserHead,
    ) -> Result<(), Failure> {
        match (self.users.push(user, head), self.session) {
            (Some((_, dropped)), Some(session)) if !dropped.is_noted => tables.note_user(dropped, session),
            _ => Ok(()),
        }
    }

    /// Adds a conversation. Another one may be dropped for it, and is noted then.
    pub(crate) fn insert_conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
        head: ConversationHead,
    ) -> Result<(), Failure> {
        match (self.conversations.push(id, head), self.session) {
            (Some((id, dropped)), Some(session)) if !dropped.is_noted => {
                tables.note_conversation(id, dropped, session)
            }
            _ => Ok(()),
        }
    }

    /// Changes a user who was just looked up, without moving them to the front of the map again,
    /// which would be half of the maps' cost for a send. If the user was dropped meanwhile, the
    /// note that was written then is outdated now, so the user is added again.
    pub(crate) fn update_user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
        head: UserHead,
    ) -> Result<(), Failure> {
        match self.users.peek_mut(&user) {
            Some(known) => *known = head,
            None => self.insert_user(tables, user, head)?,
        }
        Ok(())
    }

    /// Changes a conversation, as [`update_user`](Self::update_user) does a user.
    pub(crate) fn update_conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
        head: ConversationHead,
    ) -> Result<(), Failure> {
        match self.conversations.peek_mut(&id) {
            Some(known) => *known = head,
            None => self.insert_conversation(tables, id, head)?,
        }
        Ok(())
    }

    /// Lowers the bound of [`first_oldest`](Self::first_oldest) to a key that was added to `oldest`.
    pub(crate) fn oldest_added(&mut self, key: [u8; 12]) {
        self.oldest = self.oldest.min(key);
    }

    /// The first key in `oldest`.
    pub(crate) fn first_oldest(&mut self, tables: &Tables<impl Rows>) -> Result<Option<[u8; 12]>, Failure> {
        let Some(row) = tables.oldest.scan(&self.oldest, &[u8::MAX; 12])?.next() else { return Ok(None) };
        self.oldest = Fields::new(&row?.0).last(Fields::bytes)?;
        Ok(Some(self.oldest))
    }

    /// The head of a user, from memory or from the tables; `None` for a user without a ref.
    pub(crate) fn user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
    ) -> Result<Option<UserHead>, Failure> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Some(*known));
        }
        let Some(user_ref) = tables.user_ref(user)? else { return Ok(None) };
        let found = tables.user_head(user_ref, self.session)?;
        self.insert_user(tables, user, found)?;
        Ok(Some(found))
    }

    /// The head of a conversation, from memory or from the tables; `None` if there is none.
    pub(crate) fn conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
    ) -> Result<Option<ConversationHead>, Failure> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(*known));
        }
        let Some(found) = tables.conversation_head(id, self.session)? else { return Ok(None) };
        // A message to the conversation needs both users next, and their refs are known here.
        let ConversationHead { participants, refs: [a, b], .. } = found;
        for (user, user_ref) in [(participants.a(), a), (participants.b(), b)] {
            if !self.users.contains(&user) {
                let user_found = tables.user_head(user_ref, self.session)?;
                self.insert_user(tables, user, user_found)?;
            }
        }
        self.insert_conversation(tables, id, found)?;
        Ok(Some(found))
    }

    /// The number of the row of a new message.
    pub(crate) fn take_row(&mut self, tables: &Tables<impl Rows>) -> Result<u64, Failure> {
        let row = match self.next_row {
            Some(row) => row,
            None => {
                let last = tables.messages.last_in(&[], &[u8::MAX; 9], |key, _| key.last(Fields::u64))?;
                last.unwrap_or(0).checked_add(1).ok_or(Failure::Exhausted)?
            }
        };
        self.next_row = Some(row.checked_add(1).ok_or(Failure::Exhausted)?);
        Ok(row)
    }
}

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (users, conversations) = (self.users.len(), self.conversations.len());
        f.debug_struct("Heads").field("users", &users).field("conversations", &conversations).finish()
    }
}
