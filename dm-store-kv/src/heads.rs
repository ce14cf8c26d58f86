//! The newest numbers, kept in memory so that a send looks nothing up.

use std::num::NonZeroUsize;

use dm_core::store::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};
use lru::LruCache;

use crate::codec::{Fields, Note};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _, Rows};
use crate::session::Session;
use crate::tables::Tables;

/// The newest numbers of users and conversations written to lately. Only ever a copy of what the
/// tables say: an engine [clears](Self::clear) it when a batch fails, and when anybody else may
/// have written.
pub struct Heads {
    users: LruCache<UserId, UserHead>,
    conversations: LruCache<ConversationId, ConversationHead>,
    /// Whether tables get a note of the newest number of what is forgotten.
    notes: bool,
    /// The session that notes are written in, from its first batch.
    session: Option<Session>,
    /// The row of the next message.
    next_row: Option<u64>,
    /// A key of the oldest inboxes below which there is none. What expired was there and left
    /// tombstones: without this, every step of expiry walks over all of them.
    oldest: [u8; 12],
}

/// A user, as far as appending to their inbox needs to know them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserHead {
    pub(crate) user_ref: u32,
    pub(crate) head: InboxSeq,
    pub(crate) floor: InboxSeq,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
}

/// A conversation, as far as appending to it needs to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConversationHead {
    pub(crate) conversation_ref: u32,
    /// Of the participants.
    pub(crate) refs: [u32; 2],
    pub(crate) participants: Participants,
    pub(crate) head: ServerSequence,
    /// Whether the tables have a note of this head.
    pub(crate) is_noted: bool,
}

impl UserHead {
    /// Whether the inbox holds no entry.
    pub(crate) fn is_empty(self) -> bool {
        self.head == self.floor
    }
}

impl Heads {
    /// Bytes that a conversation and a user take in memory together, at most: mostly some 250,
    /// and more when the table of a map has doubled because of those that made room for others.
    pub const BYTES: usize = 320;

    /// Nothing known yet. In so many bytes at most, whole multiples of [`BYTES`](Self::BYTES), it
    /// remembers as many conversations as users; one of each in any case.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let remembered = NonZeroUsize::new(bytes / Self::BYTES).unwrap_or(NonZeroUsize::MIN);
        Self {
            users: LruCache::new(remembered),
            conversations: LruCache::new(remembered),
            notes: false,
            session: None,
            next_row: None,
            oldest: [0; 12],
        }
    }

    /// With a note of its newest number in the tables for each user and each conversation that is
    /// forgotten to make room: for engines on which finding the last of some rows takes longer than
    /// finding one by its key. Nobody else may write to the tables.
    #[must_use]
    pub fn noting(self) -> Self {
        Self { notes: true, ..self }
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        if self.notes && self.session.is_none() {
            self.session = Some(Session::begin(&mut tables.schema)?);
        }
        Ok(())
    }

    /// A note of a number, on engines that have them.
    pub(crate) fn note(&self, number: u64) -> Option<Note> {
        self.session.map(|session| session.note(number))
    }

    /// Forgets everything, to look it up again.
    pub fn clear(&mut self) {
        self.users.clear();
        self.conversations.clear();
        self.session = None;
        self.next_row = None;
        self.oldest = [0; 12];
    }

    /// Notes the newest numbers of all users and conversations that have moved since their last
    /// note, before the engine is closed. If that is not committed, everything is to be forgotten.
    ///
    /// # Errors
    /// What the engine says.
    pub fn note_all(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        let Some(session) = self.session.take() else { return Ok(()) };
        for (_, user) in self.users.iter_mut().filter(|(_, user)| !user.is_noted) {
            user.is_noted = true;
            tables.note_user(*user, session)?;
        }
        for (id, conversation) in self.conversations.iter_mut().filter(|(_, conversation)| !conversation.is_noted) {
            conversation.is_noted = true;
            tables.note_conversation(*id, *conversation, session)?;
        }
        session.close(&mut tables.schema)
    }

    /// Forgets one user, whose inbox was changed otherwise than by appending; the newest number
    /// that was known.
    pub(crate) fn forget_user(&mut self, user: UserId) -> Option<InboxSeq> {
        self.users.pop(&user).map(|known| known.head)
    }

    /// Adds a user who was not known. To make room, another one may be forgotten.
    pub(crate) fn insert_user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
        head: UserHead,
    ) -> Result<(), Failure> {
        match (self.users.push(user, head), self.session) {
            (Some((_, forgotten)), Some(session)) if !forgotten.is_noted => {
                tables.note_user(forgotten, session)
            }
            _ => Ok(()),
        }
    }

    /// Adds a conversation, likewise.
    pub(crate) fn insert_conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
        head: ConversationHead,
    ) -> Result<(), Failure> {
        match (self.conversations.push(id, head), self.session) {
            (Some((id, forgotten)), Some(session)) if !forgotten.is_noted => {
                tables.note_conversation(id, forgotten, session)
            }
            _ => Ok(()),
        }
    }

    /// Changes what is known of a user who was just looked up, without another change of the order,
    /// which would be half of what these maps cost a send. If they were forgotten meanwhile, the
    /// note that was left is not right any more: they are remembered again.
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

    /// Changes what is known of a conversation, likewise.
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

    /// Notes a new key of the oldest inboxes.
    pub(crate) fn note_oldest(&mut self, key: [u8; 12]) {
        self.oldest = self.oldest.min(key);
    }

    /// The first key of the oldest inboxes.
    pub(crate) fn expiry_begins(&mut self, tables: &Tables<impl Rows>) -> Result<Option<[u8; 12]>, Failure> {
        let Some(row) = tables.oldest.scan(&self.oldest, &[u8::MAX; 12])?.next() else { return Ok(None) };
        self.oldest = Fields::new(&row?.0).last(Fields::bytes)?;
        Ok(Some(self.oldest))
    }

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

    pub(crate) fn conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
    ) -> Result<Option<ConversationHead>, Failure> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(*known));
        }
        let Some(found) = tables.conversation_head(id, self.session)? else { return Ok(None) };
        // A message to the conversation needs both next, and here their refs are at hand.
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

    /// A row for one more message.
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
