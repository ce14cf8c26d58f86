//! The newest numbers, kept in memory so that a send looks nothing up.

use std::num::NonZeroUsize;

use dm_core::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};
use lru::LruCache;

use crate::codec::{Fields, ThreadRow, numbered};
use crate::failure::Failure;
use crate::rows::{Look as _, Rows};
use crate::tables::Tables;

/// The newest numbers of users and conversations written to lately. Only ever a copy of what the
/// tables say: an engine [clears](Self::clear) it when a batch fails, and when anybody else may
/// have written.
pub struct Heads {
    users: LruCache<UserId, User>,
    threads: LruCache<ConversationId, Thread>,
    /// The row of the next message.
    next_row: Option<u64>,
    /// A key of the oldest inboxes below which there is none. What expired was there and left
    /// tombstones: without this, every step of expiry walks over all of them.
    oldest: [u8; 12],
}

/// A user, as far as appending to their inbox needs to know them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) user_ref: u32,
    pub(crate) head: InboxSeq,
    /// Whether the inbox holds no entry.
    pub(crate) is_empty: bool,
}

/// A conversation, as far as appending to it needs to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    pub(crate) thread_ref: u32,
    pub(crate) participants: Participants,
    pub(crate) head: ServerSequence,
}

impl Heads {
    /// Nothing known yet; of so many users and so many conversations at most.
    #[must_use]
    pub fn new(remembered: NonZeroUsize) -> Self {
        Self {
            users: LruCache::new(remembered),
            threads: LruCache::new(remembered),
            next_row: None,
            oldest: [0; 12],
        }
    }

    /// Forgets everything, to look it up again.
    pub fn clear(&mut self) {
        self.users.clear();
        self.threads.clear();
        self.next_row = None;
        self.oldest = [0; 12];
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

    /// Changes what is known of a user who was just looked up. Without another change of the order,
    /// which would be half of what these maps cost a send; who was forgotten meanwhile stays so.
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

    pub(crate) fn user(&mut self, tables: &Tables<impl Rows>, user: UserId) -> Result<Option<User>, Failure> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Some(*known));
        }
        let Some(user_ref) = tables.user_ref(user)? else { return Ok(None) };
        let found = tables.user(user_ref)?;
        self.users.put(user, found);
        Ok(Some(found))
    }

    pub(crate) fn thread(
        &mut self,
        tables: &Tables<impl Rows>,
        id: ConversationId,
    ) -> Result<Option<Thread>, Failure> {
        if let Some(known) = self.threads.get(&id) {
            return Ok(Some(*known));
        }
        let Some(thread_ref) = tables.thread_ref(id)? else { return Ok(None) };
        let row = tables.thread_row(thread_ref)?;
        let pair = [tables.user_of(row.a)?, tables.user_of(row.b)?];
        // A message to the conversation needs both next, and here their refs are at hand.
        for (user, user_ref) in pair.into_iter().zip([row.a, row.b]) {
            if !self.users.contains(&user) {
                self.users.put(user, tables.user(user_ref)?);
            }
        }
        let (head, _) = tables.newest_message(thread_ref)?;
        let found = Thread { thread_ref, participants: participants(pair)?, head };
        self.threads.put(id, found);
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
        let (users, threads) = (self.users.len(), self.threads.len());
        f.debug_struct("Heads").field("users", &users).field("conversations", &threads).finish()
    }
}

/// The tables that heads are read from, and that both halves of the store look up.
impl<T: Rows> Tables<T> {
    pub(crate) fn user_ref(&self, user: UserId) -> Result<Option<u32>, Failure> {
        self.user_ids.find(user.as_bytes(), |value| value.last(Fields::u32))
    }

    /// A user, as appending needs to know them.
    fn user(&self, user_ref: u32) -> Result<User, Failure> {
        let floor = self.floor(user_ref)?;
        let newest = self.newest_entry(user_ref, floor)?;
        Ok(User { user_ref, head: newest.unwrap_or(floor), is_empty: newest.is_none() })
    }

    pub(crate) fn user_of(&self, user_ref: u32) -> Result<UserId, Failure> {
        self.users
            .find(&user_ref.to_be_bytes(), |value| value.last(Fields::user))?
            .ok_or(Failure::Damaged("a ref of no user"))
    }

    pub(crate) fn thread_ref(&self, id: ConversationId) -> Result<Option<u32>, Failure> {
        self.conversation_ids.find(id.as_bytes(), |value| value.last(Fields::u32))
    }

    pub(crate) fn thread_row(&self, thread_ref: u32) -> Result<ThreadRow, Failure> {
        self.conversations
            .find(&thread_ref.to_be_bytes(), ThreadRow::decode)?
            .ok_or(Failure::Damaged("a ref of no conversation"))
    }

    pub(crate) fn participants(&self, row: ThreadRow) -> Result<Participants, Failure> {
        participants([self.user_of(row.a)?, self.user_of(row.b)?])
    }

    /// The newest entry that a user's inbox holds above its floor, below which there is none.
    pub(crate) fn newest_entry(&self, user_ref: u32, floor: InboxSeq) -> Result<Option<InboxSeq>, Failure> {
        let from = numbered(user_ref, floor.get());
        self.inbox.last_in(&from, &numbered(user_ref, u64::MAX), |mut key, _| {
            key.u32()?;
            key.last(Fields::seq)
        })
    }

    /// The newest entry of a user's inbox that expired.
    pub(crate) fn floor(&self, user_ref: u32) -> Result<InboxSeq, Failure> {
        let floor = self.floors.find(&user_ref.to_be_bytes(), |value| value.last(Fields::seq))?;
        Ok(floor.unwrap_or(InboxSeq::ZERO))
    }
}

fn participants([one, other]: [UserId; 2]) -> Result<Participants, Failure> {
    Participants::new(one, other).map_err(|_| Failure::Damaged("a conversation with oneself"))
}
