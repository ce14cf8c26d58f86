//! Looking up users and conversations, with their newest numbers, and noting those numbers.
//!
//! A note is a number that the newest row had at some time: what expires never takes it back, so
//! that it is a lower bound, however old it is. In memory a number may be ahead of its note; a note
//! is right when it is written, and mostly still right when it is read, because between the two
//! nobody else appends. So a look-up asks first whether the next number is there.

use dm_core::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};

use crate::codec::{Fields, FloorRow, NamedThread, People, ThreadRow, numbered, participants};
use crate::failure::Failure;
use crate::heads::{Thread, User};
use crate::rows::{Changes, Look as _, Rows};
use crate::tables::Tables;

impl<T: Rows> Tables<T> {
    pub(crate) fn user_ref(&self, user: UserId) -> Result<Option<u32>, Failure> {
        self.user_ids.find(user.as_bytes(), |value| value.last(Fields::u32))
    }

    /// A user, as appending needs to know them.
    pub(crate) fn user(&self, user_ref: u32) -> Result<User, Failure> {
        let FloorRow { floor, head: note } = self.floor_row(user_ref)?;
        let note = note.map(|note| note.max(floor));
        let newest = newest(&self.inbox, user_ref, note.map(InboxSeq::get), floor.get())?;
        let head = InboxSeq::new(newest);
        Ok(User { user_ref, head, floor, is_noted: note == Some(head) })
    }

    /// A conversation, as appending needs to know it.
    pub(crate) fn thread(&self, id: ConversationId) -> Result<Option<Thread>, Failure> {
        let Some(NamedThread { thread_ref, people }) = self.named_thread(id)? else { return Ok(None) };
        let People { refs, participants, head: note } = match people {
            Some(people) => people,
            None => self.people(thread_ref)?,
        };
        let newest = newest(&self.sequence, thread_ref, note.map(ServerSequence::get), 0)?;
        let head = ServerSequence::new(newest);
        Ok(Some(Thread { thread_ref, refs, participants, head, is_noted: note == Some(head) }))
    }

    pub(crate) fn user_of(&self, user_ref: u32) -> Result<UserId, Failure> {
        self.users
            .find(&user_ref.to_be_bytes(), |value| value.last(Fields::user))?
            .ok_or(Failure::Damaged("a ref of no user"))
    }

    pub(crate) fn thread_ref(&self, id: ConversationId) -> Result<Option<u32>, Failure> {
        Ok(self.named_thread(id)?.map(|named| named.thread_ref))
    }

    pub(crate) fn named_thread(&self, id: ConversationId) -> Result<Option<NamedThread>, Failure> {
        self.conversation_ids.find(id.as_bytes(), NamedThread::decode)
    }

    pub(crate) fn thread_row(&self, thread_ref: u32) -> Result<ThreadRow, Failure> {
        self.conversations
            .find(&thread_ref.to_be_bytes(), ThreadRow::decode)?
            .ok_or(Failure::Damaged("a ref of no conversation"))
    }

    pub(crate) fn participants(&self, row: ThreadRow) -> Result<Participants, Failure> {
        participants([self.user_of(row.a)?, self.user_of(row.b)?])
    }

    /// The users of a conversation whose id's row is of an older version.
    fn people(&self, thread_ref: u32) -> Result<People, Failure> {
        let row = self.thread_row(thread_ref)?;
        Ok(People { refs: [row.a, row.b], participants: self.participants(row)?, head: None })
    }

    /// The newest entry that a user's inbox holds above its floor, below which there is none.
    pub(crate) fn newest_entry(&self, user_ref: u32, floor: InboxSeq) -> Result<Option<InboxSeq>, Failure> {
        Ok(self.inbox.last_number(user_ref, floor.get())?.map(InboxSeq::new))
    }

    /// The newest entry of a user's inbox that expired.
    pub(crate) fn floor(&self, user_ref: u32) -> Result<InboxSeq, Failure> {
        Ok(self.floor_row(user_ref)?.floor)
    }

    pub(crate) fn floor_row(&self, user_ref: u32) -> Result<FloorRow, Failure> {
        Ok(self.floors.find(&user_ref.to_be_bytes(), FloorRow::decode)?.unwrap_or_default())
    }
}

impl<T: Changes> Tables<T> {
    /// Notes the newest number of a user's inbox.
    pub(crate) fn note_user(&mut self, user: User) -> Result<(), Failure> {
        let row = FloorRow { floor: user.floor, head: Some(user.head) };
        self.floors.insert(&user.user_ref.to_be_bytes(), &row.encode())
    }

    /// Notes the newest number of a conversation.
    pub(crate) fn note_thread(&mut self, id: ConversationId, thread: Thread) -> Result<(), Failure> {
        let Thread { thread_ref, refs, participants, head, .. } = thread;
        self.insert_named_thread(id, thread_ref, People { refs, participants, head: Some(head) })
    }

    pub(crate) fn insert_named_thread(
        &mut self,
        id: ConversationId,
        thread_ref: u32,
        people: People,
    ) -> Result<(), Failure> {
        let row = NamedThread { thread_ref, people: Some(people) };
        self.conversation_ids.insert(id.as_bytes(), &row.encode())
    }
}

/// The newest number of a log's owner, above a floor below which there may be no rows any more;
/// that floor when nothing is above it.
fn newest(log: &impl Rows, owner: u32, note: Option<u64>, floor: u64) -> Result<u64, Failure> {
    // An older note than the last but one is one of a process that was killed.
    if let Some(note) = note {
        for head in note..=note.saturating_add(1) {
            if log.get(&numbered(owner, head.saturating_add(1)))?.is_none() {
                return Ok(head);
            }
        }
    }
    Ok(log.last_number(owner, floor)?.unwrap_or(floor))
}
