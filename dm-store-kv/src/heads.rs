//! [`Heads`]: heads in memory, so that a send needs no look-ups in the tables. A *head* is the
//! newest number of a conversation or of a user's inbox, with the other fields that a send needs,
//! such as counts, fence and gate. A *note* is a copy of this number in a row of the tables
//! ([`epoch`](crate::epoch)).

use std::num::NonZeroUsize;

use dm_core::store::{ConversationId, UserId};
use lru::LruCache;

use crate::codec::{Fields, Note};
use crate::empty_ranges::EmptyRanges;
use crate::epoch::Epoch;
use crate::failure::Failure;
use crate::head::{ConversationHead, UserHead};
use crate::rows::{Changes, Rows, RowsExt as _};
use crate::tables::Tables;

/// The newest numbers of the users and conversations that were written to most recently.
///
/// The heads are a copy of rows in the tables. The engine must [clear](Self::clear) them when a
/// batch or a commit fails, and when another writer may have changed the tables.
pub struct Heads {
    users: LruCache<UserId, UserHead>,
    conversations: LruCache<ConversationId, ConversationHead>,
    /// Whether a note is written when the head of a user or conversation is dropped from memory.
    has_notes: bool,
    /// The current epoch. New notes get its number. `None` before the first batch, and always if
    /// `has_notes` is false.
    epoch: Option<Epoch>,
    /// The number of the next message's row in `messages`. `None` until the first message after the
    /// heads were created or cleared.
    next_row: Option<u64>,
    /// A lower bound of the keys in the table `oldest`. A walk for the first key starts here and
    /// not at the beginning of the table. Some engines keep a tombstone for each removed row, and a
    /// walk from the beginning would step over the tombstones of all expired entries.
    oldest_bound: [u8; 12],
    /// Ranges of records that a walk need not step over.
    pub(crate) empty_ranges: EmptyRanges,
}

impl Heads {
    /// The maximum memory that one conversation and one user take together, in bytes. They usually
    /// take about 400 bytes, and 80 more if the pair has a gate. They take more after a hash table
    /// has doubled because of removed entries.
    pub const BYTES: usize = 512;

    /// Empty heads that take at most `bytes` of memory. They have capacity for one conversation and
    /// one user for each [`BYTES`](Self::BYTES), and for at least one of each.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let capacity = NonZeroUsize::new(bytes / Self::BYTES).unwrap_or(NonZeroUsize::MIN);
        Self {
            users: LruCache::new(capacity),
            conversations: LruCache::new(capacity),
            has_notes: false,
            epoch: None,
            next_row: None,
            oldest_bound: [0; 12],
            empty_ranges: EmptyRanges::new(),
        }
    }

    /// These heads with notes: when the head of a user or a conversation is dropped to make room
    /// for another one, its newest number is written to the tables. Use notes if finding the last
    /// row of an owner takes longer on the engine than finding a row by its key. The engine must be
    /// the only writer of the tables.
    #[must_use]
    pub fn with_notes(self) -> Self {
        Self { has_notes: true, ..self }
    }

    /// Begins an epoch if these heads have notes and no epoch. Called for each batch.
    pub(crate) fn ensure_epoch(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        if self.has_notes && self.epoch.is_none() {
            self.epoch = Some(Epoch::begin(&mut tables.schema)?);
        }
        Ok(())
    }

    /// A note of `number`; `None` for an engine without notes.
    pub(crate) fn note(&self, number: u64) -> Option<Note> {
        self.epoch.map(|epoch| epoch.note(number))
    }

    /// Drops all heads, so that later batches look them up in the tables.
    pub fn clear(&mut self) {
        self.users.clear();
        self.conversations.clear();
        self.epoch = None;
        self.next_row = None;
        self.oldest_bound = [0; 12];
        self.empty_ranges.clear();
    }

    /// Writes a note of each newest number that has changed since its last note, and closes the
    /// epoch. Without [`with_notes`](Self::with_notes), or before the first batch, nothing is
    /// written.
    ///
    /// The engine calls this before it closes, and must then commit the changes. If the commit
    /// fails, the engine must call [`clear`](Self::clear).
    ///
    /// # Errors
    /// An error of the engine.
    pub fn note_all(&mut self, tables: &mut Tables<impl Changes>) -> Result<(), Failure> {
        let Some(epoch) = self.epoch.take() else { return Ok(()) };
        for (_, user) in self.users.iter_mut().filter(|(_, user)| !user.is_noted) {
            user.is_noted = true;
            tables.insert_user_head(*user, Some(epoch.note(user.head.get())))?;
        }
        for (id, conversation) in
            self.conversations.iter_mut().filter(|(_, conversation)| !conversation.is_noted)
        {
            conversation.is_noted = true;
            tables.insert_conversation_head(*id, conversation, Some(epoch.note(conversation.head.get())))?;
        }
        epoch.close(&mut tables.schema)
    }

    /// Drops the head of a user whose floor has changed because entries expired. Returns it, or
    /// `None` if the user was not in memory.
    pub(crate) fn remove_user(&mut self, user: UserId) -> Option<UserHead> {
        self.users.pop(&user)
    }

    /// Adds the head of a user. If there is no room, the head of the least recently used user is
    /// dropped. If these heads have notes, a note of the dropped number is written, unless the
    /// tables have one.
    pub(crate) fn insert_user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
        head: UserHead,
    ) -> Result<(), Failure> {
        match (self.users.push(user, head), self.epoch) {
            (Some((_, dropped)), Some(epoch)) if !dropped.is_noted => {
                tables.insert_user_head(dropped, Some(epoch.note(dropped.head.get())))
            }
            _ => Ok(()),
        }
    }

    /// Adds the head of a conversation. If there is no room, the least recently used one is
    /// dropped, as [`insert_user`](Self::insert_user) does for users.
    pub(crate) fn insert_conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
        head: ConversationHead,
    ) -> Result<(), Failure> {
        match (self.conversations.push(id, head), self.epoch) {
            (Some((id, dropped)), Some(epoch)) if !dropped.is_noted => {
                tables.insert_conversation_head(id, &dropped, Some(epoch.note(dropped.head.get())))
            }
            _ => Ok(()),
        }
    }

    /// Changes the head of a user who was just looked up. The look-up has already recorded that the
    /// user was used recently. This method does not record it again, because a second record would
    /// take half of the time that a send spends in the maps. If the user was dropped since the
    /// look-up, this method adds the user again, because the note that the drop wrote is now
    /// outdated.
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

    /// Changes the head of a conversation that was just looked up, as
    /// [`update_user`](Self::update_user) does for a user.
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

    /// Changes the head of a user who was just looked up, and writes the user's row in `floors`. For
    /// changes of the fence or the gate, which are not found in other rows.
    pub(crate) fn write_user(
        &mut self,
        tables: &mut Tables<impl Changes>,
        user: UserId,
        mut head: UserHead,
    ) -> Result<(), Failure> {
        tables.insert_user_head(head, self.note(head.head.get()))?;
        head.is_noted = self.epoch.is_some();
        self.update_user(tables, user, head)
    }

    /// Changes the head of a conversation that was just looked up, and writes the conversation's
    /// row in `conversation_ids`, as [`write_user`](Self::write_user) does for a user.
    pub(crate) fn write_conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
        mut head: ConversationHead,
    ) -> Result<(), Failure> {
        tables.insert_conversation_head(id, &head, self.note(head.head.get()))?;
        head.is_noted = self.epoch.is_some();
        self.update_conversation(tables, id, head)
    }

    /// Lowers the lower bound of the keys in `oldest` to a key that was added, if the key is below
    /// the bound.
    pub(crate) fn lower_oldest_bound(&mut self, key: [u8; 12]) {
        self.oldest_bound = self.oldest_bound.min(key);
    }

    /// The first key in the table `oldest`; `None` if the table is empty. Raises the lower bound to
    /// this key.
    pub(crate) fn first_oldest(&mut self, tables: &Tables<impl Rows>) -> Result<Option<[u8; 12]>, Failure> {
        let Some(row) = tables.oldest.scan(&self.oldest_bound, &[u8::MAX; 12])?.next() else {
            return Ok(None);
        };
        self.oldest_bound = Fields::new(&row?.0).last(Fields::bytes)?;
        Ok(Some(self.oldest_bound))
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
        let found = tables.user_head(user_ref, self.epoch)?;
        self.insert_user(tables, user, found)?;
        Ok(Some(found))
    }

    /// The head of a conversation, from memory or from the tables; `None` if no conversation has
    /// this id.
    pub(crate) fn conversation(
        &mut self,
        tables: &mut Tables<impl Changes>,
        id: ConversationId,
    ) -> Result<Option<ConversationHead>, Failure> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(known.clone()));
        }
        let Some(found) = tables.conversation_head(id, self.epoch)? else { return Ok(None) };
        // The append that follows this look-up needs the heads of both participants. Their refs are
        // known here, so they need not be looked up.
        let ConversationHead { participants, refs: [a, b], .. } = found;
        for (user, user_ref) in [(participants.a(), a), (participants.b(), b)] {
            if !self.users.contains(&user) {
                let user_found = tables.user_head(user_ref, self.epoch)?;
                self.insert_user(tables, user, user_found)?;
            }
        }
        self.insert_conversation(tables, id, found.clone())?;
        Ok(Some(found))
    }

    /// Reserves a row in `messages` for a new message, and returns its number.
    pub(crate) fn take_row_number(&mut self, tables: &Tables<impl Rows>) -> Result<u64, Failure> {
        let row = match self.next_row {
            Some(row) => row,
            None => {
                // The upper bound is longer than a key, so it is above every key.
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
